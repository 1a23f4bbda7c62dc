import { describe, expect, test } from "bun:test";
import { leasedAckOf, messagePath, payloads } from "../support/api.ts";
import { TIME_MS, uniqueName } from "../support/names.ts";
import { useSharedServer } from "../support/shared.ts";

const api = useSharedServer();

const nobody = (): { partitionId: string; transactionId: string } => ({
  partitionId: crypto.randomUUID(),
  transactionId: "nobody",
});

describe("GET /api/v1/messages/:partitionId/:transactionId", () => {
  test("answers every field of the contract", async () => {
    const queue = uniqueName("message");
    await api.configure(queue, { leaseTime: 60, retryLimit: 5, priority: 2 }, { namespace: "ns", task: "tk" });
    const traceId = crypto.randomUUID();
    await api.push({ queue, partition: "c-42", payload: { n: 1 }, transactionId: "t-1", traceId });
    const [message] = await api.pop(queue, { consumerGroup: "g1" });
    const answer = await api.http.get(messagePath(message!));
    expect(answer.status).toBe(200);
    expect(answer.json).toEqual({
      id: message!.id,
      transactionId: "t-1",
      partitionId: message!.partitionId,
      queuePath: `${queue}/c-42`,
      queue,
      partition: "c-42",
      namespace: "ns",
      task: "tk",
      status: expect.stringMatching(/^(pending|processing)$/),
      payload: { n: 1 },
      isEncrypted: false,
      traceId,
      producerSub: null,
      createdAt: expect.stringMatching(TIME_MS),
      errorMessage: null,
      retryCount: null,
      leaseExpiresAt: answer.json.leaseExpiresAt,
      queueConfig: { leaseTime: 60, retryLimit: 5, retryDelay: 1000, ttl: 3600, priority: 2 },
      mode: { hasQueueMode: false, busGroupsCount: 1, consumedByGroups: 0, type: "bus" },
      consumerGroups: [{ name: "g1", consumed: false, leaseExpiresAt: expect.stringMatching(TIME_MS) }],
    });
  });

  test("follows the message through its states", async () => {
    const queue = uniqueName("message");
    const [pushed] = await api.push({ queue, partition: "p", payload: 1 });
    const of = { partitionId: pushed!.partition_id!, transactionId: pushed!.transaction_id };
    const status = async (): Promise<string> => (await api.message(of)).status;
    expect(await status()).toBe("pending");
    const [message] = await api.pop(queue);
    expect(await status()).toBe("processing");
    await api.ack(leasedAckOf(message!, "retry"));
    expect(await status()).toBe("pending");
    const [again] = await api.pop(queue);
    await api.ack(leasedAckOf(again!));
    expect(await status()).toBe("completed");
  });

  test("of a dead letter shows its error and count", async () => {
    const queue = uniqueName("message");
    await api.configure(queue, { retryLimit: 0 });
    await api.pushAll(queue, "p", [1]);
    const [message] = await api.pop(queue);
    await api.ack(leasedAckOf(message!, "failed", "boom"));
    expect(await api.message(message!)).toMatchObject({ status: "dead_letter", errorMessage: "boom", retryCount: 0 });
  });

  test("is completed for named groups once all have passed it", async () => {
    const queue = uniqueName("message");
    await api.pushAll(queue, "p", [1]);
    const popped = await Promise.all(["a", "b"].map((consumerGroup) => api.pop(queue, { consumerGroup })));
    const [a, b] = popped.flat();
    await api.ack(leasedAckOf(a!));
    expect((await api.message(a!)).status).toBe("pending");
    await api.ack(leasedAckOf(b!));
    expect((await api.message(a!)).status).toBe("completed");
  });

  test("finds any transaction id that can be pushed", async () => {
    const queue = uniqueName("message");
    for (const transactionId of ["a/b c?d#e%f", "日本 😀", "x".repeat(255)]) {
      const [pushed] = await api.push({ queue, transactionId, payload: transactionId });
      expect(await api.message({ partitionId: pushed!.partition_id!, transactionId })).toMatchObject({
        payload: transactionId,
      });
    }
  });
});

/** What every route of a message answers when there is none: no server error, an error text, no success. */
const missing: [method: "GET" | "DELETE" | "POST", suffix: string][] = [
  ["GET", ""],
  ["DELETE", ""],
  ["POST", "/retry"],
  ["POST", "/dlq"],
];

describe("a message that does not exist", () => {
  test.each(missing)("%s %s says so", async (method, suffix) => {
    const queue = uniqueName("message");
    const [pushed] = await api.push({ queue });
    for (const of of [nobody(), { partitionId: pushed!.partition_id!, transactionId: "nobody" }]) {
      const answer = await api.http.call(method, messagePath(of) + suffix);
      expect(answer.status).toBe(200);
      expect(answer.json.error ?? answer.json.message).toBe("Message not found");
    }
  });

  test.each(missing)(
    "%s %s takes a partition id that is no UUID as a refusal, not as a fault",
    async (method, suffix) => {
      const answer = await api.http.call(method, `/api/v1/messages/no-uuid/t${suffix}`);
      expect(answer.status).toBeLessThan(500);
      expect(answer.json.error ?? answer.json.message).toMatch(/partitionId|Message not found/);
    },
  );
});

describe("DELETE /api/v1/messages/:partitionId/:transactionId", () => {
  test("deletes one message: it is neither delivered nor found, its neighbours are", async () => {
    const queue = uniqueName("message");
    const pushed = await api.pushAll(queue, "p", ["a", "b", "c"]);
    const of = { partitionId: pushed[1]!.partition_id!, transactionId: '"b"' };
    const answer = await api.http.del(messagePath(of));
    expect(answer.status).toBe(200);
    expect(answer.json).toEqual({ success: true, ...of, message: "Message deleted successfully" });
    expect((await api.message(of)).error).toBe("Message not found");
    expect((await api.http.del(messagePath(of))).json).toMatchObject({
      success: false,
      ...of,
      message: "Message not found",
    });
    const popped = await api.pop(queue, { batch: 10 });
    expect(payloads(popped)).toEqual(["a", "c"]);
    const results = await api.ackBatch(popped.map((message) => leasedAckOf(message)));
    expect(results.at(-1)).toMatchObject({ success: true, leaseReleased: true });
    expect(await api.pop(queue, { batch: 10 })).toEqual([]);
  });

  test("of the only message leaves the partition empty and usable", async () => {
    const queue = uniqueName("message");
    const [pushed] = await api.push({ queue, partition: "p", payload: "gone", transactionId: "t" });
    await api.http.del(messagePath({ partitionId: pushed!.partition_id!, transactionId: "t" }));
    expect(await api.pop(queue)).toEqual([]);
    const [again] = await api.push({ queue, partition: "p", payload: "again", transactionId: "t" });
    expect(again!.status).toBe("queued");
    expect(payloads(await api.pop(queue, { batch: 10 }))).toEqual(["again"]);
  });

  test("drops its dead letters", async () => {
    const queue = uniqueName("message");
    await api.pushAll(queue, "p", [1]);
    const [message] = await api.pop(queue);
    await api.ack(leasedAckOf(message!, "dlq"));
    await api.http.del(messagePath(message!));
    expect(await api.deadLetters({ queue })).toEqual([]);
  });

  test("under a lease lets the rest of the batch complete", async () => {
    const queue = uniqueName("message");
    await api.pushAll(queue, "p", [1, 2, 3]);
    const batch = await api.pop(queue, { batch: 2 });
    await api.http.del(messagePath(batch[0]!));
    expect(await api.ack(leasedAckOf(batch[1]!))).toMatchObject({ success: true, leaseReleased: true });
    expect(payloads(await api.pop(queue, { batch: 10 }))).toEqual([3]);
  });
});

describe("POST /api/v1/messages/:partitionId/:transactionId/retry", () => {
  test("redelivers just that message to the group that dead-lettered it, with fresh attempts", async () => {
    const queue = uniqueName("message");
    await api.configure(queue, { retryLimit: 1 });
    await api.pushAll(queue, "p", [1, 2, 3]);
    const batch = await api.pop(queue, { batch: 3, consumerGroup: "g" });
    await api.pop(queue, { batch: 3, consumerGroup: "other", autoAck: true });
    await api.ackBatch([leasedAckOf(batch[0]!), leasedAckOf(batch[1]!, "dlq"), leasedAckOf(batch[2]!)], "g");
    const answer = await api.http.postRaw(`${messagePath(batch[1]!)}/retry`);
    expect(answer.status).toBe(200);
    expect(answer.json).toEqual({ retried: true, transactionId: "2" });
    expect(await api.deadLetters({ queue })).toEqual([]);
    for (const dlq of [false, true]) {
      const again = await api.pop(queue, { batch: 10, consumerGroup: "g" });
      expect(payloads(again)).toEqual([2]);
      expect(await api.ack(leasedAckOf(again[0]!, "failed", "still"))).toMatchObject({ success: true, dlq });
    }
    expect(await api.pop(queue, { batch: 10, consumerGroup: "g" })).toEqual([]);
    expect(await api.pop(queue, { batch: 10, consumerGroup: "other" })).toEqual([]);
    expect(await api.deadLetters({ queue })).toHaveLength(1);
  });

  test("redelivers to every group that dead-lettered it", async () => {
    const queue = uniqueName("message");
    await api.pushAll(queue, "p", [1]);
    for (const consumerGroup of ["a", "b"]) {
      const [message] = await api.pop(queue, { consumerGroup });
      await api.ack(leasedAckOf(message!, "dlq"));
    }
    const [letter] = await api.deadLetters({ queue });
    await api.http.postRaw(`${messagePath(letter!)}/retry`);
    for (const consumerGroup of ["a", "b"]) expect(payloads(await api.pop(queue, { consumerGroup }))).toEqual([1]);
    expect(await api.deadLetters({ queue })).toEqual([]);
  });

  test("wakes nobody and changes nothing for a message that is no dead letter", async () => {
    const queue = uniqueName("message");
    await api.pushAll(queue, "p", [1, 2]);
    const [message] = await api.pop(queue);
    await api.ack(leasedAckOf(message!));
    const answer = await api.http.postRaw(`${messagePath(message!)}/retry`);
    expect(answer.status).toBeLessThan(500);
    expect(answer.json.retried).not.toBe(true);
    expect(payloads(await api.pop(queue, { batch: 10 }))).toEqual([2]);
  });
});

describe("POST /api/v1/messages/:partitionId/:transactionId/dlq", () => {
  test("moves a pending message to the dead letters: it is not delivered any more", async () => {
    const queue = uniqueName("message");
    const pushed = await api.pushAll(queue, "p", [1, 2, 3]);
    const of = { partitionId: pushed[1]!.partition_id!, transactionId: "2" };
    const answer = await api.http.postRaw(`${messagePath(of)}/dlq`);
    expect(answer.status).toBe(200);
    expect(answer.json).toEqual({ movedToDLQ: true, transactionId: "2" });
    expect(await api.deadLetters({ queue })).toMatchObject([{ transactionId: "2", data: 2 }]);
    expect((await api.message(of)).status).toBe("dead_letter");
    expect((await api.http.get(`/api/v1/status?queue=${queue}`)).json.errors.dlqMessages).toBe(1);
    const seen: unknown[] = [];
    for (let popped = await api.pop(queue, { batch: 10, autoAck: true }); popped.length > 0; ) {
      seen.push(...payloads(popped));
      popped = await api.pop(queue, { batch: 10, autoAck: true });
    }
    expect(seen).toEqual([1, 3]);
  });

  test("and retry bring it back", async () => {
    const queue = uniqueName("message");
    const [pushed] = await api.pushAll(queue, "p", [1]);
    const of = { partitionId: pushed!.partition_id!, transactionId: "1" };
    await api.http.postRaw(`${messagePath(of)}/dlq`);
    expect(await api.pop(queue)).toEqual([]);
    expect((await api.http.postRaw(`${messagePath(of)}/retry`)).json).toEqual({ retried: true, transactionId: "1" });
    expect(payloads(await api.pop(queue))).toEqual([1]);
  });
});
