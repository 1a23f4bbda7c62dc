import { describe, expect, test } from "bun:test";
import { TIME_MS, uniqueName, uuidV7 } from "../../support/names.ts";
import { OCTOBER, OctoberApi } from "../../support/october.ts";
import { useSharedServer } from "../../support/shared.ts";

const api = useSharedServer();
const october = new OctoberApi(api.http);

function path(transactionId: string, what = ""): string {
  return `${OCTOBER}/api/v1/messages/${encodeURIComponent(transactionId)}${what}`;
}

/** A queue that dead-letters, with messages of one partition. */
async function filled(count: number, options: object = {}): Promise<{ queue: string; ids: string[] }> {
  const queue = uniqueName("oct");
  await october.configure(queue, options, { namespace: "n" });
  const ids = Array.from({ length: count }, (_, n) => (n % 2 === 0 ? uuidV7() : `${queue}/${n}`));
  await october.push(...ids.map((transactionId, payload) => ({ queue, payload, transactionId })));
  return { queue, ids };
}

describe("a message by its transaction id alone", () => {
  test("is shown with its payload, its status in queue mode, and that in every group", async () => {
    const { queue, ids } = await filled(1, { priority: 3 });
    const [id] = ids;
    expect(await october.message(id!)).toEqual({
      id: expect.any(String),
      transactionId: id,
      traceId: null,
      queuePath: `${queue}/Default`,
      queue,
      partition: "Default",
      namespace: "n",
      task: null,
      payload: 0,
      isEncrypted: false,
      status: "pending",
      workerId: null,
      createdAt: expect.stringMatching(TIME_MS),
      lockedAt: null,
      completedAt: null,
      failedAt: null,
      errorMessage: null,
      retryCount: 0,
      leaseExpiresAt: null,
      consumerGroups: [],
      queueConfig: { leaseTime: 300, retryLimit: 3, retryDelay: 1000, ttl: 3600, priority: 3 },
    });
    await october.popQueue(queue);
    expect(await october.message(id!)).toMatchObject({
      status: "processing",
      leaseExpiresAt: expect.stringMatching(TIME_MS),
    });
    await october.popQueue(queue, { consumerGroup: "g" });
    await october.ack(id!, "failed", { error: "bad" });
    await october.ack(id!, "completed", { consumerGroup: "g" });
    const after = await october.message(id!);
    expect(after).toMatchObject({
      status: "failed",
      retryCount: 1,
      errorMessage: "bad",
      failedAt: expect.stringMatching(TIME_MS),
    });
    expect(after.consumerGroups).toEqual([
      { consumerGroup: null, status: "failed", retryCount: 1, errorMessage: "bad" },
      { consumerGroup: "g", status: "completed", retryCount: 0, errorMessage: null },
    ]);
  });

  test("pushed by another dialect is found by a search", async () => {
    const queue = uniqueName("oct");
    const ids = [uuidV7(), `text ${queue}`];
    await api.push(...ids.map((transactionId, payload) => ({ queue, payload, transactionId })));
    for (const [payload, id] of ids.entries()) {
      expect(await october.message(id)).toMatchObject({ transactionId: id, queue, payload, status: "pending" });
    }
  });

  test.each(["", "/related"])("that does not exist is 404 (GET%s)", async (what) => {
    for (const id of [uuidV7(), "no such text", "00000000-0000-7000-8000-000000000000"]) {
      const answer = await api.http.get(path(id, what));
      expect([answer.status, answer.json]).toEqual([404, { error: "Message not found" }]);
    }
  });

  test("that does not exist cannot be deleted, retried or moved", async () => {
    const id = uuidV7();
    const answers = [
      await api.http.del(path(id)),
      await api.http.postRaw(path(id, "/retry")),
      await api.http.postRaw(path(id, "/dlq")),
    ];
    expect(answers.map(({ status }) => status)).toEqual([404, 404, 404]);
  });

  test("is deleted once, and its neighbours stay", async () => {
    const { queue, ids } = await filled(3);
    expect((await api.http.del(path(ids[1]!))).json).toEqual({ deleted: true, transactionId: ids[1] });
    expect((await api.http.del(path(ids[1]!))).status).toBe(404);
    expect((await api.http.get(path(ids[1]!))).status).toBe(404);
    expect((await october.popQueue(queue, { batch: 9 })).map((m) => m.data)).toEqual([0, 2]);
    expect(await october.ack(ids[1]!)).toMatchObject({ status: "not_found" });
  });

  test("is related to up to ten of its partition, the nearest first", async () => {
    const { queue, ids } = await filled(15);
    await october.popQueue(queue, { batch: 7 });
    await october.ack(ids[6]!);
    const { messages } = await october.read(`/messages/${ids[8]}/related`);
    expect(messages).toHaveLength(10);
    const near = new Set(messages.slice(0, 4).map((m: { payload: number }) => m.payload));
    expect(near).toEqual(new Set([6, 7, 9, 10]));
    expect(messages.find((m: { payload: number }) => m.payload === 6)).toEqual({
      transactionId: ids[6],
      status: "completed",
      createdAt: expect.stringMatching(TIME_MS),
      payload: 6,
    });
  });

  test("goes from failed to dead letter and back by request, and from nothing else", async () => {
    const { queue, ids } = await filled(1);
    const [id] = ids;
    expect((await api.http.postRaw(path(id!, "/retry"))).status).toBe(409);
    expect((await api.http.postRaw(path(id!, "/dlq"))).json).toEqual({ error: "Message is not failed" });
    await october.popQueue(queue);
    await october.popQueue(queue, { consumerGroup: "g" });
    await october.ack(id!, "failed", { error: "bad" });
    const moved = await api.http.postRaw(path(id!, "/dlq"));
    expect([moved.status, moved.json]).toEqual([200, { movedToDLQ: true, transactionId: id }]);
    const { status, consumerGroups } = await october.message(id!);
    expect(status).toBe("dead_letter");
    // The group for which it did not fail keeps it.
    expect(consumerGroups[1]).toMatchObject({ consumerGroup: "g", status: "processing" });
    expect(await october.popQueue(queue)).toEqual([]);
    const retried = await api.http.postRaw(path(id!, "/retry"));
    expect([retried.status, retried.json]).toEqual([200, { retried: true, transactionId: id }]);
    expect(await october.popQueue(queue)).toMatchObject([{ transactionId: id }]);
  });
});

describe("what is noted by transaction id", () => {
  test("is not a way to messages that a clear took away, nor to those of a queue that was made again", async () => {
    const { queue, ids } = await filled(2);
    await api.http.del(`${OCTOBER}/api/v1/queues/${queue}/clear`);
    expect((await api.http.get(path(ids[0]!))).status).toBe(404);
    expect(await october.ack(ids[0]!)).toMatchObject({ status: "not_found" });
    await api.http.del(`${OCTOBER}/api/v1/resources/queues/${queue}`);
    await october.configure(queue);
    await october.push({ queue, payload: "new", transactionId: ids[0] });
    expect(await october.message(ids[0]!)).toMatchObject({ payload: "new" });
  });
});
