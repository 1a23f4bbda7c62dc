import { describe, expect, test } from "bun:test";
import type { Popped } from "../../support/api.ts";
import { uniqueName, uuidV7 } from "../../support/names.ts";
import { useSharedServer } from "../../support/shared.ts";
import { Client, NINE_OPTIONS, PYTHON } from "./client.ts";

const client = new Client(useSharedServer(), PYTHON);

const push = (queue: string, payloads: unknown[], partition = "Default") =>
  client.post("/api/v1/push", {
    items: payloads.map((payload) => ({ queue, partition, payload, transactionId: uuidV7() })),
  });

/** Booleans in lower case; anything but a list of messages is empty; an HTTP error ends the consumer. */
async function pop(queue: string, more: Record<string, string> = {}): Promise<Popped[]> {
  const params = new URLSearchParams({ batch: "1", wait: "false", timeout: "30000", ...more });
  return (await client.get(`/api/v1/pop/queue/${queue}?${params}`))?.messages ?? [];
}

/** A single ack reads `[0].success` and `[0].error`. */
async function ack(message: Popped, status: string, error?: string): Promise<{ success: boolean; error?: string }> {
  const { transactionId, partitionId, leaseId } = message;
  const answer = await client.post("/api/v1/ack", { transactionId, partitionId, status, error, leaseId });
  const [first] = answer;
  return first.success ? { success: true } : { success: false, error: first.error };
}

describe("the Python client", () => {
  test("configures with values that are no defaults and checks each", async () => {
    const options = {
      ...NINE_OPTIONS,
      leaseTime: 600,
      retryLimit: 5,
      delayedProcessing: 2,
      windowBuffer: 3,
      retentionSeconds: 7200,
    };
    const body = { queue: uniqueName("py"), namespace: null, task: null, options };
    expect(await client.post("/api/v1/configure", body)).toMatchObject({ configured: true, options });
  });

  test("pushes, pops, and learns from a single ack whether it worked", async () => {
    const queue = uniqueName("py");
    await push(queue, [{ n: 1 }]);
    const [message] = await pop(queue);
    expect(await ack(message!, "completed")).toEqual({ success: true });
    expect(await ack(message!, "completed")).toEqual({ success: false, error: "Invalid or expired lease" });
  });

  test("returns the array of a batch ack", async () => {
    const queue = uniqueName("py");
    await push(queue, [1, 2]);
    const batch = await pop(queue, { batch: "2" });
    const acknowledgments = batch.map(({ transactionId, partitionId, leaseId }) => ({
      transactionId,
      partitionId,
      status: "completed",
      error: null,
      leaseId,
    }));
    const results = await client.post("/api/v1/ack/batch", { acknowledgments, consumerGroup: null });
    expect(results.map((result: { success: boolean }) => result.success)).toEqual([true, true]);
    expect(await pop(queue)).toEqual([]);
  });

  test("renews a lease without a body, calling .get on the answer", async () => {
    const queue = uniqueName("py");
    await push(queue, [1]);
    const [message] = await pop(queue);
    const result = await client.post(`/api/v1/lease/${message!.leaseId}/extend`, {});
    expect(Array.isArray(result)).toBe(false);
    expect(result.newExpiresAt ?? result.lease_expires_at).toBeString();
  });

  test("dead-letters after limit 2 and three attempts", async () => {
    const queue = uniqueName("py");
    await client.post("/api/v1/configure", {
      queue,
      namespace: null,
      task: null,
      options: { ...NINE_OPTIONS, retryLimit: 2 },
    });
    await push(queue, [{ data: "fails" }]);
    for (let attempt = 1; attempt <= 3; attempt++) {
      const [message] = await pop(queue);
      expect(await ack(message!, "failed", "Test error triggered")).toEqual({ success: true });
    }
    expect(await pop(queue)).toEqual([]);
    const dlq = await client.get(`/api/v1/dlq?queue=${queue}&limit=10&offset=0`);
    expect([dlq.total, dlq.messages.length]).toEqual([1, 1]);
    expect(dlq.messages[0]).toMatchObject({ data: { data: "fails" }, errorMessage: "Test error triggered" });
  });

  test("its consume loop meets no HTTP error: unknown queue, empty queue, leased partition", async () => {
    const queue = uniqueName("py");
    expect(await pop(queue)).toEqual([]);
    expect(await pop(queue, { wait: "true", timeout: "50", consumerGroup: "g", subscriptionMode: "new" })).toEqual([]);
    await push(queue, [1]);
    expect(await pop(queue)).toHaveLength(1);
    expect(await pop(queue)).toEqual([]);
  });

  test("commits a transaction and raises on its error", async () => {
    const queue = uniqueName("py");
    const push2 = {
      type: "push",
      items: [
        { queue, partition: "Default", payload: 1 },
        { queue, partition: "Default", payload: 2 },
      ],
    };
    expect(await client.post("/api/v1/transaction", { operations: [push2], requiredLeases: [] })).toMatchObject({
      success: true,
    });
    await expect(client.post("/api/v1/transaction", { operations: [], requiredLeases: [] })).rejects.toThrow(
      "operations array cannot be empty",
    );
  });

  test("admin calls on a name with a space", async () => {
    const [queue, group] = [uniqueName("py"), `${uniqueName("g")} of mine`];
    await push(queue, [1, 2]);
    await pop(queue, { consumerGroup: group, autoAck: "true" });
    const path = `/api/v1/consumer-groups/${client.encode(group)}/queues/${client.encode(queue)}`;
    expect(await client.post(`${path}/seek`, { toEnd: true })).toMatchObject({ success: true, partitionsUpdated: 1 });
    expect(await pop(queue, { consumerGroup: group })).toEqual([]);
    expect(await client.del(`${path}?deleteMetadata=true`)).toMatchObject({ success: true, consumerGroup: group });
    expect(await pop(queue, { consumerGroup: group })).toHaveLength(1);
    expect(await client.get(`/api/v1/messages/${crypto.randomUUID()}/nobody`)).toEqual({ error: "Message not found" });
  });

  test("spells booleans in lower case; True and False, as str() has them, count as false", async () => {
    const queue = uniqueName("py");
    const began = performance.now();
    expect(await pop(queue, { wait: "True", timeout: "20000" })).toEqual([]);
    expect(performance.now() - began).toBeLessThan(10_000);
    await push(queue, [1]);
    expect(await pop(queue, { autoAck: "True" })).toHaveLength(1);
    // A lease was taken, so nothing was consumed on delivery.
    expect((await client.get(`/api/v1/resources/queues/${queue}`)).totals).toMatchObject({
      processing: 1,
      completed: 0,
    });
  });

  test("refreshes statistics and asks for the dead letters of a time, without bodies", async () => {
    expect(await client.post("/api/v1/stats/refresh", {})).toMatchObject({ system: { systemUpdated: 1 } });
    const dlq = await client.get(
      "/api/v1/dlq?limit=10&offset=0&from=2026-01-01T00%3A00%3A00&to=2026-01-02T00%3A00%3A00",
    );
    expect(dlq).toMatchObject({ messages: [], total: 0 });
  });

  test("traces with one name as a text, which never raises", async () => {
    const queue = uniqueName("py");
    await push(queue, [1]);
    const [message] = await pop(queue);
    const { transactionId, partitionId } = message!;
    const body = { transactionId, partitionId, data: { n: 1 }, traceNames: "one", eventType: "info" };
    expect(await client.post("/api/v1/traces", body)).toMatchObject({ success: true });
    expect(await client.post("/api/v1/traces", { ...body, transactionId: "nobody" })).toEqual({
      success: false,
      error: "Message not found",
    });
  });
});
