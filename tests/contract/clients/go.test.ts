import { describe, expect, test } from "bun:test";
import { uniqueName, uuidV7 } from "../../support/names.ts";
import { useSharedServer } from "../../support/shared.ts";
import { Client, GO } from "./client.ts";

const client = new Client(useSharedServer(), GO);

const push = (queue: string, payload: object, partition = "Default") =>
  client.post("/api/v1/push", { items: [{ queue, partition, payload, transactionId: uuidV7() }] });

const pop = (queue: string, params = "batch=1&wait=false&timeout=30000") =>
  client.get(`/api/v1/pop/queue/${client.encode(queue)}?${params}`);

describe("the Go client", () => {
  test("configures with only the options that are not zero", async () => {
    const queue = uniqueName("go");
    const answer = await client.post("/api/v1/configure", { queue, options: { leaseTime: 60, retryLimit: 3 } });
    expect(answer).toMatchObject({
      configured: true,
      queue,
      namespace: "",
      task: "",
      options: { leaseTime: 60, maxSize: 0 },
    });
  });

  test("decodes a push under data, with a result per item", async () => {
    const answer = await push(uniqueName("go"), { n: 1 });
    expect(answer.data).toHaveLength(1);
    expect(answer.data[0]).toMatchObject({ status: "queued" });
    expect(answer.data[0].error).toBeUndefined();
  });

  test("pops objects and acks; an empty pop is an empty map", async () => {
    const queue = uniqueName("go");
    await push(queue, { n: 1 });
    const { messages } = await pop(queue, "autoAck=false&batch=1&wait=false");
    expect(messages[0].data).toEqual({ n: 1 });
    const { transactionId, partitionId, leaseId } = messages[0];
    const answer = await client.post("/api/v1/ack", { transactionId, partitionId, leaseId, status: "completed" });
    expect(answer.error).toBeUndefined();
    expect(await pop(queue)).toEqual({});
  });

  test("reads errors of a batch ack under data", async () => {
    const queue = uniqueName("go");
    await push(queue, { n: 1 });
    const { messages } = await pop(queue);
    const { transactionId, partitionId, leaseId } = messages[0];
    const good = { transactionId, partitionId, leaseId, status: "completed" };
    const answer = await client.post("/api/v1/ack/batch", {
      acknowledgments: [{ ...good, transactionId: "nobody" }, good],
      consumerGroup: "__QUEUE_MODE__",
    });
    expect(answer.data.map((result: { error: string | null }) => result.error)).toEqual(["Message not found", null]);
  });

  test("extends a lease and parses newExpiresAt as RFC 3339", async () => {
    const queue = uniqueName("go");
    await push(queue, { n: 1 });
    const { messages } = await pop(queue);
    const answer = await client.post(`/api/v1/lease/${client.encode(messages[0].leaseId)}/extend`, {});
    expect(answer.newExpiresAt).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/);
    expect(Date.parse(answer.newExpiresAt)).toBeGreaterThan(Date.now());
  });

  test("gives its transactional pushes ids of its own", async () => {
    const queue = uniqueName("go");
    const items = [{ queue, partition: "Default", payload: { n: 1 }, transactionId: uuidV7() }];
    const answer = await client.post("/api/v1/transaction", {
      operations: [{ type: "push", items }],
      requiredLeases: [],
    });
    expect(answer.success).toBe(true);
    expect(answer.results[0].transactionId).toBe(items[0]!.transactionId);
  });

  test("reads messages and total of the dead letters", async () => {
    const queue = uniqueName("go");
    await push(queue, { n: 1 });
    const { messages } = await pop(queue);
    const { transactionId, partitionId } = messages[0];
    await client.post("/api/v1/ack", { transactionId, partitionId, status: "dlq", error: "boom" });
    const dlq = await client.get(`/api/v1/dlq?queue=${queue}&limit=10&offset=0&from=2020-01-01T00%3A00%3A00Z`);
    expect(dlq).toMatchObject({ total: 1, messages: [{ data: { n: 1 }, errorMessage: "boom" }] });
  });

  test("escapes names in every path", async () => {
    const queue = `${uniqueName("go")} a/b`;
    await push(queue, { n: 1 }, "p/q");
    const path = `/api/v1/pop/queue/${client.encode(queue)}/partition/${client.encode("p/q")}`;
    expect((await client.get(`${path}?batch=1&consumerGroup=g`)).messages).toHaveLength(1);
    const seek = `/api/v1/consumer-groups/g/queues/${client.encode(queue)}/partitions/${client.encode("p/q")}/seek`;
    expect(await client.post(seek, { toEnd: true })).toMatchObject({ success: true, updated: true });
    expect(await client.del(`/api/v1/resources/queues/${client.encode(queue)}`)).toMatchObject({
      deleted: true,
      existed: true,
    });
  });

  test("takes a refusal as an error with the server's text", async () => {
    await expect(client.post("/api/v1/push", { items: "x" })).rejects.toThrow("items array is required");
  });

  test("consumes on delivery with autoAck, sent as true", async () => {
    const queue = uniqueName("go");
    await push(queue, { n: 1 });
    expect((await pop(queue, "autoAck=true&batch=10&wait=false")).messages).toMatchObject([{ leaseId: "" }]);
    expect(await pop(queue)).toEqual({});
  });

  test("reports success of a single ack unless there is a top-level error, whatever is in data", async () => {
    const queue = uniqueName("go");
    await push(queue, { n: 1 });
    const { messages } = await pop(queue);
    const { transactionId, partitionId } = messages[0];
    const stale = { transactionId, partitionId, leaseId: crypto.randomUUID(), status: "completed" };
    const answer = await client.post("/api/v1/ack", stale);
    expect([answer.error, answer.data[0].success]).toEqual([undefined, false]);
  });

  test("keeps its own transaction id where the answer has none, and reads buffered as no error", async () => {
    const queue = uniqueName("go");
    const transactionId = uuidV7();
    const items = [{ queue, partition: "Default", payload: { n: 1 }, transactionId }];
    const answer = await client.post("/api/v1/push", { items });
    expect(answer.data[0].transactionId ?? transactionId).toBe(transactionId);
    expect(answer.data[0].transaction_id).toBe(transactionId);
  });
});
