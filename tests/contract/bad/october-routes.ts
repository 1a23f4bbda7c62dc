/**
 * The routes of the October 2025 dialect that read a body, as those of `routes.ts`.
 *
 * @module
 */
import { expect } from "bun:test";
import type { Api } from "../../support/api.ts";
import { uniqueName } from "../../support/names.ts";
import { OCTOBER, OctoberApi } from "../../support/october.ts";
import type { Route } from "./routes.ts";

const API = `${OCTOBER}/api/v1`;

/** A queue with messages 1 and 2 under one lease, by transaction ids of their own. */
async function leased(api: Api) {
  const october = new OctoberApi(api.http);
  const queue = uniqueName("bad");
  await october.configure(queue);
  const ids = [`${queue} 1`, `${queue} 2`];
  await october.push(...ids.map((transactionId, n) => ({ queue, payload: n + 1, transactionId })));
  await october.popQueue(queue, { batch: 2 });
  return {
    ids,
    async unchanged() {
      expect(await october.popQueue(queue)).toEqual([]);
      for (const id of ids) expect((await october.message(id)).status).toBe("processing");
    },
  };
}

const configure: Route = {
  name: "POST /2025-10/api/v1/configure",
  async prepare(api) {
    const queue = uniqueName("bad");
    return {
      path: `${API}/configure`,
      body: { queue, namespace: "n", task: "t", partition: "p", options: { leaseTime: 5 } },
      async unchanged() {
        expect((await api.http.get(`${API}/resources/queues/${queue}`)).status).toBe(404);
      },
    };
  },
  fields: [
    ["queue", "requiredName", /queue/i],
    ["namespace", "optionalName", /namespace/i],
    ["task", "optionalName", /task/i],
    ["partition", "optionalName", /partition/i],
    ["options", "object", /options/i],
    ["options.retryLimit", "integer", /retryLimit/],
    ["options.maxSize", "integer", /maxSize/],
    ["options.dlqAfterMaxRetries", "boolean", /dlqAfterMaxRetries/],
  ],
  texts: [
    [{}, "queue is required"],
    [{ queue: "" }, "queue is required"],
    [null, "Empty request body"],
  ],
};

const push: Route = {
  name: "POST /2025-10/api/v1/push",
  async prepare(api) {
    const october = new OctoberApi(api.http);
    const queue = uniqueName("bad");
    await october.configure(queue);
    const item = { queue, partition: "p", payload: 2, transactionId: "t", traceId: crypto.randomUUID() };
    return {
      path: `${API}/push`,
      body: { items: [{ queue, payload: 1 }, item] },
      async unchanged() {
        expect(await october.popQueue(queue)).toEqual([]);
      },
    };
  },
  fields: [
    ["items", "array", /items/],
    ["items", "elements", /item|queue/i],
    ["items.1.queue", "requiredName", /queue/i],
    ["items.1.partition", "optionalName", /partition/i],
    ["items.1.transactionId", "optionalName", /transactionId/i],
    ["items.1.traceId", "uuid", /traceId/i],
    ["items.1.payload", "deep", /payload|nest|deep/i],
  ],
  texts: [
    [{}, "items array is required"],
    [{ items: [] }, "No items to push"],
    [{ items: [{}] }, "Queue must be a string"],
    [null, "Empty request body"],
  ],
};

const ack: Route = {
  name: "POST /2025-10/api/v1/ack",
  async prepare(api) {
    const { ids, unchanged } = await leased(api);
    return { path: `${API}/ack`, body: { transactionId: ids[0], status: "completed", error: "e" }, unchanged };
  },
  fields: [
    ["transactionId", "requiredName", /transactionId/],
    ["status", "requiredId", /status/],
    ["consumerGroup", "optionalName", /consumerGroup/],
    ["error", "optionalId", /error/],
  ],
  texts: [
    [{ status: "completed" }, "transactionId is required"],
    [{ transactionId: "t", status: "retry" }, "status must be 'completed' or 'failed'"],
    [null, "Empty request body"],
  ],
};

const ackBatch: Route = {
  name: "POST /2025-10/api/v1/ack/batch",
  async prepare(api) {
    const { ids, unchanged } = await leased(api);
    const acknowledgments = ids.map((transactionId) => ({ transactionId, status: "failed", error: "e" }));
    return { path: `${API}/ack/batch`, body: { acknowledgments, consumerGroup: null }, unchanged };
  },
  fields: [
    ["acknowledgments", "array", /acknowledgments/],
    ["acknowledgments", "elements", /acknowledgment/],
    ["consumerGroup", "optionalName", /consumerGroup/],
    ["acknowledgments.1.transactionId", "requiredName", /transactionId/],
    ["acknowledgments.1.status", "requiredId", /status/],
    ["acknowledgments.1.error", "optionalId", /error/],
  ],
  texts: [
    [{}, "acknowledgments array is required"],
    [{ acknowledgments: [{}] }, "Each acknowledgment must have a valid transactionId string"],
    [{ acknowledgments: [{ transactionId: "t", status: "dlq" }] }, "status must be 'completed' or 'failed'"],
    [null, "Empty request body"],
  ],
};

/** Every route of the dialect that reads a body. */
export const OCTOBER_ROUTES: readonly Route[] = [configure, push, ack, ackBatch];
