/**
 * Hot statements on large tables: each must use the index its comment names, walk no large table, and read no more index
 * entries than its work needs, with plans for these very parameters and with plans for any.
 */
import { beforeAll, describe, expect, test } from "bun:test";
import { Buffer } from "node:buffer";
import * as cursors from "../../workers/storage/cursors.ts";
import type { Sql } from "../../workers/storage/database.ts";
import * as queues from "../../workers/storage/queues.ts";
import * as segments from "../../workers/storage/segments.ts";
import { uuidV7 } from "../support/names.ts";
import { useEngine } from "../workers/support/engine.ts";
import { scansOf } from "./scans.ts";

const engine = useEngine();
const LEASE = "00000001-0000-8000-8101-000000000001";
/** Partitions of the queue under test, each with 4 segments of 10 messages and a cursor for each of 2 groups. */
const PARTITIONS = 45_000;
/** The partitions below are leased, those after them ready; all others are drained. */
const LEASED = 500;
const READY = 1_000;
/** One that is not drained has a long log. */
const DEEP = 800;
const DEEP_SEGMENTS = 20_000;
/** Index entries a call on a handful of partitions may read. */
const ENTRIES_MAX = 200;
/** Too large to be walked. */
const LARGE = ["partitions", "segments", "cursors", "transaction_keys", "retries", "queues"];

/** One large queue and a thousand small ones. */
const FILL = `
  insert into queen.queues (name) select 'q' || i from generate_series(1, 1001) i;
  insert into queen.consumer_groups (queue_id, name, subscription_mode)
    select q.id, g, 'all' from queen.queues q, unnest(array['a', 'b']) g order by q.id, g;
  insert into queen.partitions (queue_id, name, head, tx_high, pushed_at)
    select 1, 'p' || i, 40, '01900000-0004-7000-8000-000000000000', now() from generate_series(1, ${PARTITIONS}) i;
  insert into queen.partitions (queue_id, name, head, pushed_at)
    select q, 'p' || i, 40, now() from generate_series(2, 1001) q, generate_series(1, 5) i;
  insert into queen.segments
    select p.queue_id, p.id, s * 10, 10, 0, 100, now() - interval '1 hour' + s * interval '1 second', gen_random_uuid(),
      ('01900000-000' || s || '-7000-8000-000000000000')::uuid, ('01900000-000' || s || '-7000-8000-00000000000f')::uuid,
      decode(repeat('01900000000' || s || '70008000000000000000', 10), 'hex'), ''
    from queen.partitions p, generate_series(0, 3) s;
  insert into queen.cursors (queue_id, partition_id, group_id, next_offset, ready_at)
    select p.queue_id, p.id, g.id, 40, 'infinity' from queen.partitions p join queen.consumer_groups g using (queue_id);
  update queen.cursors set next_offset = 10, lease_first = 10, lease_end = 20, lease_expires_at = now() + interval '1 hour',
      ready_at = now() + interval '1 hour', lease_id = ('00000001-0000-8000-8101-' || lpad(partition_id::text, 12, '0'))::uuid
    where queue_id = 1 and partition_id <= ${LEASED};
  update queen.cursors set next_offset = 10, ready_at = now() where queue_id = 1 and partition_id between ${LEASED + 1} and ${READY};
  update queen.partitions set head = ${DEEP_SEGMENTS} * 10 where queue_id = 1 and id = ${DEEP};
  insert into queen.segments
    select 1, ${DEEP}, s * 10, 10, 0, 100, now() - interval '1 hour' + s * interval '1 ms', gen_random_uuid(),
      ('01900000-' || lpad(to_hex(s), 4, '0') || '-7000-8000-000000000000')::uuid,
      ('01900000-' || lpad(to_hex(s), 4, '0') || '-7000-8000-00000000000f')::uuid, decode(repeat('00', 160), 'hex'), ''
    from generate_series(4, ${DEEP_SEGMENTS} - 1) s;
  insert into queen.transaction_keys select p.queue_id, p.id, gen_random_uuid(), s from queen.partitions p, generate_series(0, 1) s;
  insert into queen.retries select 1, p, 1, 10, 1, 'e', now() from generate_series(1, 20000) p;`;

/** Keeps statistics as the migrations left them, as in the first minute of a new server. */
const BARE = ["partitions", "cursors", "segments", "transaction_keys", "consumer_groups", "queues", "retries"]
  .map((table) => `alter table queen.${table} set (autovacuum_enabled = false);`)
  .join("");

beforeAll(async () => {
  await engine.sql.unsafe(BARE);
  await engine.sql.unsafe(FILL);
});

function append(partitionId: number, more: Partial<segments.SegmentAppend> = {}): segments.SegmentAppend {
  const id = uuidV7();
  return {
    ...{
      queueId: 1,
      partitionId,
      configVersion: 1,
      seenHead: -1,
      seenEpoch: 0,
      messageCount: 1,
      format: 0,
      rawBytes: 1,
    },
    ...{
      idBase: crypto.randomUUID(),
      txMin: id,
      txMax: id,
      body: Buffer.from("x"),
      keys: Buffer.alloc(16, partitionId),
    },
    ...{ otherKeys: [], ...more },
  };
}

function appendAll(sql: Sql, entries: segments.SegmentAppend[]): Promise<segments.SegmentAppendRow[]> {
  const join = (part: "body" | "keys") => Buffer.concat(entries.map((entry) => entry[part]));
  return segments.segmentAppend(sql, entries, join("body"), join("keys"));
}

const OLD = "01900000-0002-7000-8000-000000000001";
const old = { txMin: OLD, txMax: OLD };
const other = [{ index: 0, key: crypto.randomUUID() }];
const some = [11, 22, 33, 44, 55];
const slots = (count: number) =>
  Array.from({ length: count }, (_, pop) => ({ pop, batch: 10, leaseId: crypto.randomUUID() }));
const claim = { queueId: 1, groupId: 1, partitionId: null, autoAck: false, slots: slots(5) };
const acknowledge = (partitionId: number, more: Partial<cursors.Acknowledge> = {}): cursors.Acknowledge => ({
  ...{ queueId: 1, partitionId, groupId: 1, leaseId: null, done: [10, 20], released: [], failed: [] },
  ...more,
});
const failed = [{ offset: 10, error: "e", final: false }];
const leased = { queueId: 1, groupId: 1, leaseId: LEASE };
const ranges = some.map((partitionId) => ({ partitionId, from: 12, to: 25 }));

/** Name, the indexes it must search, the call; `entries` where more than a handful of entries is right. */
const STATEMENTS: [name: string, indexes: string[], call: (sql: Sql) => Promise<unknown>, entries?: number][] = [
  [
    "segment_append of new ids",
    ["partitions_pkey", "cursors_pkey"],
    (sql) =>
      appendAll(
        sql,
        some.map((id) => append(id)),
      ),
  ],
  [
    "segment_append of old ids",
    ["segments_tx", "partitions_pkey"],
    (sql) =>
      appendAll(
        sql,
        some.map((id) => append(id, old)),
      ),
  ],
  ["segment_append of old ids to a long log", ["segments_tx"], (sql) => appendAll(sql, [append(DEEP, old)])],
  [
    "segment_append of other ids",
    ["transaction_keys_pkey", "partitions_pkey"],
    (sql) =>
      appendAll(
        sql,
        some.map((id) => append(id, { otherKeys: other, txMin: null, txMax: null })),
      ),
  ],
  ["cursor_claim of any partition", ["cursors_ready", "partitions_pkey"], (sql) => cursors.cursorClaim(sql, claim)],
  ["cursor_claim with auto-ack", ["cursors_ready"], (sql) => cursors.cursorClaim(sql, { ...claim, autoAck: true })],
  [
    "cursor_claim of one partition",
    ["cursors_pkey"],
    (sql) => cursors.cursorClaim(sql, { ...claim, partitionId: 700 }),
  ],
  [
    "cursor_acknowledge",
    ["cursors_pkey"],
    (sql) =>
      cursors.cursorAcknowledge(
        sql,
        some.map((id) => acknowledge(id)),
      ),
  ],
  [
    "cursor_acknowledge that drains, and settles",
    ["cursors_pkey", "partitions_pkey"],
    (sql) =>
      cursors.cursorAcknowledge(
        sql,
        some.map((id) => acknowledge(id, { done: [10, 40] })),
      ),
  ],
  [
    "cursor_acknowledge of failures",
    ["cursors_pkey", "retries_pkey"],
    (sql) =>
      cursors.cursorAcknowledge(
        sql,
        some.map((id) => acknowledge(id, { done: [], failed })),
      ),
  ],
  [
    "lease_acknowledge where the partitions are known",
    ["cursors_pkey"],
    (sql) => cursors.leaseAcknowledge(sql, [{ ...leased, status: "completed", error: "", partitionIds: [1] }]),
  ],
  [
    "lease_acknowledge where they are not",
    ["cursors_ready"],
    (sql) => cursors.leaseAcknowledge(sql, [{ ...leased, status: "completed", error: "", partitionIds: null }]),
    LEASED * 3,
  ],
  ["leaseExtend", ["cursors_ready"], (sql) => cursors.leaseExtend(sql, { ...leased, seconds: 9_999 }), LEASED * 3],
  [
    "cursorNextReady",
    ["cursors_ready", "cursors_pkey"],
    (sql) =>
      cursors.cursorNextReady(
        sql,
        [
          { queueId: 1, groupId: 1, partitionId: null },
          { queueId: 1, groupId: 1, partitionId: 700 },
        ],
        1_000,
      ),
  ],
  ["segmentRead", ["segments_pkey"], (sql) => segments.segmentRead(sql, 1, ranges)],
  [
    "segmentRead of a long log",
    ["segments_pkey"],
    (sql) => segments.segmentRead(sql, 1, [{ partitionId: DEEP, from: 100_005, to: 100_105 }]),
  ],
  [
    "segmentKeysInRange",
    ["segments_tx"],
    (sql) => segments.segmentKeysInRange(sql, { queueId: 1, partitionId: DEEP }, OLD, OLD),
  ],
  [
    "transactionKeyFind",
    ["transaction_keys_pkey"],
    (sql) => segments.transactionKeyFind(sql, { queueId: 1, partitionId: 700 }, [OLD, LEASE]),
  ],
  ["tombstoneFind", [], (sql) => segments.tombstoneFind(sql, { queueId: 1, partitionId: 700 }, [1, 2])],
  ["queueFind", ["queues_name"], (sql) => queues.queueFind(sql, ["q7", "q8"])],
  ["queueFindById", ["queues_pkey"], (sql) => queues.queueFindById(sql, [7, 8])],
  ["partitionFind", ["partitions_name"], (sql) => queues.partitionFind(sql, 1, ["p7", "p8", "nowhere"])],
  ["partitionNames", ["partitions_pkey"], (sql) => queues.partitionNames(sql, [{ queueId: 1, partitionId: 700 }])],
  ["groupFind", ["consumer_groups_name"], (sql) => queues.groupFind(sql, 1, "a")],
];

const MODES = ["force_custom_plan", "force_generic_plan"] as const;

describe.each(["before the first analyze", "analyzed"])("hot statements, %s", (state) => {
  beforeAll(async () => {
    if (state === "analyzed") await engine.sql.unsafe("vacuum analyze");
  });

  for (const mode of MODES) {
    test.each(STATEMENTS)(`%s, ${mode}`, async (_name, indexes, call, entries = ENTRIES_MAX) => {
      const scans = await scansOf(engine.sql, mode, call);
      const missing = indexes.filter((index) => !(index in scans.indexes));
      const large = LARGE.filter((table) => table in scans.walked);
      const wide = Object.entries(scans.indexes).filter(([, count]) => count > entries);
      expect({ missing, large, wide, ...scans }).toMatchObject({ missing: [], large: [], wide: [] });
    });
  }
});

describe("counting", () => {
  test("sees a walk and a wide index scan, so that their absence means something", async () => {
    const walk = await scansOf(
      engine.sql,
      "force_custom_plan",
      (sql) => sql`select count(*) from queen.cursors where next_offset = 3`,
    );
    expect(walk.walked.cursors).toBeGreaterThan(PARTITIONS);
    const wide = await scansOf(
      engine.sql,
      "force_custom_plan",
      (sql) => sql`select count(*) from queen.cursors where queue_id = 1 and ready_at < 'infinity' and group_id = 1`,
    );
    expect(wide.indexes.cursors_ready).toBeGreaterThanOrEqual(READY);
  });
});
