import { describe, expect, test } from "bun:test";
import type { Popped } from "../../support/api.ts";
import { uniqueName, uuidV7 } from "../../support/names.ts";
import { useSharedServer } from "../../support/shared.ts";
import { Client, NINE_OPTIONS, PHP } from "./client.ts";

const client = new Client(useSharedServer(), PHP);

const push = (queue: string, payloads: unknown[]) =>
  client.post("/api/v1/push", {
    items: payloads.map((payload) => ({ queue, partition: "Default", payload, transactionId: uuidV7() })),
  });

async function pop(queue: string, params = "batch=1&wait=true&timeout=300"): Promise<Popped[]> {
  return (await client.get(`/api/v1/pop/queue/${queue}?${params}`))?.messages ?? [];
}

describe("the PHP client", () => {
  test("configures, pushes, pops, acks", async () => {
    const queue = uniqueName("php");
    const body = { queue, namespace: null, task: null, options: NINE_OPTIONS };
    expect((await client.post("/api/v1/configure", body)).configured).toBe(true);
    expect((await push(queue, [{ n: 1 }]))[0].status).toBe("queued");
    const [message] = await pop(queue);
    const { transactionId, partitionId, leaseId } = message!;
    const answer = await client.post("/api/v1/ack", {
      transactionId,
      partitionId,
      status: "completed",
      error: null,
      leaseId,
    });
    expect(answer.error).toBeUndefined();
    expect(await client.get(`/api/v1/pop/queue/${queue}?batch=1&wait=true&timeout=50`)).toBeNull();
  });

  test("renews a lease with an empty array", async () => {
    const queue = uniqueName("php");
    await push(queue, [1]);
    const [message] = await pop(queue);
    const result = await client.post(`/api/v1/lease/${message!.leaseId}/extend`, {});
    expect(result).toMatchObject({ success: true, leaseId: message!.leaseId });
    expect(result.newExpiresAt ?? result.lease_expires_at).toBeString();
  });

  test("fails a batch in one request until it is dead-lettered: attempts are retryLimit + 1", async () => {
    const queue = uniqueName("php");
    await client.post("/api/v1/configure", {
      queue,
      namespace: null,
      task: null,
      options: { ...NINE_OPTIONS, retryLimit: 1 },
    });
    await push(queue, [1, 2, 3]);
    let attempts = 0;
    for (let batch = await pop(queue, "batch=10"); batch.length > 0; batch = await pop(queue, "batch=10")) {
      attempts += 1;
      expect(batch.map((message) => message.data)).toEqual([1, 2, 3]);
      const acknowledgments = batch.map(({ transactionId, partitionId, leaseId }) => ({
        transactionId,
        partitionId,
        leaseId,
        status: "failed",
        error: "handler threw",
      }));
      await client.post("/api/v1/ack/batch", { acknowledgments, consumerGroup: null });
    }
    expect(attempts).toBe(2);
    expect((await client.get(`/api/v1/dlq?queue=${queue}&limit=100&offset=0`)).total).toBe(3);
  });

  test("sends an empty array where a route needs no body", async () => {
    const queue = uniqueName("php");
    await push(queue, [1]);
    const [message] = await pop(queue, "batch=1&consumerGroup=g");
    const path = `/api/v1/messages/${message!.partitionId}/${message!.transactionId}`;
    expect(await client.post(`${path}/dlq`, {})).toMatchObject({ movedToDLQ: true });
    expect(await client.post(`${path}/retry`, {})).toMatchObject({ retried: true });
    const seek = `/api/v1/consumer-groups/g/queues/${queue}/partitions/Default/seek`;
    expect(await client.post(seek, {})).toMatchObject({ success: true });
  });

  test("gets 4xx as an exception with the text, not as a retry", async () => {
    await expect(client.post("/api/v1/ack", { partitionId: "p" })).rejects.toThrow("transactionId is required");
    await expect(client.post("/api/v1/consumer-groups/g/queues/q/seek", {})).rejects.toThrow(
      "Must specify either 'toEnd': true or 'timestamp'",
    );
  });
});
