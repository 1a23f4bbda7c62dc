/**
 * Statements off the hot path that must not read whole tables: each is explained on filled tables, as the server would
 * plan it for any parameters.
 */
import { beforeAll, describe, expect, test } from "bun:test";
import type { Sql } from "../../../workers/storage/database.ts";
import { deadLetterList } from "../../../workers/storage/dead-letters.ts";
import { messageGroups, messageSegments } from "../../../workers/storage/messages.ts";
import * as retention from "../../../workers/storage/retention.ts";
import { traceList, traceListByName } from "../../../workers/storage/traces.ts";
import { useEngine } from "../support/engine.ts";

const engine = useEngine();

/** Fills a queue of 2,000 partitions with 20,000 segments, and all that may refer to them. */
const FILL = `
  insert into queen.queues (name, retention_enabled, retention_s, completed_retention_s, max_wait_time_s)
    select 'q' || i, true, 3600, 3600, 3600 from generate_series(1, 20) i;
  insert into queen.consumer_groups (queue_id, name, subscription_mode) select id, 'g', 'all' from queen.queues;
  insert into queen.partitions (queue_id, name, head, pushed_at)
    select q.id, 'p' || i, 100, now() from queen.queues q, generate_series(1, 100) i;
  insert into queen.segments
    select p.queue_id, p.id, s * 10, 10, 0, 100, now() - interval '100 minutes' + s * interval '10 minutes' + p.id * interval '1 second',
      gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), '', ''
    from queen.partitions p, generate_series(0, 9) s;
  insert into queen.cursors (queue_id, partition_id, group_id, next_offset, ready_at)
    select p.queue_id, p.id, g.id, 50, now() from queen.partitions p join queen.consumer_groups g using (queue_id);
  insert into queen.dead_letters
    select p.queue_id, p.id, g.id, s, 'e', 1, now() - s * interval '1 second'
    from queen.partitions p join queen.consumer_groups g using (queue_id), generate_series(0, 9) s;
  insert into queen.traces
    select p.queue_id, gen_random_uuid(), p.id, s, 't', null, 'info', '1', array['n' || p.id], 'w', now()
    from queen.partitions p, generate_series(0, 9) s;
  analyze;`;

beforeAll(async () => {
  await engine.sql.unsafe(FILL);
});

/** The plan of the one statement that `call` sends. */
async function planOf(call: (sql: Sql) => Promise<unknown>): Promise<string> {
  const seen: { text: string; values: unknown[] }[] = [];
  const capture = (strings: TemplateStringsArray, ...values: unknown[]) => {
    seen.push({ text: strings.reduce((text, part, at) => `${text}$${at}${part}`), values });
    return Promise.resolve([{}]);
  };
  await call(capture as unknown as Sql);
  const [{ text, values }] = seen as [(typeof seen)[number]];
  return await engine.sql.begin(async (sql) => {
    await sql`set local plan_cache_mode = force_generic_plan`;
    await sql.unsafe(`prepare probe as ${text}`);
    const list = values.map((value) => (value === null ? "null" : `'${String(value).replaceAll("'", "''")}'`));
    const rows = await sql.unsafe(`explain execute probe${list.length > 0 ? `(${list.join(",")})` : ""}`);
    await sql.unsafe("deallocate probe");
    return rows.map((row) => row["QUERY PLAN"]).join("\n");
  });
}

const LARGE = ["segments", "cursors", "partitions", "dead_letters", "traces", "transaction_keys"];
const at = { queueId: 1, partitionId: 1, offset: 5 };
const page = { limit: 10, offset: 0 };
const anything = { queue: null, partition: null, group: null, error: null, from: null, to: null };

const STATEMENTS: [name: string, index: string, call: (sql: Sql) => Promise<unknown>][] = [
  ["retentionQueues", "segments_created", retention.retentionQueues],
  ["retentionExpire", "segments_created", (sql) => retention.retentionExpire(sql, 1, 100)],
  ["completedQueues", "segments_created", retention.completedQueues],
  ["completedExpire", "segments_created", (sql) => retention.completedExpire(sql, 1, null, 100)],
  ["completedExpire", "cursors_pkey", (sql) => retention.completedExpire(sql, 1, null, 100)],
  ["evictionQueues", "segments_created", retention.evictionQueues],
  ["evictionExpire", "segments_created", (sql) => retention.evictionExpire(sql, 1, null, 100)],
  ["evictionExpire", "cursors_pkey", (sql) => retention.evictionExpire(sql, 1, null, 100)],
  ["cursorSweep", "segments_created", (sql) => retention.cursorSweep(sql, 180)],
  ["cursorSweep", "cursors_pkey", (sql) => retention.cursorSweep(sql, 180)],
  [
    "partitionIdleList",
    "partitions_pkey",
    (sql) => retention.partitionIdleList(sql, { queueId: 1, id: 1 }, { partitionsMax: 100, days: 30 }),
  ],
  ["messageSegments", "segments_pkey", (sql) => messageSegments(sql, [at])],
  ["messageGroups", "cursors_pkey", (sql) => messageGroups(sql, at)],
  ["deadLetterList", "dead_letters_failed", (sql) => deadLetterList(sql, anything, page)],
  ["traceList", "traces_message", (sql) => traceList(sql, at)],
  ["traceListByName", "traces_names", (sql) => traceListByName(sql, "n5", page)],
];

describe("plans", () => {
  test.each(STATEMENTS)("%s searches %s and reads no large table whole", async (_name, index, call) => {
    const plan = await planOf(call);
    expect(plan).toContain(index);
    for (const table of LARGE) expect(plan).not.toContain(`Seq Scan on ${table}`);
  });
});
