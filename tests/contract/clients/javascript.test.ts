import { describe, expect, test } from "bun:test";
import type { Popped } from "../../support/api.ts";
import { uniqueName, uuidV7 } from "../../support/names.ts";
import { useSharedServer } from "../../support/shared.ts";
import { untilTime } from "../../support/wait.ts";
import { Client, JAVASCRIPT, NINE_OPTIONS } from "./client.ts";

const client = new Client(useSharedServer(), JAVASCRIPT);

const create = (queue: string, options: object = {}): Promise<{ configured: boolean; options: object }> =>
  client.post("/api/v1/configure", { queue, namespace: null, task: null, options: { ...NINE_OPTIONS, ...options } });

const push = (queue: string, payloads: unknown[], partition = "Default") =>
  client.post("/api/v1/push", {
    items: payloads.map((payload) => ({ queue, partition, payload, transactionId: uuidV7() })),
  });

/** `pop()` and `consume()` of the client: partition `Default` goes to the wildcard route; every error is empty. */
async function pop(queue: string, more: Record<string, string> = {}, partition = "Default"): Promise<Popped[]> {
  const place = partition === "Default" ? "" : `/partition/${partition}`;
  const params = new URLSearchParams({ batch: "1", wait: "true", timeout: "300", ...more });
  const answer = await client.get(`/api/v1/pop/queue/${queue}${place}?${params}`);
  return answer?.messages?.filter((message: unknown) => message !== null) ?? [];
}

/** `ack()` of the client for one message and for a batch; reports success unless there is a top-level error. */
async function ack(messages: Popped | Popped[], completed: boolean, context: { group?: string; error?: string } = {}) {
  const status = completed ? "completed" : "failed";
  const error = context.error ?? null;
  const group = context.group === undefined ? {} : { consumerGroup: context.group };
  const one = ({ transactionId, partitionId, leaseId }: Popped) => ({
    transactionId,
    partitionId,
    status,
    error,
    leaseId,
  });
  const answer = Array.isArray(messages)
    ? await client.post("/api/v1/ack/batch", { acknowledgments: messages.map(one), ...group })
    : await client.post("/api/v1/ack", { ...one(messages), ...group });
  return answer?.error === undefined ? { success: true } : { success: false, error: answer.error };
}

describe("the JavaScript client", () => {
  test("creates and deletes a queue", async () => {
    const queue = uniqueName("js");
    expect(await create(queue, { leaseTime: 60 })).toMatchObject({
      configured: true,
      options: { ...NINE_OPTIONS, leaseTime: 60 },
    });
    expect(await client.del(`/api/v1/resources/queues/${client.encode(queue)}`)).toMatchObject({ deleted: true });
    expect(await client.del(`/api/v1/resources/queues/${client.encode(queue)}`)).toMatchObject({ deleted: true });
  });

  test("pushes, pops at once with wait=false, acks, and finds the queue empty", async () => {
    const queue = uniqueName("js");
    await create(queue);
    const results = await push(queue, [{ n: 1 }]);
    expect(results.map((result: { status: string }) => result.status)).toEqual(["queued"]);
    const [message] = await pop(queue, { wait: "false" });
    expect(message!.data).toEqual({ n: 1 });
    expect(await ack(message!, true)).toEqual({ success: true });
    expect(await pop(queue, { wait: "false" })).toEqual([]);
  });

  test("an empty push and a duplicate one", async () => {
    const queue = uniqueName("js");
    expect(await client.post("/api/v1/push", { items: [] })).toEqual([]);
    const items = [{ queue, partition: "Default", payload: 1, transactionId: "same" }];
    expect((await client.post("/api/v1/push", { items }))[0].status).toBe("queued");
    expect((await client.post("/api/v1/push", { items }))[0].status).toBe("duplicate");
  });

  test("consumes one by one with each()", async () => {
    const queue = uniqueName("js");
    await create(queue);
    await push(queue, [1, 2, 3], "p");
    const seen: unknown[] = [];
    for (
      let batch = await pop(queue, { batch: "10" }, "p");
      batch.length > 0;
      batch = await pop(queue, { batch: "10" }, "p")
    ) {
      for (const message of batch) {
        seen.push(message.data);
        await ack(message, true);
      }
    }
    expect(seen).toEqual([1, 2, 3]);
  });

  test("consumes batches: limit 3, failing the first two attempts, runs the handler three times", async () => {
    const queue = uniqueName("js");
    await create(queue, { retryLimit: 3 });
    await push(
      queue,
      Array.from({ length: 100 }, (_, n) => n),
    );
    let runs = 0;
    for (let batch = await pop(queue, { batch: "100" }); batch.length > 0; batch = await pop(queue, { batch: "100" })) {
      runs += 1;
      expect(batch).toHaveLength(100);
      await ack(batch, runs > 2, runs > 2 ? {} : { error: "Test error" });
    }
    expect(runs).toBe(3);
  });

  test("each() with batch 3 and a failing message: the other acks fail silently, all is redelivered", async () => {
    const queue = uniqueName("js");
    await create(queue);
    await push(queue, ["a", "b", "c"]);
    const batch = await pop(queue, { batch: "3" });
    for (const message of batch) expect(await ack(message, message.data !== "a")).toEqual({ success: true });
    expect((await pop(queue, { batch: "3" })).map((message) => message.data)).toEqual(["a", "b", "c"]);
  });

  test("finds a dead letter after limit 1 and two failing attempts", async () => {
    const queue = uniqueName("js");
    await create(queue, { retryLimit: 1 });
    await push(queue, [{ message: "Test message" }]);
    for (let attempt = 0; attempt < 2; attempt++) {
      const batch = await pop(queue);
      expect(batch).toHaveLength(1);
      await ack(batch[0]!, false, { error: "Test error triggered" });
    }
    const dlq = await client.get(`/api/v1/dlq?queue=${queue}&limit=10&offset=0`);
    expect(dlq.total).toBe(1);
    expect(dlq.messages[0]).toMatchObject({ data: { message: "Test message" } });
    expect(dlq.messages[0].errorMessage).toContain("Test error triggered");
  });

  test("autoAck leaves nothing to redeliver", async () => {
    const queue = uniqueName("js");
    await push(queue, [1]);
    expect(await pop(queue, { autoAck: "true" })).toHaveLength(1);
    expect(await pop(queue)).toEqual([]);
  });

  test("renew() keeps a 2 s lease alive during a longer handler", async () => {
    const queue = uniqueName("js");
    await create(queue, { leaseTime: 2 });
    await push(queue, [1]);
    const [message] = await pop(queue);
    const end = Date.now() + 3_000;
    while (Date.now() < end) {
      const result = await client.post(`/api/v1/lease/${message!.leaseId}/extend`, {});
      expect(result.leaseId ? result.newExpiresAt : result.lease_expires_at).toBeString();
      await untilTime(Math.min(end, Date.now() + 1_000));
    }
    expect(await pop(queue, { wait: "false" })).toEqual([]);
    expect(await ack(message!, true)).toEqual({ success: true });
    expect(await pop(queue)).toEqual([]);
  });

  test("transaction().ack().queue().push().commit(), and one that must roll back", async () => {
    const [queue, next] = [uniqueName("js"), uniqueName("js")];
    await push(queue, [1, 2]);
    const [message] = await pop(queue);
    const commit = (transactionId: string) =>
      client.post("/api/v1/transaction", {
        operations: [
          { type: "ack", transactionId, partitionId: message!.partitionId, status: "completed" },
          { type: "push", items: [{ queue: next, payload: { value: 2 } }] },
        ],
        requiredLeases: [message!.leaseId],
      });
    expect(await commit("nobody")).toMatchObject({ success: false, error: expect.any(String) });
    expect(await pop(next, { wait: "false" })).toEqual([]);
    expect(await commit(message!.transactionId)).toMatchObject({ success: true });
    expect((await pop(next, { wait: "false" }))[0]!.data).toEqual({ value: 2 });
    expect((await pop(queue))[0]!.data).toBe(2);
  });

  test("groups: a new one skips history, deleting one starts it again, a subscription can be moved", async () => {
    const [queue, group] = [uniqueName("js"), uniqueName("g")];
    await push(queue, ["old"]);
    expect(await pop(queue, { consumerGroup: group, subscriptionMode: "new", timeout: "50" })).toEqual([]);
    await push(queue, ["next"]);
    const [message] = await pop(queue, { consumerGroup: group });
    expect(message!.data).toBe("next");
    await ack(message!, true, { group });
    const path = `/api/v1/consumer-groups/${client.encode(group)}`;
    expect(
      await client.post(`${path}/subscription`, { subscriptionTimestamp: "2020-01-01T00:00:00.000Z" }),
    ).toMatchObject({ success: true });
    expect(await client.del(`${path}?deleteMetadata=true`)).toMatchObject({ success: true });
    expect((await pop(queue, { consumerGroup: group }))[0]!.data).toBe("old");
  });

  test("claims several partitions at once", async () => {
    const queue = uniqueName("js");
    for (const partition of ["a", "b", "c"]) await push(queue, [partition], partition);
    const batch = await pop(queue, { batch: "10", partitions: "3" });
    expect(batch.map((message) => message.data).sort()).toEqual(["a", "b", "c"]);
    expect(await ack(batch, true)).toEqual({ success: true });
    expect(await pop(queue, { batch: "10", partitions: "3" })).toEqual([]);
  });

  test("traces a message; the call never throws", async () => {
    const queue = uniqueName("js");
    await push(queue, [1]);
    const [message] = await pop(queue);
    const { transactionId, partitionId } = message!;
    const body = {
      transactionId,
      partitionId,
      consumerGroup: "__QUEUE_MODE__",
      traceNames: ["n"],
      eventType: "info",
      data: { text: "hi" },
    };
    expect(await client.post("/api/v1/traces", body)).toMatchObject({ success: true });
  });

  test("pops by namespace and task when no queue is named", async () => {
    const [queue, namespace] = [uniqueName("js"), uniqueName("space")];
    await client.post("/api/v1/configure", { queue, namespace, task: "send", options: NINE_OPTIONS });
    await push(queue, [1]);
    const answer = await client.get(`/api/v1/pop?batch=1&wait=true&timeout=300&namespace=${namespace}&task=send`);
    expect(answer.messages).toHaveLength(1);
  });

  test("admin: clear, message retry, message to the dead letters", async () => {
    const queue = uniqueName("js");
    await push(queue, [1]);
    const [message] = await pop(queue, { consumerGroup: "look" });
    const path = `/api/v1/messages/${client.encode(message!.partitionId)}/${client.encode(message!.transactionId)}`;
    expect(await client.post(`${path}/dlq`, {})).toMatchObject({ movedToDLQ: true });
    expect(await client.post(`${path}/retry`, {})).toMatchObject({ retried: true });
    expect(await client.get(path)).toMatchObject({ payload: 1 });
    expect(await client.del(`/api/v1/queues/${client.encode(queue)}/clear`)).toMatchObject({ cleared: true });
  });

  test("acks a batch whose messages carry statuses of their own (_status, _error)", async () => {
    const queue = uniqueName("js");
    await create(queue, { retryLimit: 0 });
    await push(queue, ["good", "bad"], "p");
    const batch = await pop(queue, { batch: "2" }, "p");
    const acknowledgments = batch.map(({ transactionId, partitionId, leaseId, data }) => ({
      transactionId,
      partitionId,
      leaseId,
      status: data === "bad" ? "failed" : "completed",
      error: data === "bad" ? "no good" : null,
    }));
    const answer = await client.post("/api/v1/ack/batch", { acknowledgments });
    expect(answer.error).toBeUndefined();
    const dlq = await client.get(
      `/api/v1/dlq?queue=${queue}&limit=10&offset=0&consumerGroup=__QUEUE_MODE__&partition=p`,
    );
    expect(dlq).toMatchObject({ total: 1, messages: [{ data: "bad", errorMessage: "no good" }] });
  });

  test("flushes its buffer as one ordinary push per queue and partition, in the order of the calls", async () => {
    const queue = uniqueName("js");
    const payloads = Array.from({ length: 250 }, (_, n) => n);
    for (let at = 0; at < payloads.length; at += 100) await push(queue, payloads.slice(at, at + 100), "p");
    const batch = await pop(queue, { batch: "1000" }, "p");
    expect(batch.map((message) => message.data)).toEqual(payloads);
  });

  test("ignores bufferMs and bufferMax, which its documentation once named", async () => {
    const queue = uniqueName("js");
    const items = [{ queue, partition: "Default", payload: 1, transactionId: uuidV7() }];
    expect((await client.post("/api/v1/push", { items, bufferMs: 100, bufferMax: 10 }))[0].status).toBe("queued");
    expect(await pop(queue, { wait: "false" })).toHaveLength(1);
  });

  test("two groups each get everything, and a timestamp starts there", async () => {
    const queue = uniqueName("js");
    await push(queue, [1], "p");
    const [message] = await pop(queue, { consumerGroup: "first" }, "p");
    await untilTime(Date.parse(message!.createdAt) + 2);
    const from = new Date().toISOString();
    await push(queue, [2], "p");
    expect(await pop(queue, { consumerGroup: "second", batch: "10" }, "p")).toHaveLength(2);
    const later = await pop(queue, { consumerGroup: "third", subscriptionFrom: from, batch: "10" }, "p");
    expect(later.map((one) => one.data)).toEqual([2]);
  });
});
