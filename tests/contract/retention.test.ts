import { describe, expect, test } from "bun:test";
import { type PushResult, payloads } from "../support/api.ts";
import { uniqueName } from "../support/names.ts";
import { useSharedServer } from "../support/shared.ts";
import { until, untilTime } from "../support/wait.ts";

const api = useSharedServer();

async function configured(options: object): Promise<string> {
  const queue = uniqueName("retention");
  await api.configure(queue, options);
  return queue;
}

/** Pushes one message to partition `p` in a request of its own, so that it can go on its own. */
async function pushOne(queue: string, payload: unknown): Promise<{ partitionId: string; transactionId: string }> {
  const [result]: PushResult[] = await api.push({ queue, partition: "p", payload });
  return { partitionId: result!.partition_id!, transactionId: result!.transaction_id };
}

async function exists(message: { partitionId: string; transactionId: string }): Promise<boolean> {
  return (await api.message(message)).error === undefined;
}

/** Waits until the message is gone. @returns How long after `since` it was first missed, in milliseconds. */
async function goneAfter(message: { partitionId: string; transactionId: string }, since: number): Promise<number> {
  await until(async () => !(await exists(message)), 15_000, "deletion");
  return Date.now() - since;
}

// The shared server runs its jobs twice a second; each limit below is the smallest that the wire can express.
describe.concurrent("retention and eviction", () => {
  test("retentionSeconds deletes messages of that age, consumed or not, and not before", async () => {
    const queue = await configured({ retentionEnabled: true, retentionSeconds: 2 });
    const since = Date.now();
    const consumed = await pushOne(queue, 1);
    await api.pop(queue, { autoAck: true });
    const unconsumed = await pushOne(queue, 2);
    expect(await goneAfter(unconsumed, since)).toBeGreaterThanOrEqual(2000);
    expect(await exists(consumed)).toBe(false);
    expect(await api.pop(queue, { batch: 10 })).toEqual([]);
  });

  test("the queue goes on after its messages were deleted", async () => {
    const queue = await configured({ retentionEnabled: true, retentionSeconds: 1 });
    await goneAfter(await pushOne(queue, "gone"), Date.now());
    await pushOne(queue, "fresh");
    expect(payloads(await api.pop(queue, { batch: 10 }))).toEqual(["fresh"]);
  });

  test("a deleted message no longer counts as a duplicate", async () => {
    const queue = await configured({ retentionEnabled: true, retentionSeconds: 1 });
    const message = await pushOne(queue, 1);
    await goneAfter(message, Date.now());
    const [again] = await api.push({ queue, partition: "p", transactionId: message.transactionId });
    expect(again!.status).toBe("queued");
  });

  test("completedRetentionSeconds deletes what every group has consumed, and nothing else", async () => {
    const queue = await configured({ retentionEnabled: true, completedRetentionSeconds: 1 });
    const messages = [await pushOne(queue, 1), await pushOne(queue, 2), await pushOne(queue, 3)];
    await api.pop(queue, { batch: 3, autoAck: true, consumerGroup: "fast" });
    expect(payloads(await api.pop(queue, { batch: 1, autoAck: true, consumerGroup: "slow" }))).toEqual([1]);
    const untouched = await configured({ retentionEnabled: true, completedRetentionSeconds: 1 });
    const nobodys = await pushOne(untouched, 1);
    await goneAfter(messages[0]!, Date.now());
    await untilTime(Date.now() + 1500);
    expect([await exists(messages[1]!), await exists(messages[2]!), await exists(nobodys)]).toEqual([true, true, true]);
    expect(payloads(await api.pop(queue, { batch: 10, autoAck: true, consumerGroup: "slow" }))).toEqual([2, 3]);
    await goneAfter(messages[2]!, Date.now());
  });

  test("without retentionEnabled nothing is deleted", async () => {
    const queue = await configured({ retentionSeconds: 1, completedRetentionSeconds: 1 });
    const message = await pushOne(queue, 1);
    await api.pop(queue, { autoAck: true });
    await untilTime(Date.now() + 2500);
    expect(await exists(message)).toBe(true);
  });

  test("maxWaitTimeSeconds evicts unconsumed messages without retentionEnabled, and no dead letter", async () => {
    const queue = await configured({ maxWaitTimeSeconds: 2 });
    const since = Date.now();
    const message = await pushOne(queue, 1);
    expect(await goneAfter(message, since)).toBeGreaterThanOrEqual(2000);
    expect(await api.pop(queue, { batch: 10 })).toEqual([]);
    expect(await api.deadLetters({ queue })).toEqual([]);
  });

  test("a hundred unconsumed messages of one push are evicted", async () => {
    const queue = await configured({ maxWaitTimeSeconds: 1 });
    const results = await api.pushAll(
      queue,
      "p",
      Array.from({ length: 100 }, (_, n) => n),
    );
    const last = results.at(-1)!;
    await goneAfter({ partitionId: last.partition_id!, transactionId: last.transaction_id }, Date.now());
    expect(await api.pop(queue, { batch: 100 })).toEqual([]);
  });

  test("ttl given hides older messages, and deletes them later", async () => {
    const queue = await configured({ ttl: 2 });
    const since = Date.now();
    const message = await pushOne(queue, "brief");
    const [early] = await api.pop(queue, { consumerGroup: "quick" });
    expect(early!.data).toBe("brief");
    await untilTime(Date.parse(early!.createdAt) + 2_010);
    expect(await api.pop(queue, { consumerGroup: "late" })).toEqual([]);
    await pushOne(queue, "next");
    expect(payloads(await api.pop(queue, { consumerGroup: "late", batch: 10 }))).toEqual(["next"]);
    expect(await goneAfter(message, since)).toBeGreaterThanOrEqual(2000);
  });

  test("an eviction under a lease leaves the partition usable", async () => {
    const queue = await configured({ maxWaitTimeSeconds: 1, leaseTime: 2 });
    const message = await pushOne(queue, 1);
    expect(await api.pop(queue)).toHaveLength(1);
    await until(async () => !(await exists(message)) || (await api.pop(queue)).length > 0, 15_000);
    await pushOne(queue, "next");
    const popped = await until(async () => {
      const messages = await api.pop(queue, { batch: 10 });
      return messages.some((one) => one.data === "next") && messages;
    }, 10_000);
    expect(payloads(popped).at(-1)).toBe("next");
  });
});
