import { describe, expect, test } from "bun:test";
import { queueClear, queueDelete } from "../../../workers/engine/queue-admin.ts";
import { queueClearStep } from "../../../workers/storage/queue-admin.ts";
import { uniqueName } from "../../support/names.ts";
import { useEngine } from "../support/engine.ts";

const engine = useEngine();

async function leased(queueId: number): Promise<void> {
  await engine.sql`
    update queen.cursors set lease_id = gen_random_uuid(), lease_expires_at = now() + interval '1 hour', lease_first = next_offset,
      lease_end = next_offset + 1, ready_at = now() + interval '1 hour', resolved = '{[3,4)}' where queue_id = ${queueId}`;
}

async function cursors(queueId: number) {
  const rows = await engine.sql`
    select p.name, c.next_offset, c.ready_at::text, c.lease_id, c.resolved from queen.cursors c
    join queen.partitions p on p.queue_id = c.queue_id and p.id = c.partition_id
    where c.queue_id = ${queueId} order by p.name`;
  return rows.map((row) => ({ ...row }));
}

const drained = (name: string, next_offset: number) => ({
  name,
  next_offset,
  ready_at: "infinity",
  lease_id: null,
  resolved: null,
});

describe("queueClear()", () => {
  test("takes the leases and puts every cursor to the head", async () => {
    const queue = uniqueName("clear");
    const queueId = await engine.queue(queue);
    const a = await engine.push(queue, "a", ["1", "2", "3", "4", "5"]);
    const b = await engine.push(queue, "b", ["1"]);
    await engine.cursorAt(queueId, a, "g", 1);
    await engine.cursorAt(queueId, b, "g", 0);
    await leased(queueId);
    const answer = await queueClear(engine.context, { queue, partition: "a" });
    expect(answer.value).toEqual({ cleared: true, count: 5, queue, partition: "a" });
    expect((await cursors(queueId))[0]).toEqual(drained("a", 5));
    expect((await cursors(queueId))[1]!.lease_id).not.toBeNull();
    expect((await queueClear(engine.context, { queue, partition: null })).value).toMatchObject({ count: 1 });
    expect(await cursors(queueId)).toEqual([drained("a", 5), drained("b", 1)]);
  });

  test("in steps takes what was there before, oldest first, and leaves what came later", async () => {
    const queue = uniqueName("clear");
    const queueId = await engine.queue(queue);
    for (let n = 0; n < 5; n += 1) await engine.push(queue, `p${n % 2}`, [`t${n}`]);
    const [row] = await engine.sql`select max(created_at) as last from queen.segments where queue_id = ${queueId}`;
    const step = () => queueClearStep(engine.sql, { queueId, before: row!.last, segmentsMax: 3 });
    expect(await step()).toEqual({ segments: 3, messages: 3 });
    expect(await step()).toEqual({ segments: 1, messages: 1 });
    expect(await step()).toEqual({ segments: 0, messages: 0 });
    expect((await queueClear(engine.context, { queue, partition: null })).value).toMatchObject({ count: 1 });
  });

  test("of an unknown queue or partition does nothing", async () => {
    const queue = uniqueName("clear");
    expect((await queueClear(engine.context, { queue, partition: null })).value).toMatchObject({ count: 0 });
    await engine.queue(queue);
    expect((await queueClear(engine.context, { queue, partition: "no" })).value).toMatchObject({ count: 0 });
  });
});

describe("queueDelete()", () => {
  test("leaves nothing of a small queue, and no group", async () => {
    const queue = uniqueName("delete");
    const queueId = await engine.queue(queue);
    const partitionId = await engine.push(queue, "p", ["a", "b"]);
    await engine.cursorAt(queueId, partitionId, "g", 0);
    expect((await queueDelete(engine.context, { queue })).value).toEqual({ deleted: true, queue, existed: true });
    for (const table of ["cursors", "consumer_groups", "segments", "partitions", "transaction_keys"]) {
      const rows = await engine.sql.unsafe(`select from queen.${table} where queue_id = ${queueId}`);
      expect([table, rows.length]).toEqual([table, 0]);
    }
    expect((await queueDelete(engine.context, { queue })).value).toEqual({ deleted: true, queue, existed: false });
  });
});
