import { describe, expect, test } from "bun:test";
import { TIME_MS, uniqueName } from "../../support/names.ts";
import { OCTOBER, OctoberApi } from "../../support/october.ts";
import { useSharedServer } from "../../support/shared.ts";
import { untilTime } from "../../support/wait.ts";

const api = useSharedServer();
const october = new OctoberApi(api.http);

/** Makes a queue with messages of these payloads in one partition, by transaction ids of their own. */
async function filled(payloads: unknown[], options: object = {}): Promise<{ queue: string; ids: string[] }> {
  const queue = uniqueName("oct");
  await october.configure(queue, options);
  const ids = payloads.map((_, n) => `${queue} ${n}`);
  await october.push(...payloads.map((payload, n) => ({ queue, payload, transactionId: ids[n] })));
  return { queue, ids };
}

describe("acknowledging by transaction id alone", () => {
  test("answers what became of the message, and releases the lease with the last of the batch, in any order", async () => {
    const { queue, ids } = await filled([1, 2, 3, 4]);
    await october.popQueue(queue, { batch: 3 });
    expect(await october.ack(ids[2]!)).toEqual({
      transactionId: ids[2],
      status: "completed",
      consumerGroup: null,
      acknowledgedAt: expect.stringMatching(TIME_MS),
    });
    await october.ack(ids[0]!);
    // Twice counts once.
    await october.ack(ids[0]!);
    expect(await october.popQueue(queue, { batch: 9 })).toEqual([]);
    await october.ack(ids[1]!);
    expect((await october.popQueue(queue, { batch: 9 })).map((m) => m.data)).toEqual([4]);
  });

  test("in one group changes nothing for another or for queue mode", async () => {
    const { queue, ids } = await filled([1]);
    for (const consumerGroup of ["a", "b"]) {
      expect(await october.popQueue(queue, { consumerGroup })).toHaveLength(1);
    }
    expect(await october.ack(ids[0]!, "completed", { consumerGroup: "a" })).toMatchObject({ consumerGroup: "a" });
    expect(await october.popQueue(queue)).toHaveLength(1);
    await october.ack(ids[0]!, "failed", { consumerGroup: "b" });
    expect(await october.popQueue(queue, { consumerGroup: "a" })).toEqual([]);
    expect(await october.popQueue(queue, { consumerGroup: "b" })).toMatchObject([{ retryCount: 1 }]);
  });

  test.each([
    ["a status that is none", { transactionId: "x", status: "retry" }, "status must be 'completed' or 'failed'"],
    ["no status", { transactionId: "x" }, "status must be 'completed' or 'failed'"],
    ["no transaction id", { status: "completed" }, "transactionId is required"],
  ])("with %s is refused", async (_what, body, error) => {
    const single = await api.http.post(`${OCTOBER}/api/v1/ack`, body);
    expect([single.status, single.json]).toEqual([400, { error }]);
    const batch = await api.http.post(`${OCTOBER}/api/v1/ack/batch`, { acknowledgments: [body] });
    expect(batch.status).toBe(400);
  });

  test("of an unknown message is not_found, and no error", async () => {
    expect(await october.ack(uniqueName("nothing"))).toMatchObject({ status: "not_found" });
    expect(await october.ack(crypto.randomUUID(), "failed")).toMatchObject({ status: "not_found" });
  });

  test("in a batch gives one result an item, in order, over partitions and queues", async () => {
    const [one, two] = [await filled([1, 2]), await filled([3])];
    await october.popQueue(one.queue, { batch: 2 });
    await october.popQueue(two.queue);
    const answer = await october.ackBatch([
      { transactionId: two.ids[0], status: "completed" },
      { transactionId: "no such message", status: "completed" },
      { transactionId: one.ids[1], status: "failed", error: "e" },
      { transactionId: one.ids[0], status: "completed" },
    ]);
    expect(answer).toEqual({
      processed: 4,
      results: [
        { transactionId: two.ids[0], status: "completed" },
        { transactionId: "no such message", status: "not_found" },
        { transactionId: one.ids[1], status: "failed" },
        { transactionId: one.ids[0], status: "completed" },
      ],
    });
    expect(await october.popQueue(one.queue, { batch: 9 })).toMatchObject([{ data: 2, retryCount: 1 }]);
    expect(await october.ackBatch([])).toEqual({ processed: 0, results: [] });
  });

  test("of 10,000 messages works in one request", async () => {
    const queue = uniqueName("oct");
    await october.configure(queue);
    const items = Array.from({ length: 10_000 }, (_, payload) => ({ queue, payload }));
    await october.push(...items);
    const popped = await october.popQueue(queue, { batch: 10_000 });
    expect(popped).toHaveLength(10_000);
    const { processed, results } = await october.ackBatch(
      popped.map(({ transactionId }) => ({ transactionId, status: "completed" })),
    );
    expect(processed).toBe(10_000);
    expect(results.every((row: { status: string }) => row.status === "completed")).toBe(true);
    await october.push({ queue, payload: "next" });
    expect((await october.popQueue(queue)).map((m) => m.data)).toEqual(["next"]);
  });

  test("prefers the partition that the group has leased when an id stands in several", async () => {
    const queue = uniqueName("oct");
    await october.configure(queue);
    const transactionId = `same ${queue}`;
    await october.push({ queue, partition: "a", transactionId }, { queue, partition: "b", transactionId });
    expect(await october.pop(`/queue/${queue}/partition/a`)).toHaveLength(1);
    await october.ack(transactionId);
    expect(await october.pop(`/queue/${queue}/partition/a`)).toEqual([]);
    const left = await october.popQueue(queue);
    expect(left.map((m) => m.partition)).toEqual(["b"]);
  });
});

describe("failing", () => {
  test("does not end the lease by itself; the batch does once it is answered, and only what failed comes again", async () => {
    const { queue, ids } = await filled([1, 2, 3]);
    await october.popQueue(queue, { batch: 3 });
    expect(await october.ack(ids[1]!, "failed", { error: "no" })).toMatchObject({ status: "failed" });
    expect(await october.popQueue(queue, { batch: 3 })).toEqual([]);
    await october.ack(ids[0]!);
    // Said again under the same lease it counts once.
    await october.ack(ids[1]!, "failed", { error: "still no" });
    await october.ack(ids[2]!);
    const again = await october.popQueue(queue, { batch: 3 });
    expect(again).toMatchObject([{ data: 2, retryCount: 1, transactionId: ids[1] }]);
  });

  test("is repeated for ever without dlqAfterMaxRetries", async () => {
    const { queue, ids } = await filled([1], { retryLimit: 1 });
    for (let round = 0; round < 4; round += 1) {
      expect(await october.popQueue(queue)).toMatchObject([{ retryCount: round }]);
      expect(await october.ack(ids[0]!, "failed")).toMatchObject({ status: "failed" });
    }
    expect(await api.deadLetters({ queue })).toEqual([]);
  });

  test("with dlqAfterMaxRetries ends as a dead letter after retryLimit + 1 deliveries", async () => {
    const { queue, ids } = await filled([1, 2], { retryLimit: 2, dlqAfterMaxRetries: true });
    for (let round = 0; round < 2; round += 1) {
      await october.popQueue(queue);
      expect(await october.ack(ids[0]!, "failed", { error: "why" })).toMatchObject({ status: "failed" });
    }
    await october.popQueue(queue);
    expect(await october.ack(ids[0]!, "failed", { error: "why" })).toMatchObject({ status: "dead_letter" });
    // Counted towards its batch: the partition is free at once.
    expect((await october.popQueue(queue)).map((m) => m.data)).toEqual([2]);
    expect(await api.deadLetters({ queue })).toMatchObject([{ transactionId: ids[0], errorMessage: "why" }]);
    expect(await october.ack(ids[0]!)).toMatchObject({ status: "dead_letter" });
  });

  test("with a retryLimit of 0 and dlqAfterMaxRetries is a dead letter at once", async () => {
    const { queue, ids } = await filled([1], { retryLimit: 0, dlqAfterMaxRetries: true });
    await october.popQueue(queue);
    expect(await october.ack(ids[0]!, "failed")).toMatchObject({ status: "dead_letter" });
  });

  test("waits for an explicit retryDelay", async () => {
    const { queue, ids } = await filled([1], { retryDelay: 1_500 });
    await october.popQueue(queue);
    const failedAt = Date.now();
    await october.ack(ids[0]!, "failed");
    expect(await october.popQueue(queue)).toEqual([]);
    const again = await october.popQueue(queue, { wait: true, timeout: 10_000 });
    expect(again).toMatchObject([{ retryCount: 1 }]);
    expect(Date.now() - failedAt).toBeGreaterThan(1_300);
  });
});

describe("a lease that expires", () => {
  test("brings back what was not acknowledged, and nothing that was", async () => {
    const { queue, ids } = await filled([1, 2, 3], { leaseTime: 1 });
    await october.popQueue(queue, { batch: 3 });
    const poppedAt = Date.now();
    await october.ack(ids[1]!);
    await untilTime(poppedAt + 1_200);
    const again = await october.popQueue(queue, { batch: 3 });
    expect(again.map((m) => [m.data, m.retryCount])).toEqual([
      [1, 0],
      [3, 0],
    ]);
  });

  test("cannot fail any more: only a lease that is held can", async () => {
    const { queue, ids } = await filled([1], { leaseTime: 1, retryLimit: 0, dlqAfterMaxRetries: true });
    await october.ack(ids[0]!, "failed");
    await october.popQueue(queue);
    await untilTime(Date.now() + 1_100);
    expect(await october.ack(ids[0]!, "failed")).toMatchObject({ status: "failed" });
    expect(await october.popQueue(queue)).toMatchObject([{ retryCount: 0 }]);
    expect(await october.ack(ids[0]!, "failed")).toMatchObject({ status: "dead_letter" });
  });

  test("is not answered for by a late acknowledgement, which does not free the next holder's either", async () => {
    const { queue, ids } = await filled([1, 2], { leaseTime: 1 });
    await october.popQueue(queue);
    await untilTime(Date.now() + 1_100);
    await october.configure(queue, { leaseTime: 60 });
    expect(await october.popQueue(queue, { batch: 2 })).toHaveLength(2);
    expect(await october.ack(ids[0]!)).toMatchObject({ status: "completed" });
    expect(await october.popQueue(queue)).toEqual([]);
    await october.ack(ids[1]!);
    await october.push({ queue, payload: 3 });
    expect((await october.popQueue(queue)).map((m) => m.data)).toEqual([3]);
  });
});
