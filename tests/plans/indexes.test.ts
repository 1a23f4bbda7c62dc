/**
 * Every index has a use: it keeps something unique, or a named statement searches it on filled tables. An index that nothing searches
 * costs every write for nothing.
 */
import { beforeAll, describe, expect, test } from "bun:test";
import { cursorClaim } from "../../workers/storage/cursors.ts";
import type { Sql } from "../../workers/storage/database.ts";
import { deadLetterList } from "../../workers/storage/dead-letters.ts";
import { groupQueues } from "../../workers/storage/groups.ts";
import { queueCandidates } from "../../workers/storage/queue-filter.ts";
import { partitionFind } from "../../workers/storage/queues.ts";
import { retentionExpire } from "../../workers/storage/retention.ts";
import { segmentKeysInRange } from "../../workers/storage/segments.ts";
import { traceList, traceListByName } from "../../workers/storage/traces.ts";
import { useEngine } from "../workers/support/engine.ts";
import { scansOf } from "./scans.ts";

const engine = useEngine();

/** 1,000 queues of 5 partitions, and one of 2,000 with 10 segments each. */
const FILL = `
  insert into queen.queues (name, namespace, retention_enabled, retention_s)
    select 'q' || i, 'n' || i, i = 1, 3600 from generate_series(1, 1001) i;
  insert into queen.consumer_groups (queue_id, name, subscription_mode)
    select q.id, 'g' || q.id % 50, 'all' from queen.queues q order by q.id;
  insert into queen.partitions (queue_id, name, head) select 1, 'p' || i, 100 from generate_series(1, 2000) i;
  insert into queen.partitions (queue_id, name, head) select q, 'p' || i, 100 from generate_series(2, 1001) q, generate_series(1, 5) i;
  insert into queen.segments
    select p.queue_id, p.id, s * 10, 10, 0, 100, now() - interval '100 minutes' + s * interval '10 minutes', gen_random_uuid(),
      gen_random_uuid(), gen_random_uuid(), '', ''
    from queen.partitions p, generate_series(0, 9) s;
  insert into queen.cursors (queue_id, partition_id, group_id, next_offset, ready_at)
    select p.queue_id, p.id, g.id, 50, case when p.id % 100 = 0 then now() else 'infinity' end
    from queen.partitions p join queen.consumer_groups g using (queue_id);
  insert into queen.transaction_keys select p.queue_id, p.id, gen_random_uuid(), s from queen.partitions p, generate_series(0, 9) s;
  insert into queen.dead_letters
    select p.queue_id, p.id, g.id, s, 'e', 1, now() - s * interval '1 second'
    from queen.partitions p join queen.consumer_groups g using (queue_id), generate_series(0, 9) s;
  insert into queen.traces
    select p.queue_id, gen_random_uuid(), p.id, s, 't', null, 'info', '1', array['n' || p.id], 'w', now()
    from queen.partitions p, generate_series(0, 9) s;
  analyze;`;

const page = { limit: 10, offset: 0 };
const UUID = "01900000-0000-7000-8000-000000000000";
const slots = [{ pop: 0, batch: 10, leaseId: crypto.randomUUID() }];

/** Who searches each index that keeps nothing unique. */
const USES: Record<string, [statement: string, call: (sql: Sql) => Promise<unknown>]> = {
  queues_namespace_task: [
    "queueCandidates",
    (sql) => queueCandidates(sql, { namespace: "n7", task: null, group: "g7" }, { readyMax: 10, rowsMax: 10 }),
  ],
  partitions_name: ["partitionFind", (sql) => partitionFind(sql, 1, ["p7"])],
  segments_tx: ["segmentKeysInRange", (sql) => segmentKeysInRange(sql, { queueId: 1, partitionId: 7 }, UUID, UUID)],
  segments_created: ["retentionExpire", (sql) => retentionExpire(sql, 1, 100)],
  transaction_keys_offset: ["retentionExpire", (sql) => retentionExpire(sql, 1, 100)],
  consumer_groups_by_name: ["groupQueues", (sql) => groupQueues(sql, "g7")],
  cursors_ready: [
    "cursorClaim",
    (sql) => cursorClaim(sql, { queueId: 1, groupId: 1, partitionId: null, autoAck: false, slots }),
  ],
  dead_letters_failed: [
    "deadLetterList",
    (sql) =>
      deadLetterList(sql, { queue: "q1", partition: null, group: null, error: null, from: null, to: null }, page),
  ],
  traces_message: ["traceList", (sql) => traceList(sql, { queueId: 1, partitionId: 7, offset: 5 })],
  traces_names: ["traceListByName", (sql) => traceListByName(sql, "n5", page)],
};

beforeAll(async () => {
  await engine.sql.unsafe(FILL);
});

describe("indexes", () => {
  test("that keep nothing unique are all searched by a statement that is named here", async () => {
    const rows = await engine.sql<{ name: string }[]>`
      select c.relname as name from pg_index i
      join pg_class c on c.oid = i.indexrelid join pg_namespace n on n.oid = c.relnamespace
      where n.nspname = 'queen' and not i.indisunique order by 1`;
    expect(rows.map(({ name }) => name)).toEqual(Object.keys(USES).sort());
  });

  test.each(Object.entries(USES))("%s is searched", async (index, [statement, call]) => {
    const { indexes } = await scansOf(engine.sql, "force_generic_plan", call);
    expect({ statement, searched: Object.keys(indexes) }).toEqual({
      statement,
      searched: expect.arrayContaining([index]),
    });
  });

  test("are all valid, and none repeats another", async () => {
    const rows = await engine.sql<{ name: string; twin: string | null; valid: boolean }[]>`
      select c.relname as name, i.indisvalid as valid, t.relname as twin
      from pg_index i
      join pg_class c on c.oid = i.indexrelid join pg_namespace n on n.oid = c.relnamespace
      left join pg_index o on o.indrelid = i.indrelid and o.indexrelid <> i.indexrelid
        and o.indkey = i.indkey and o.indpred is not distinct from i.indpred and o.indclass = i.indclass
      left join pg_class t on t.oid = o.indexrelid
      where n.nspname = 'queen' and (t.oid is not null or not i.indisvalid)`;
    expect(rows.map((row) => ({ ...row }))).toEqual([]);
  });
});
