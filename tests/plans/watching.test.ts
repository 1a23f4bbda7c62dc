/**
 * What is looked at for those who watch, and for the October 2025 dialect, reads a bounded part of a queue of many partitions.
 */
import { beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { DASHBOARD, dashboardDepths, dashboardTotals } from "../../workers/storage/dashboard.ts";
import type { Sql } from "../../workers/storage/database.ts";
import {
  octoberPartitions,
  octoberSearchOrdered,
  octoberSearchOther,
  octoberStatuses,
} from "../../workers/storage/october.ts";
import { octoberCounts } from "../../workers/storage/october-counts.ts";
import { uuidV7 } from "../support/names.ts";
import { useEngine } from "../workers/support/engine.ts";
import { scansOf } from "./scans.ts";

const engine = useEngine();
setDefaultTimeout(120_000);

const PARTITIONS = 50_000;
/** Index entries that a statement may read: a few for each row it may look at. */
const FEW = 200;
const DEPTHS = 10 * DASHBOARD.partitions;
const TOTALS = 10 * DASHBOARD.totals;
const COUNTED = 100;

beforeAll(async () => {
  await engine.sql`insert into queen.queues (name, namespace) select 'q' || i, 'n' || i from generate_series(1, 1000) i`;
  await engine.sql`
    insert into queen.consumer_groups (queue_id, name, subscription_mode) values (1, '__QUEUE_MODE__', 'all')`;
  await engine.sql`
    insert into queen.partitions (queue_id, name, head) select 1, 'p' || i, 3 from generate_series(1, ${PARTITIONS}) i`;
  await engine.sql`
    insert into queen.segments
    select 1, p.id, 0, 3, 0, 1, now(), gen_random_uuid(), null, null, '', '' from queen.partitions p where p.queue_id = 1`;
  await engine.sql`
    insert into queen.cursors (queue_id, partition_id, group_id, next_offset, ready_at)
    select 1, p.id, g.id, case when p.id % 10 = 0 then 0 else 3 end, case when p.id % 10 = 0 then now() else 'infinity' end
    from queen.partitions p, queen.consumer_groups g where p.queue_id = 1 and g.queue_id = 1`;
  await engine.sql`analyze`;
});

const filter = { queue: "q1", namespace: null, task: null, from: "2020-01-01", to: "2100-01-01", allGroups: false };
const place = { queueId: 1, partitionId: 700, offset: 1 };

const CALLS: [name: string, most: number, call: (sql: Sql) => Promise<unknown>][] = [
  ["depths of the next queues", DEPTHS, (sql) => dashboardDepths(sql, 0)],
  ["totals of all queues", TOTALS, (sql) => dashboardTotals(sql)],
  ["counts of so many partitions", 20 * COUNTED, (sql) => octoberCounts(sql, { ...filter, partitionsMax: COUNTED })],
  ["a search by a time-ordered id", 200_000, (sql) => octoberSearchOrdered(sql, uuidV7(), Date.now())],
  ["a search by another id", 100_000, (sql) => octoberSearchOther(sql, crypto.randomUUID())],
  ["how a group stands on partitions", FEW, (sql) => octoberPartitions(sql, [place], "__QUEUE_MODE__")],
  ["what groups made of a message", FEW, (sql) => octoberStatuses(sql, [place])],
];

describe.each(["force_custom_plan", "force_generic_plan"] as const)("a queue of 50,000 partitions, %s", (mode) => {
  test.each(CALLS)("%s", async (_name, most, call) => {
    const { indexes, walked } = await scansOf(engine.sql, mode, call);
    const large = Object.keys(walked).filter((table) => ["partitions", "cursors", "segments"].includes(table));
    const wide = Object.entries(indexes).filter(([, entries]) => entries > most);
    expect({ large, wide, indexes }).toMatchObject({ large: [], wide: [] });
    expect(Object.keys(indexes).length).toBeGreaterThan(0);
  });
});
