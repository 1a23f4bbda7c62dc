import { describe, expect, test } from "bun:test";
import { locateMessages } from "../../../workers/engine/find-message.ts";
import { messageDelete } from "../../../workers/storage/messages.ts";
import { uniqueName, uuidV7 } from "../../support/names.ts";
import { useEngine } from "../support/engine.ts";

const engine = useEngine();

/** Offsets that are found, by the ids asked for. */
async function locate(queueId: number, partitionId: number, ids: string[]): Promise<(number | null)[]> {
  return locateMessages(engine.context, engine.sql, { queueId, partitionId }, ids);
}

describe("locateMessages()", () => {
  test("finds ids of every kind, in the order asked for, repeats included", async () => {
    const queue = uniqueName("find");
    const queueId = await engine.queue(queue);
    const ids = [uuidV7(), "free text", crypto.randomUUID(), uuidV7(), uuidV7().toUpperCase(), "日本 😀"];
    const partitionId = await engine.push(queue, "p", ids);
    expect(await locate(queueId, partitionId, ids)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(await locate(queueId, partitionId, [ids[5]!, "nobody", ids[0]!, uuidV7(), ids[0]!])).toEqual([
      5,
      null,
      0,
      null,
      0,
    ]);
  });

  test("finds thousands of ids over many segments in one call", async () => {
    const queue = uniqueName("find");
    const queueId = await engine.queue(queue);
    const now = Date.now();
    const ids = Array.from({ length: 5_000 }, (_, n) => (n % 10 === 0 ? `text ${n}` : uuidV7(now + n)));
    let partitionId = 0;
    for (let at = 0; at < ids.length; at += 500) partitionId = await engine.push(queue, "p", ids.slice(at, at + 500));
    const shuffled = ids.map((id, offset) => ({ id, offset })).sort((a, b) => (a.id < b.id ? 1 : -1));
    const found = await locate(
      queueId,
      partitionId,
      shuffled.map(({ id }) => id),
    );
    expect(found).toEqual(shuffled.map(({ offset }) => offset));
  });

  test.each([
    ["a v7 id", () => uuidV7()],
    ["free text", () => uniqueName("id")],
  ])("does not find %s that was deleted, and finds it where it was used again", async (_what, newId) => {
    const queue = uniqueName("find");
    const queueId = await engine.queue(queue);
    const id = newId();
    const partitionId = await engine.push(queue, "p", [id, "neighbour"]);
    expect(await messageDelete(engine.sql, { queueId, partitionId, offset: 0 })).toBe(true);
    expect(await locate(queueId, partitionId, [id, "neighbour"])).toEqual([null, 1]);
    await engine.push(queue, "p", [id]);
    expect(await locate(queueId, partitionId, [id])).toEqual([2]);
  });

  test("finds nothing in another partition, in an unknown one, and in one of a deleted queue", async () => {
    const queue = uniqueName("find");
    const queueId = await engine.queue(queue);
    const id = uuidV7();
    const partitionId = await engine.push(queue, "p", [id]);
    const other = await engine.push(queue, "q", [uuidV7()]);
    expect(await locate(queueId, other, [id])).toEqual([null]);
    expect(await locate(queueId, 999_999, [id])).toEqual([null]);
    expect(await locate(999_999, partitionId, [id])).toEqual([null]);
    await engine.sql`select queen.queue_delete(${queue})`;
    engine.context.queueChanged(queue);
    expect(await locate(queueId, partitionId, [id])).toEqual([null]);
  });

  test("answers nothing to nothing", async () => {
    expect(await locate(1, 1, [])).toEqual([]);
  });
});
