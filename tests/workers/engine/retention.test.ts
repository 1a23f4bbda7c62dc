import { describe, expect, test } from "bun:test";
import {
  JOB,
  type JobRun,
  runCleanup,
  runEviction,
  runPurge,
  runRetention,
  type Walks,
} from "../../../workers/engine/retention.ts";
import { messageDelete } from "../../../workers/storage/messages.ts";
import { PURGE_TABLES, queueDelete } from "../../../workers/storage/queue-admin.ts";
import { jobElect } from "../../../workers/storage/retention.ts";
import { uniqueName } from "../../support/names.ts";
import { useEngine } from "../support/engine.ts";

// Batches of two segments, so that every run takes several.
const engine = useEngine({ retentionBatchSize: 2, evictionBatchSize: 2 });

const run = (): JobRun => ({ context: engine.context, sql: engine.database.look, proceed: () => true });
const KEPT = { retention_enabled: true, retention_s: 60 };

/** A queue whose partition `p` has segments of two messages, `t0 t1`, `t2 t3`, … */
async function filled(segments: number, options: object) {
  const queue = uniqueName("old");
  const queueId = await engine.queue(queue, options);
  let partitionId = 0;
  for (let n = 0; n < segments; n += 1) partitionId = await engine.push(queue, "p", [`t${2 * n}`, `t${2 * n + 1}`]);
  return { queue, queueId, partitionId };
}

async function partition(queueId: number, partitionId: number) {
  const [row] = await engine.sql`
    select p.head, p.tail, p.epoch, p.tombstone_count,
      (select coalesce(sum(s.message_count), 0)::integer from queen.segments s where s.queue_id = p.queue_id and s.partition_id = p.id) as kept
    from queen.partitions p where p.queue_id = ${queueId} and p.id = ${partitionId}`;
  return { ...row! };
}

describe("retention", () => {
  test("deletes what is old, in several batches, and nothing that is not", async () => {
    const { queue, queueId, partitionId } = await filled(7, KEPT);
    await engine.age(queueId, 61);
    await engine.push(queue, "p", ["fresh"]);
    await runRetention(run(), new Map());
    const after = await partition(queueId, partitionId);
    expect(after).toMatchObject({ head: 15, tail: 14, kept: 1 });
    expect(after.epoch).toBeGreaterThan(0);
  });

  test("leaves a queue alone that does not ask for it, and one whose messages are young", async () => {
    const off = await filled(2, { retention_s: 60 });
    await engine.age(off.queueId, 3_600);
    const young = await filled(2, KEPT);
    await engine.age(young.queueId, 30);
    await runRetention(run(), new Map());
    expect(await partition(off.queueId, off.partitionId)).toMatchObject({ tail: 0, kept: 4 });
    expect(await partition(young.queueId, young.partitionId)).toMatchObject({ tail: 0, kept: 4 });
  });

  test("takes along what refers to the messages, and their transaction ids", async () => {
    const { queueId, partitionId } = await filled(2, KEPT);
    await engine.cursorAt(queueId, partitionId, "g", 0);
    const at = { queueId, partitionId };
    await engine.sql`select queen.message_dead_letter(${queueId}, ${partitionId}, 1, 'e')`;
    await messageDelete(engine.sql, { ...at, offset: 2 });
    await engine.age(queueId, 61);
    await runRetention(run(), new Map());
    expect(await partition(queueId, partitionId)).toMatchObject({ head: 4, tail: 4, kept: 0, tombstone_count: 0 });
    for (const table of ["dead_letters", "tombstones", "transaction_keys", "segments"]) {
      const rows = await engine.sql.unsafe(`select from queen.${table} where queue_id = ${queueId}`);
      expect([table, rows.length]).toEqual([table, 0]);
    }
  });

  test("ttl does the same without the switch; the shorter of both counts", async () => {
    const ttl = await filled(1, { ttl_s: 10 });
    const both = await filled(1, { ...KEPT, ttl_s: 10 });
    await engine.age(ttl.queueId, 11);
    await engine.age(both.queueId, 11);
    await runRetention(run(), new Map());
    expect(await partition(ttl.queueId, ttl.partitionId)).toMatchObject({ kept: 0 });
    expect(await partition(both.queueId, both.partitionId)).toMatchObject({ kept: 0 });
  });

  test("segments of one instant go together, whatever the batch takes first", async () => {
    const { queueId, partitionId } = await filled(5, KEPT);
    await engine.sql`update queen.segments set created_at = now() - interval '2 minutes' where queue_id = ${queueId}`;
    await runRetention(run(), new Map());
    expect(await partition(queueId, partitionId)).toMatchObject({ head: 10, tail: 10, kept: 0 });
  });

  test("does nothing while another instance is at it", async () => {
    const { queueId, partitionId } = await filled(1, KEPT);
    await engine.age(queueId, 61);
    await engine.sql.begin(async (sql) => {
      expect(await jobElect(sql, JOB.retention)).toBe(true);
      await runRetention(run(), new Map());
    });
    expect(await partition(queueId, partitionId)).toMatchObject({ kept: 2 });
    await runRetention(run(), new Map());
    expect(await partition(queueId, partitionId)).toMatchObject({ kept: 0 });
  });
});

describe("retention of consumed messages", () => {
  const CONSUMED = { retention_enabled: true, completed_retention_s: 60 };

  test("deletes whole segments below the slowest group, and none that a group still needs", async () => {
    const { queueId, partitionId } = await filled(6, CONSUMED);
    await engine.cursorAt(queueId, partitionId, "fast", 12);
    await engine.cursorAt(queueId, partitionId, "slow", 7);
    await engine.age(queueId, 61);
    await runRetention(run(), new Map());
    expect(await partition(queueId, partitionId)).toMatchObject({ head: 12, tail: 6, kept: 6 });
  });

  test("leaves a partition alone that no group ever came to", async () => {
    const { queueId, partitionId } = await filled(2, CONSUMED);
    await engine.age(queueId, 61);
    await runRetention(run(), new Map());
    expect(await partition(queueId, partitionId)).toMatchObject({ tail: 0, kept: 4 });
  });

  test("a long unconsumed backlog does not hide what is consumed behind it", async () => {
    const { queue, queueId, partitionId } = await filled(9, CONSUMED);
    await engine.cursorAt(queueId, partitionId, "g", 0);
    await engine.age(queueId, 1);
    const done = await engine.push(queue, "done", ["d"]);
    await engine.cursorAt(queueId, done, "g", 1);
    await engine.age(queueId, 61);
    const walks: Walks = new Map();
    await runRetention(run(), walks);
    expect(await partition(queueId, done)).toMatchObject({ kept: 0 });
    expect(await partition(queueId, partitionId)).toMatchObject({ kept: 18 });
    expect(walks.size).toBe(0);
  });

  test("a group that was deleted holds nothing back", async () => {
    const { queueId, partitionId } = await filled(2, CONSUMED);
    await engine.cursorAt(queueId, partitionId, "stays", 4);
    await engine.cursorAt(queueId, partitionId, "goes", 0);
    await engine.sql`select queen.consumer_group_forget(${queueId}, 'goes', false)`;
    await engine.age(queueId, 61);
    await runRetention(run(), new Map());
    expect(await partition(queueId, partitionId)).toMatchObject({ kept: 0 });
  });
});

describe("eviction", () => {
  const EVICTED = { max_wait_time_s: 60 };

  test("deletes what some group has not consumed in time", async () => {
    const { queue, queueId, partitionId } = await filled(4, EVICTED);
    await engine.cursorAt(queueId, partitionId, "fast", 8);
    await engine.cursorAt(queueId, partitionId, "slow", 3);
    await engine.age(queueId, 61);
    await engine.push(queue, "p", ["fresh"]);
    await runEviction(run(), new Map());
    expect(await partition(queueId, partitionId)).toMatchObject({ head: 9, tail: 8, kept: 1 });
  });

  test("deletes what nobody ever came for, and leaves what all consumed", async () => {
    const nobodys = await filled(3, EVICTED);
    const consumed = await filled(3, EVICTED);
    await engine.cursorAt(consumed.queueId, consumed.partitionId, "g", 6);
    await engine.age(nobodys.queueId, 61);
    await engine.age(consumed.queueId, 61);
    await runEviction(run(), new Map());
    expect(await partition(nobodys.queueId, nobodys.partitionId)).toMatchObject({ kept: 0 });
    expect(await partition(consumed.queueId, consumed.partitionId)).toMatchObject({ kept: 6 });
  });
});

describe("clean-up of partitions", () => {
  test("deletes empty ones that were long not pushed to, with their cursors, and no others", async () => {
    const queue = uniqueName("idle");
    const queueId = await engine.queue(queue);
    const full = await engine.push(queue, "full", ["f"]);
    const empty = await engine.push(queue, "empty", ["e"]);
    await engine.cursorAt(queueId, empty, "g", 1);
    await engine.sql`select queen.queue_clear(${queueId}, ${empty})`;
    await engine.age(queueId, 31 * 86_400);
    const recent = await engine.push(queue, "recent", ["r"]);
    await engine.sql`select queen.queue_clear(${queueId}, ${recent})`;
    let after = { queueId: 0, id: 0 };
    do after = await runCleanup(run(), after);
    while (after.queueId > 0);
    const rows = await engine.sql`select p.id from queen.partitions p where p.queue_id = ${queueId} order by p.id`;
    expect(rows.map((row) => row.id)).toEqual([full, recent]);
    expect(
      await engine.sql`select from queen.cursors where queue_id = ${queueId} and partition_id = ${empty}`,
    ).toHaveLength(0);
    expect(engine.changed).toContain(queue);
    const again = await engine.push(queue, "empty", ["e"]);
    expect(again).toBeGreaterThan(recent);
  });
});

describe("purge", () => {
  test("clears every table of a deleted queue, and forgets it a minute later", async () => {
    const { queue, queueId, partitionId } = await filled(3, {});
    await engine.cursorAt(queueId, partitionId, "g", 0);
    await messageDelete(engine.sql, { queueId, partitionId, offset: 0 });
    await engine.sql`select queen.message_dead_letter(${queueId}, ${partitionId}, 1, 'e')`;
    const kept = await filled(1, {});
    expect(await queueDelete(engine.sql, queue)).toBe(queueId);
    await runPurge(run());
    for (const table of PURGE_TABLES) {
      const rows = await engine.sql.unsafe(`select from queen.${table} where queue_id = ${queueId}`);
      expect([table, rows.length]).toEqual([table, 0]);
    }
    expect(await engine.sql`select from queen.purges where queue_id = ${queueId}`).toHaveLength(1);
    await engine.sql`update queen.purges set deleted_at = deleted_at - interval '2 minutes'`;
    await runPurge(run());
    expect(await engine.sql`select from queen.purges where queue_id = ${queueId}`).toHaveLength(0);
    expect(await partition(kept.queueId, kept.partitionId)).toMatchObject({ kept: 2 });
  });
});
