import { describe, expect, test } from "bun:test";
import { leasedAckOf, type Popped, payloads } from "../support/api.ts";
import { uniqueName } from "../support/names.ts";
import { useSharedServer } from "../support/shared.ts";
import { until, untilTime } from "../support/wait.ts";

const api = useSharedServer();

async function configured(options: object): Promise<string> {
  const queue = uniqueName("option");
  await api.configure(queue, options);
  return queue;
}

/** Polls without waiting on the server until something is delivered. */
function appears(queue: string, batch = 10): Promise<{ messages: Popped[]; at: number }> {
  return until(async () => {
    const messages = await api.pop(queue, { batch, partitions: 10 });
    return messages.length > 0 && { messages, at: Date.now() };
  }, 10_000);
}

const LONG = { wait: true, timeout: 10_000, batch: 10 };

// The delays of these tests are the feature; they run side by side so as not to add up.
describe.concurrent("options that hold messages back", () => {
  test("delayedProcessing hides a message until it is that old", async () => {
    const queue = await configured({ delayedProcessing: 2 });
    await api.push({ queue, payload: 1 });
    const { messages, at } = await appears(queue);
    expect(at - Date.parse(messages[0]!.createdAt)).toBeGreaterThanOrEqual(2000);
    expect(at - Date.parse(messages[0]!.createdAt)).toBeLessThan(5000);
  });

  test("delayedProcessing holds for a parked pop, which gets the message when it is due", async () => {
    const queue = await configured({ delayedProcessing: 2 });
    await api.push({ queue, payload: 1 });
    const [message] = await api.pop(queue, LONG);
    expect(Date.now() - Date.parse(message!.createdAt)).toBeGreaterThanOrEqual(2000);
    expect(Date.now() - Date.parse(message!.createdAt)).toBeLessThan(5000);
  });

  test("delayedProcessing counts for each message: an older one does not drag a younger one along", async () => {
    const queue = await configured({ delayedProcessing: 2 });
    await api.push({ queue, payload: "old" });
    await untilTime(Date.now() + 1000);
    await api.push({ queue, payload: "young" });
    const first = await appears(queue);
    expect(payloads(first.messages)).toEqual(["old"]);
    for (const message of first.messages) await api.ack(leasedAckOf(message));
    const second = await appears(queue);
    expect(payloads(second.messages)).toEqual(["young"]);
    expect(second.at - Date.parse(second.messages[0]!.createdAt)).toBeGreaterThanOrEqual(2000);
  });

  test("windowBuffer hides a partition until its newest message is that old, then gives all", async () => {
    const queue = await configured({ windowBuffer: 2 });
    await api.push({ queue, payload: 1 });
    await untilTime(Date.now() + 1000);
    await api.push({ queue, payload: 2 });
    const { messages, at } = await appears(queue);
    expect(payloads(messages)).toEqual([1, 2]);
    expect(at - Date.parse(messages[1]!.createdAt)).toBeGreaterThanOrEqual(2000);
  });

  test("windowBuffer is per partition", async () => {
    const queue = await configured({ windowBuffer: 2 });
    await api.push({ queue, partition: "quiet", payload: "quiet" });
    await untilTime(Date.now() + 1000);
    await api.push({ queue, partition: "busy", payload: "busy" });
    expect(payloads((await appears(queue)).messages)).toEqual(["quiet"]);
  });

  test("windowBuffer holds for a parked pop of the partition", async () => {
    const queue = await configured({ windowBuffer: 2 });
    await api.push({ queue, partition: "p", payload: 1 });
    const [message] = await api.popPartition(queue, "p", LONG);
    expect(Date.now() - Date.parse(message!.createdAt)).toBeGreaterThanOrEqual(2000);
  });

  test("retryDelay delays the redelivery of a failed message, and its partition with it", async () => {
    const queue = await configured({ retryDelay: 1500 });
    await api.pushAll(queue, "p", ["bad", "behind"]);
    const [bad] = await api.pop(queue);
    const failedAt = Date.now();
    await api.ack(leasedAckOf(bad!, "failed"));
    const { messages, at } = await appears(queue);
    expect(payloads(messages)).toEqual(["bad", "behind"]);
    expect(at - failedAt).toBeGreaterThanOrEqual(1500);
    expect(at - failedAt).toBeLessThan(5000);
  });

  test("retryDelay wakes a parked pop when it is over", async () => {
    const queue = await configured({ retryDelay: 1500 });
    await api.pushAll(queue, "p", [1]);
    const [message] = await api.pop(queue);
    const failedAt = Date.now();
    await api.ack(leasedAckOf(message!, "failed"));
    expect(payloads(await api.pop(queue, LONG))).toEqual([1]);
    expect(Date.now() - failedAt).toBeGreaterThanOrEqual(1500);
    expect(Date.now() - failedAt).toBeLessThan(5000);
  });

  test("retryDelay does not touch other partitions, nor the status retry", async () => {
    const queue = await configured({ retryDelay: 60_000 });
    await api.push({ queue, partition: "a", payload: "a" }, { queue, partition: "b", payload: "b" });
    const [a] = await api.popPartition(queue, "a");
    await api.ack(leasedAckOf(a!, "failed"));
    const [b] = await api.pop(queue);
    expect(b!.data).toBe("b");
    await api.ack(leasedAckOf(b!, "retry"));
    expect(payloads(await api.pop(queue))).toEqual(["b"]);
  });

  test("without retryDelay a failed message is back at once, although the default reads 1000", async () => {
    const queue = await configured({});
    await api.pushAll(queue, "p", [1]);
    const [message] = await api.pop(queue);
    const failedAt = Date.now();
    await api.ack(leasedAckOf(message!, "failed"));
    expect(await api.pop(queue)).toHaveLength(1);
    expect(Date.now() - failedAt).toBeLessThan(1000);
  });

  test("leaseTime is how long a partition stays hidden", async () => {
    const queue = await configured({ leaseTime: 2 });
    await api.pushAll(queue, "p", [1]);
    const before = Date.now();
    await api.pop(queue);
    const { at } = await appears(queue);
    expect(at - before).toBeGreaterThanOrEqual(2000);
    expect(at - before).toBeLessThan(5000);
  });

  test("leaseTime 0 is a minute, not nothing", async () => {
    const queue = await configured({ leaseTime: 0 });
    await api.pushAll(queue, "p", [1]);
    const [message] = await api.pop(queue);
    expect(await api.pop(queue)).toEqual([]);
    const { json } = await api.http.post(`/api/v1/lease/${message!.leaseId}/extend`, { seconds: 1 });
    const left = Date.parse(json.newExpiresAt) - Date.now();
    expect(left).toBeGreaterThan(50_000);
    expect(left).toBeLessThanOrEqual(60_000);
  });
});

describe("maxSize", () => {
  test("refuses what is beyond it, item by item, naming queue, depth and limit", async () => {
    const queue = await configured({ maxSize: 3 });
    const other = uniqueName("option");
    const answer = await api.http.post("/api/v1/push", {
      items: [1, 2, 3, 4, 5]
        .map((n) => ({ queue, payload: n, transactionId: `t${n}` }))
        .concat({ queue: other, payload: 6, transactionId: "t6" }),
    });
    expect(answer.status).toBe(201);
    expect(answer.json.map((result: { status: string }) => result.status)).toEqual([
      "queued",
      "queued",
      "queued",
      "failed",
      "failed",
      "queued",
    ]);
    expect(answer.json[3].index).toBe(3);
    expect(answer.json[3].error).toContain(queue);
    expect(answer.json[3].error.replace(queue, "")).toMatch(/\b3\b.*\b3\b/);
    expect(payloads(await api.pop(queue, { batch: 10 }))).toEqual([1, 2, 3]);
  });

  test("counts what earlier requests stored, over all partitions", async () => {
    const queue = await configured({ maxSize: 2 });
    await api.push({ queue, partition: "a" }, { queue, partition: "b" });
    const [refused] = await api.push({ queue, partition: "c" });
    expect(refused).toMatchObject({ status: "failed" });
  });

  test("answers a duplicate as duplicate although the queue is full", async () => {
    const queue = await configured({ maxSize: 1 });
    await api.push({ queue, transactionId: "t" });
    const [again] = await api.push({ queue, transactionId: "t" });
    expect(again!.status).toBe("duplicate");
  });

  test("0 is no limit", async () => {
    const queue = await configured({ maxSize: 0 });
    const results = await api.push(...Array.from({ length: 50 }, () => ({ queue })));
    expect(results.every((result) => result.status === "queued")).toBe(true);
  });

  test("makes room again when it is raised", async () => {
    const queue = await configured({ maxSize: 1 });
    await api.push({ queue });
    expect((await api.push({ queue }))[0]!.status).toBe("failed");
    await api.configure(queue, { maxSize: 2 });
    expect((await api.push({ queue }))[0]!.status).toBe("queued");
  });

  test("holds against concurrent pushes", async () => {
    const queue = await configured({ maxSize: 10 });
    const pushes = Array.from({ length: 30 }, (_, n) => api.push({ queue, partition: `p${n % 3}`, payload: n }));
    const results = (await Promise.all(pushes)).flat();
    expect(results.filter((result) => result.status === "queued")).toHaveLength(10);
    expect(results.filter((result) => result.status === "failed")).toHaveLength(20);
  });
});
