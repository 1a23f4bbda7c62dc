/**
 * Measurements of a month: the last hour of them is found by its time, whatever else is kept.
 */
import { beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  instanceBuckets,
  processBuckets,
  retentionBuckets,
  workerBuckets,
  workerList,
} from "../../workers/storage/analytics.ts";
import type { Sql } from "../../workers/storage/database.ts";
import { queueRecent, recentInterval, workerRecent } from "../../workers/storage/metrics.ts";
import {
  messageBuckets,
  parkedBuckets,
  queueLagBuckets,
  queueLagTotals,
  queueOperationBuckets,
  queueTrafficBuckets,
} from "../../workers/storage/queue-analytics.ts";
import { sampleExpire } from "../../workers/storage/samples.ts";
import { leaseCounts } from "../../workers/storage/status.ts";
import { useEngine } from "../workers/support/engine.ts";
import { scansOf } from "./scans.ts";

const engine = useEngine();
setDefaultTimeout(120_000);

const TABLES = ["worker_samples", "queue_samples", "instance_samples", "cursors"];
/** Entries of an hour: 2 workers, 10 queues at one worker each, 1 process; and some to spare. */
const HOUR = 2_000;

beforeAll(async () => {
  await engine.sql`insert into queen.queues (name, namespace) select 'q' || i, 'n' || i from generate_series(1, 100) i`;
  await engine.sql`insert into queen.instances (hostname, port, pid) values ('h', 1, 1)`;
  await engine.sql`
    insert into queen.worker_samples (at, instance_id, worker, push_messages, lag_count)
    select now() - m * interval '1 minute', 1, w, 1, 1 from generate_series(0, 43200) m, generate_series(0, 1) w`;
  await engine.sql`
    insert into queen.queue_samples (at, queue_id, instance_id, worker, push_messages, lag_count, parked_max)
    select now() - m * interval '1 minute', q, 1, 0, 1, 1, 1 from generate_series(0, 20000) m, generate_series(1, 10) q`;
  await engine.sql`
    insert into queen.instance_samples (at, instance_id, sample_count, metrics)
    select now() - m * interval '1 minute', 1, 60, '{"memory.rss_bytes": [1, 1, 1, 1]}' from generate_series(0, 43200) m`;
  await engine.sql`
    insert into queen.consumer_groups (queue_id, name, subscription_mode) select id, 'g', 'all' from queen.queues`;
  await engine.sql`
    insert into queen.partitions (queue_id, name, head) select 1, 'p' || i, 3 from generate_series(1, 50000) i`;
  await engine.sql`
    insert into queen.cursors (queue_id, partition_id, group_id, next_offset, ready_at, lease_id, lease_expires_at, lease_first, lease_end)
    select 1, p.id, g.id, 0, now() - interval '1 hour', null, null, null, null
    from queen.partitions p join queen.consumer_groups g using (queue_id)`;
  await engine.sql`
    update queen.cursors set ready_at = now() + interval '1 hour', lease_id = gen_random_uuid(),
      lease_expires_at = now() + interval '1 hour', lease_first = 0, lease_end = 3
    where ctid in (select ctid from queen.cursors limit 20)`;
  await engine.sql`vacuum analyze`;
});

const range = {
  from: new Date(Date.now() - 3_600_000).toISOString(),
  to: new Date(Date.now() + 60_000).toISOString(),
  bucketMinutes: 1,
};
const everybody = { hostname: null, worker: null };
const any = { queue: null, namespace: null, task: null };
const choice = { queue: null, queuesMax: 200 };

const CALLS: [name: string, most: number, call: (sql: Sql) => Promise<unknown>][] = [
  ["what workers did", HOUR, (sql) => workerBuckets(sql, range, everybody)],
  ["the workers", HOUR, (sql) => workerList(sql, range, everybody)],
  ["what the jobs deleted", HOUR, (sql) => retentionBuckets(sql, range)],
  ["how processes did", HOUR, (sql) => instanceBuckets(sql, range, null)],
  ["how all processes did", HOUR, (sql) => processBuckets(sql, range)],
  ["ages by queue", 2 * HOUR, (sql) => queueLagBuckets(sql, range, choice)],
  ["ages of one queue", 2 * HOUR, (sql) => queueLagBuckets(sql, range, { ...choice, queue: "q7" })],
  ["ages over the range", HOUR, (sql) => queueLagTotals(sql, range, { ...everybody, queuesMax: 100 })],
  ["parked pops", 2 * HOUR, (sql) => parkedBuckets(sql, range, choice)],
  ["what some queues did", HOUR, (sql) => queueTrafficBuckets(sql, range, { ...any, namespace: "n7" })],
  ["messages of all queues", HOUR, (sql) => messageBuckets(sql, { ...range, interval: "minute" }, any)],
  [
    "messages of a queue",
    HOUR,
    (sql) => messageBuckets(sql, { ...range, interval: "minute" }, { ...any, queue: "q7" }),
  ],
  ["the last minute", HOUR, (sql) => recentInterval(sql, 60)],
  ["queues in a minute", HOUR, (sql) => queueRecent(sql, { from: range.from, seconds: 60, age: 0 }, 100)],
  ["workers in a minute", HOUR, (sql) => workerRecent(sql, { from: range.from, seconds: 60, age: 0 })],
  ["a step of forgetting", HOUR, (sql) => sampleExpire(sql, { table: "worker_samples", days: 29, rowsMax: 100 })],
  ["leases among many cursors that wait", HOUR, (sql) => leaseCounts(sql, any)],
];

describe.each(["force_custom_plan", "force_generic_plan"] as const)("a month of measurements, %s", (mode) => {
  test.each(CALLS)("%s", async (_name, most, call) => {
    const { indexes, walked } = await scansOf(engine.sql, mode, call);
    const large = Object.keys(walked).filter((table) => TABLES.includes(table));
    const wide = Object.entries(indexes).filter(([, entries]) => entries > most);
    expect({ large, wide, indexes }).toMatchObject({ large: [], wide: [] });
    expect(Object.keys(indexes).filter((index) => TABLES.some((table) => index.startsWith(table)))).not.toEqual([]);
  });

  test("what queues did, with their partitions counted", async () => {
    const { indexes, walked } = await scansOf(engine.sql, mode, (sql) => queueOperationBuckets(sql, range, choice));
    expect(Object.keys(walked).filter((table) => TABLES.includes(table))).toEqual([]);
    expect(Object.keys(indexes)).toContain("queue_samples_pkey");
  });
});
