import { describe, expect, test } from "bun:test";
import { leasedAckOf, messagePath, payloads } from "../support/api.ts";
import { uniqueName } from "../support/names.ts";
import { useSharedServer } from "../support/shared.ts";

const api = useSharedServer();

const queuePath = (queue: string): string => `/api/v1/resources/queues/${encodeURIComponent(queue)}`;

describe("DELETE /api/v1/resources/queues/:queue", () => {
  test("deletes a queue with its messages, dead letters and cursors", async () => {
    const queue = uniqueName("delete");
    await api.configure(queue, { leaseTime: 7 });
    await api.pushAll(queue, "p", [1, 2]);
    const [message] = await api.pop(queue);
    await api.ack(leasedAckOf(message!, "dlq"));
    const answer = await api.http.del(queuePath(queue));
    expect(answer.status).toBe(200);
    expect(answer.json).toEqual({ deleted: true, queue, existed: true });
    expect(await api.pop(queue, { batch: 10 })).toEqual([]);
    expect(await api.deadLetters({ queue })).toEqual([]);
    expect((await api.message(message!)).error).toBe("Message not found");
    expect(await api.ack(leasedAckOf(message!))).toMatchObject({ success: false, error: "Message not found" });
  });

  test("succeeds for an unknown queue", async () => {
    const queue = uniqueName("delete");
    const answer = await api.http.del(queuePath(queue));
    expect([answer.status, answer.json]).toEqual([200, { deleted: true, queue, existed: false }]);
  });

  test("a queue made again under its name is new: empty, with default options and other ids", async () => {
    const queue = uniqueName("delete");
    await api.configure(queue, { retryLimit: 0 });
    const [before] = await api.push({ queue, partition: "p", transactionId: "t", payload: "old" });
    await api.pop(queue, { autoAck: true });
    await api.http.del(queuePath(queue));
    const [after] = await api.push({ queue, partition: "p", transactionId: "t", payload: "new" });
    expect(after!.status).toBe("queued");
    expect(after!.partition_id).not.toBe(before!.partition_id!);
    const [message] = await api.pop(queue);
    expect(message!.data).toBe("new");
    expect((await api.ack(leasedAckOf(message!, "failed"))).dlq).toBe(false);
  });

  test("decodes the name in its path", async () => {
    const queue = `${uniqueName("delete")} ä/b`;
    await api.push({ queue, payload: 1 });
    expect((await api.http.del(queuePath(queue))).json).toEqual({ deleted: true, queue, existed: true });
    expect(await api.pop(queue)).toEqual([]);
  });

  test("every worker forgets the queue at once", async () => {
    const queue = uniqueName("delete");
    for (let n = 0; n < 10; n++) {
      await api.pushAll(queue, "p", [n]);
      await api.http.del(queuePath(queue));
      await Promise.all(Array.from({ length: 4 }, () => api.push({ queue, partition: "q", payload: "after" })));
      expect(payloads(await api.pop(queue, { batch: 10, partitions: 10 }))).toEqual(Array(4).fill("after"));
    }
  });
});

describe("DELETE /api/v1/queues/:queue/clear", () => {
  test("removes all messages and keeps the queue, its options and partitions", async () => {
    const queue = uniqueName("clear");
    await api.configure(queue, { retryLimit: 0 });
    const [first] = await api.push({ queue, partition: "a" }, { queue, partition: "a" }, { queue, partition: "b" });
    const answer = await api.http.del(`/api/v1/queues/${queue}/clear`);
    expect(answer.status).toBe(200);
    expect(answer.json).toEqual({ cleared: true, count: 3, queue, partition: "all" });
    expect(await api.pop(queue, { batch: 10, partitions: 10 })).toEqual([]);
    const [again] = await api.push({ queue, partition: "a", payload: "new" });
    expect(again!.partition_id).toBe(first!.partition_id);
    const [message] = await api.pop(queue);
    expect(message!.data).toBe("new");
    expect((await api.ack(leasedAckOf(message!, "failed"))).dlq).toBe(true);
  });

  test("removes the messages of one partition only", async () => {
    const queue = uniqueName("clear");
    await api.push({ queue, partition: "a", payload: "a" }, { queue, partition: "b", payload: "b" });
    const answer = await api.http.del(`/api/v1/queues/${queue}/clear?partition=a`);
    expect(answer.json).toEqual({ cleared: true, count: 1, queue, partition: "a" });
    expect(payloads(await api.pop(queue, { batch: 10, partitions: 10 }))).toEqual(["b"]);
  });

  test("frees the transaction ids and drops the dead letters of what it removed", async () => {
    const queue = uniqueName("clear");
    await api.pushAll(queue, "p", ["t"]);
    const [message] = await api.pop(queue);
    await api.ack(leasedAckOf(message!, "dlq"));
    await api.http.del(`/api/v1/queues/${queue}/clear`);
    expect((await api.http.get(messagePath(message!))).json.error).toBe("Message not found");
    expect(await api.deadLetters({ queue })).toEqual([]);
    expect((await api.pushAll(queue, "p", ["t"]))[0]!.status).toBe("queued");
  });

  test("of an empty queue removes nothing; of an unknown one neither, nor does it make one", async () => {
    const queue = uniqueName("clear");
    const unknown = await api.http.del(`/api/v1/queues/${queue}/clear`);
    expect(unknown.status).toBeLessThan(500);
    expect((await api.http.del(queuePath(queue))).json.existed).toBe(false);
    await api.configure(queue);
    expect((await api.http.del(`/api/v1/queues/${queue}/clear`)).json).toMatchObject({ cleared: true, count: 0 });
  });

  test("under a lease leaves the queue usable once messages come again", async () => {
    const queue = uniqueName("clear");
    await api.configure(queue, { leaseTime: 1 });
    await api.pushAll(queue, "p", [1, 2]);
    await api.pop(queue, { batch: 2 });
    await api.http.del(`/api/v1/queues/${queue}/clear`);
    await api.pushAll(queue, "p", [3]);
    expect(payloads(await api.pop(queue, { batch: 10, wait: true, timeout: 5_000 }))).toEqual([3]);
  });
});
