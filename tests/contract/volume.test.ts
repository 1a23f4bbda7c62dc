import { describe, expect, test } from "bun:test";
import { leasedAckOf, type Popped, payloads } from "../support/api.ts";
import { uniqueName } from "../support/names.ts";
import { useSharedServer } from "../support/shared.ts";

const api = useSharedServer();
const numbers = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

describe("large requests", () => {
  test("20,000 messages of one request are delivered in one answer, in order, and acked in one request", async () => {
    const queue = uniqueName("volume");
    const results = await api.pushAll(queue, "p", numbers(20_000));
    expect(results.every((result, at) => result.status === "queued" && result.index === at)).toBe(true);
    const popped = await api.pop(queue, { batch: 20_000 });
    expect(Bun.deepEquals(payloads(popped), numbers(20_000))).toBe(true);
    expect(popped.every((message, at) => message.id === results[at]!.message_id)).toBe(true);
    const acked = await api.ackBatch(popped.map((message) => leasedAckOf(message)));
    expect(acked.filter((result) => !result.success)).toEqual([]);
    expect(acked.at(-1)!.leaseReleased).toBe(true);
    expect(await api.pop(queue)).toEqual([]);
  });

  test("5,000 messages pushed twice are duplicates of those of the first push", async () => {
    const queue = uniqueName("volume");
    const first = await api.pushAll(queue, "p", numbers(5_000));
    const second = await api.pushAll(queue, "p", numbers(5_000));
    expect(second.filter((result) => result.status !== "duplicate")).toEqual([]);
    expect(second.every((result, at) => result.message_id === first[at]!.message_id)).toBe(true);
  });

  test("one request to 1,000 partitions, popped 1,000 partitions at once", async () => {
    const queue = uniqueName("volume");
    await api.push(...numbers(3000).map((n) => ({ queue, partition: `p${n % 1000}`, payload: n })));
    const popped = await api.pop(queue, { batch: 10_000, partitions: 1000 });
    expect(popped).toHaveLength(3000);
    const byPartition = Map.groupBy(popped, (message) => message.partition);
    expect(byPartition.size).toBe(1000);
    for (const [name, messages] of byPartition) {
      const n = Number(name.slice(1));
      expect(payloads(messages)).toEqual([n, n + 1000, n + 2000]);
    }
    const acked = await api.ackBatch(popped.map((message) => leasedAckOf(message)));
    expect(acked.filter((result) => !result.success)).toEqual([]);
    expect(await api.pop(queue, { batch: 10_000, partitions: 1000 })).toEqual([]);
  });

  test("a batch over many small pushes in both encodings is whole and in order", async () => {
    const queue = uniqueName("volume");
    for (const n of numbers(100)) {
      const items = [{ queue, partition: "p", payload: n }];
      await (n % 3 === 0 ? api.http.postCbor("/api/v1/push", { items }) : api.http.post("/api/v1/push", { items }));
    }
    expect(payloads(await api.pop(queue, { batch: 7, autoAck: true }))).toEqual(numbers(7));
    expect(payloads(await api.pop(queue, { batch: 1000 }))).toEqual(numbers(100).slice(7));
  });

  test("concurrent pushes to one partition keep the order of each sender and lose nothing", async () => {
    const queue = uniqueName("volume");
    const send = async (sender: number): Promise<void> => {
      for (const n of numbers(25)) await api.push({ queue, partition: "p", payload: { sender, n } });
    };
    await Promise.all(numbers(16).map(send));
    const popped = await api.pop(queue, { batch: 1000 });
    expect(popped).toHaveLength(16 * 25);
    for (const [, messages] of Map.groupBy(popped, (message) => message.data.sender)) {
      expect(messages.map((message) => message.data.n)).toEqual(numbers(25));
    }
    const ids = popped.map((message) => message.id);
    expect(ids).toEqual([...new Set(ids)].sort());
  });
});

describe("holes", () => {
  /** Messages 0 to 9 in one partition; those in `done` are acked, the rest given back. */
  async function withHoles(done: readonly number[]): Promise<string> {
    const queue = uniqueName("holes");
    await api.pushAll(queue, "p", numbers(10));
    const popped = await api.pop(queue, { batch: 10 });
    await api.ackBatch(
      popped.map((message) => leasedAckOf(message, done.includes(message.data) ? "completed" : "retry")),
    );
    return queue;
  }

  test("a batch counts what it delivers, not what lies between", async () => {
    const queue = await withHoles([1, 2, 4, 8]);
    const take = async (batch: number): Promise<unknown[]> => {
      const messages: Popped[] = await api.pop(queue, { batch });
      await api.ackBatch(messages.map((message) => leasedAckOf(message)));
      return payloads(messages);
    };
    expect(await take(2)).toEqual([0, 3]);
    expect(await take(3)).toEqual([5, 6, 7]);
    expect(await take(3)).toEqual([9]);
    expect(await take(3)).toEqual([]);
  });

  test("autoAck over holes consumes the rest", async () => {
    const queue = await withHoles([0, 1, 5, 9]);
    expect(payloads(await api.pop(queue, { batch: 3, autoAck: true }))).toEqual([2, 3, 4]);
    expect(payloads(await api.pop(queue, { batch: 10, autoAck: true }))).toEqual([6, 7, 8]);
    await api.pushAll(queue, "p", [10]);
    expect(payloads(await api.pop(queue, { batch: 10, autoAck: true }))).toEqual([10]);
  });

  test("everything but the first acked leaves only the first, and new messages behind it", async () => {
    const queue = await withHoles(numbers(10).slice(1));
    await api.pushAll(queue, "p", [10]);
    expect(payloads(await api.pop(queue, { batch: 10 }))).toEqual([0, 10]);
  });

  test("deleted messages and acked ones side by side", async () => {
    const queue = await withHoles([3, 4]);
    const [first] = await api.pop(queue, { consumerGroup: "look" });
    for (const n of [0, 5, 9]) await api.http.del(`/api/v1/messages/${first!.partitionId}/${n}`);
    const popped = await api.pop(queue, { batch: 4 });
    expect(payloads(popped)).toEqual([1, 2, 6, 7]);
    const acked = await api.ackBatch(popped.map((message) => leasedAckOf(message)));
    expect(acked.at(-1)!.leaseReleased).toBe(true);
    expect(payloads(await api.pop(queue, { batch: 4 }))).toEqual([8]);
  });

  test("a lease of a batch with holes ends with its last delivered message", async () => {
    const queue = await withHoles([1, 3]);
    const popped = await api.pop(queue, { batch: 3 });
    expect(payloads(popped)).toEqual([0, 2, 4]);
    for (const [at, message] of popped.entries()) {
      expect((await api.ack(leasedAckOf(message))).leaseReleased).toBe(at === 2);
    }
  });
});
