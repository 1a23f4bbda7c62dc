import { describe, expect, test } from "bun:test";
import { leasedAckOf, payloads } from "../support/api.ts";
import { uniqueName } from "../support/names.ts";
import { useSharedServer } from "../support/shared.ts";

const api = useSharedServer();

describe("POST /api/v1/ack/batch", () => {
  test("answers one result per item, in item order, over several partitions", async () => {
    const queue = uniqueName("batch");
    await api.push(...[0, 1, 2, 3].map((n) => ({ queue, partition: `p${n % 2}`, payload: n, transactionId: `t${n}` })));
    const popped = await api.pop(queue, { batch: 10, partitions: 2 });
    const items = ["t3", "t0", "t2", "t1"].map((id) => leasedAckOf(popped.find((one) => one.transactionId === id)!));
    const answer = await api.http.post("/api/v1/ack/batch", { acknowledgments: items });
    expect(answer.status).toBe(200);
    expect(answer.json.map((result: object) => ({ ...result, leaseReleased: "any" }))).toEqual(
      items.map((item, index) => ({
        index,
        transactionId: item.transactionId,
        success: true,
        error: null,
        queueName: queue,
        partitionName: `p${Number(item.transactionId.slice(1)) % 2}`,
        leaseReleased: "any",
        dlq: false,
      })),
    );
    expect(await api.pop(queue, { batch: 10, partitions: 2 })).toEqual([]);
  });

  test("answers an empty array with an empty array", async () => {
    const answer = await api.http.post("/api/v1/ack/batch", { acknowledgments: [] });
    expect([answer.status, answer.text]).toEqual([200, "[]"]);
  });

  test("the consumer group of the request overrides the ones of its items", async () => {
    const queue = uniqueName("batch");
    await api.pushAll(queue, "p", [1]);
    const [message] = await api.pop(queue, { consumerGroup: "g" });
    const [result] = await api.ackBatch([{ ...leasedAckOf(message!), consumerGroup: "wrong" }], "g");
    expect(result).toMatchObject({ success: true, leaseReleased: true });
  });

  test("each item succeeds or fails on its own", async () => {
    const queue = uniqueName("batch");
    await api.pushAll(queue, "p", [1, 2, 3]);
    const popped = await api.pop(queue, { batch: 3 });
    const results = await api.ackBatch([
      leasedAckOf(popped[0]!),
      { ...leasedAckOf(popped[1]!), transactionId: "nobody" },
      { ...leasedAckOf(popped[1]!), partitionId: "no uuid" },
      { ...leasedAckOf(popped[1]!), partitionId: crypto.randomUUID() },
      { ...leasedAckOf(popped[1]!), leaseId: crypto.randomUUID() },
      leasedAckOf(popped[1]!, "perhaps"),
      leasedAckOf(popped[2]!),
    ]);
    expect(results.map(({ success, error }) => [success, error])).toEqual([
      [true, null],
      [false, "Message not found"],
      [false, "Message not found"],
      [false, "Message not found"],
      [false, "Invalid or expired lease"],
      [false, null],
      [true, null],
    ]);
    expect(await api.ack(leasedAckOf(popped[1]!))).toMatchObject({ success: true, leaseReleased: true });
  });

  test("takes a thousand at once", async () => {
    const queue = uniqueName("batch");
    const numbers = Array.from({ length: 1000 }, (_, n) => n);
    await api.pushAll(queue, "p", numbers);
    const popped = await api.pop(queue, { batch: 1000 });
    expect(payloads(popped)).toEqual(numbers);
    const results = await api.ackBatch(popped.map((message) => leasedAckOf(message)));
    expect(results.filter((result) => result.success)).toHaveLength(1000);
    expect(results.at(-1)!.leaseReleased).toBe(true);
    expect(await api.pop(queue)).toEqual([]);
  });
});
