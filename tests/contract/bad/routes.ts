/**
 * The routes that read a body, each with a good request, its fields, and how to tell that nothing happened.
 *
 * @module
 */
import { expect } from "bun:test";
import { type Api, leasedAckOf, payloads } from "../../support/api.ts";
import { uniqueName } from "../../support/names.ts";
import type { Kind } from "./cases.ts";

/** A prepared request: everything in place so that `body` would be accepted. */
export interface Prepared {
  path: string;
  body: unknown;
  /** Fails when a refused request left a trace. */
  unchanged(): Promise<void>;
}

/** A route with a body. */
export interface Route {
  name: string;
  prepare(api: Api): Promise<Prepared>;
  /** Path in the good body, what may not stand there, and what the error must mention. */
  fields: readonly (readonly [path: string, kind: Kind, names: RegExp])[];
  /** Bodies with the exact error text that the contract gives; `null` is no body. */
  texts: readonly (readonly [body: unknown, error: string])[];
  /** An empty body, `{}` and `[]` are good: every field is optional. */
  bodyOptional?: boolean;
}

const OPTIONS: readonly (readonly [string, Kind])[] = [
  ["leaseTime", "integer"],
  ["retryLimit", "integer"],
  ["retryDelay", "integer"],
  ["maxSize", "integer"],
  ["ttl", "integer"],
  ["priority", "integer"],
  ["delayedProcessing", "integer"],
  ["windowBuffer", "integer"],
  ["retentionSeconds", "integer"],
  ["completedRetentionSeconds", "integer"],
  ["maxWaitTimeSeconds", "integer"],
  ["deadLetterQueue", "boolean"],
  ["dlqAfterMaxRetries", "boolean"],
  ["retentionEnabled", "boolean"],
  ["encryptionEnabled", "boolean"],
];

async function neverMade(api: Api, queue: string): Promise<void> {
  expect(await api.pop(queue, { batch: 10, partitions: 10 })).toEqual([]);
  expect((await api.http.del(`/api/v1/resources/queues/${queue}`)).json.existed).toBe(false);
}

/** A queue with messages 1 and 2 under one lease. */
async function leased(api: Api) {
  const queue = uniqueName("bad");
  await api.pushAll(queue, "p", [1, 2]);
  const messages = await api.pop(queue, { batch: 2 });
  return { queue, messages };
}

const configure: Route = {
  name: "POST /api/v1/configure",
  async prepare(api) {
    const queue = uniqueName("bad");
    const body = { queue, namespace: "n", task: "t", options: { leaseTime: 5 } };
    return { path: "/api/v1/configure", body, unchanged: () => neverMade(api, queue) };
  },
  fields: [
    ["queue", "requiredName", /queue/i],
    ["namespace", "lenientName", /namespace/i],
    ["task", "lenientName", /task/i],
    ["options", "object", /options/i],
    ...OPTIONS.map(([option, kind]) => [`options.${option}`, kind, new RegExp(option)] as const),
  ],
  texts: [
    [{}, "queue is required"],
    [{ queue: 5 }, "queue is required"],
    [{ queue: null, options: {} }, "queue is required"],
    [null, "Empty request body"],
  ],
};

const push: Route = {
  name: "POST /api/v1/push",
  async prepare(api) {
    const queue = uniqueName("bad");
    const item = { queue, partition: "p", payload: 2, transactionId: "t", traceId: crypto.randomUUID() };
    return {
      path: "/api/v1/push",
      body: { items: [{ queue, payload: 1 }, item] },
      unchanged: () => neverMade(api, queue),
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
    [{ items: "x" }, "items array is required"],
    [{ items: [{ queue: 5 }] }, "Queue must be a string"],
    [{ items: [{}] }, "Queue must be a string"],
    [{ items: [{ queue: "bad-q", partition: 5 }] }, "Partition must be a string"],
    [{ items: [{ queue: "bad-q", partition: null }] }, "Partition must be a string"],
    [{ items: [{ queue: "bad-q", transactionId: 5 }] }, "TransactionId must be a string"],
    [{ items: [{ queue: "bad-q", transactionId: null }] }, "TransactionId must be a string"],
    [{ items: [{ queue: "bad-q", traceId: 5 }] }, "TraceId must be a string"],
    [{ items: [{ queue: 5, partition: 5, transactionId: 5 }] }, "Partition must be a string"],
    [null, "Empty request body"],
  ],
};

const ack: Route = {
  name: "POST /api/v1/ack",
  async prepare(api) {
    const { queue, messages } = await leased(api);
    return {
      path: "/api/v1/ack",
      body: { ...leasedAckOf(messages[0]!, "completed", "e") },
      async unchanged() {
        expect(await api.pop(queue)).toEqual([]);
        const results = await api.ackBatch(messages.map((message) => leasedAckOf(message, "retry")));
        expect(results.map((result) => result.success)).toEqual([true, true]);
        expect(payloads(await api.pop(queue, { batch: 10 }))).toEqual([1, 2]);
      },
    };
  },
  fields: [
    ["transactionId", "requiredName", /transactionId/],
    ["partitionId", "requiredId", /partitionId/],
    ["status", "optionalId", /status/],
    ["consumerGroup", "optionalName", /consumerGroup/],
    ["leaseId", "optionalId", /leaseId/],
    ["error", "optionalId", /error/],
  ],
  texts: [
    [{ partitionId: "p" }, "transactionId is required"],
    [{ transactionId: "t" }, "partitionId is required to ensure message uniqueness"],
    [{ transactionId: 5, partitionId: "p" }, "transactionId is required"],
    [null, "Empty request body"],
  ],
};

const ackBatch: Route = {
  name: "POST /api/v1/ack/batch",
  async prepare(api) {
    const { path: _path, body, unchanged } = await ack.prepare(api);
    return {
      path: "/api/v1/ack/batch",
      body: { acknowledgments: [body, body], consumerGroup: "__QUEUE_MODE__" },
      unchanged,
    };
  },
  fields: [
    ["acknowledgments", "array", /acknowledgments/],
    ["acknowledgments", "elements", /acknowledgment/],
    ["consumerGroup", "optionalName", /consumerGroup/],
    ["acknowledgments.1.transactionId", "requiredName", /transactionId/],
    ["acknowledgments.1.partitionId", "requiredId", /partitionId/],
    ["acknowledgments.1.status", "optionalId", /status/],
    ["acknowledgments.1.leaseId", "optionalId", /leaseId/],
    ["acknowledgments.1.error", "optionalId", /error/],
  ],
  texts: [
    [{}, "acknowledgments array is required"],
    [{ acknowledgments: {} }, "acknowledgments array is required"],
    [{ acknowledgments: [{ partitionId: "p" }] }, "Each acknowledgment must have a valid transactionId string"],
    [
      { acknowledgments: [{ transactionId: "t" }] },
      "Each acknowledgment must have a valid partitionId string to ensure message uniqueness",
    ],
    [null, "Empty request body"],
  ],
};

const transaction: Route = {
  name: "POST /api/v1/transaction",
  async prepare(api) {
    const made = await ack.prepare(api);
    const next = uniqueName("bad");
    const operations = [
      { type: "ack", ...(made.body as object) },
      {
        type: "push",
        items: [{ queue: next, partition: "p", payload: 1, transactionId: "t", traceId: crypto.randomUUID() }],
      },
      { type: "push", queue: next, partition: "p", payload: 2, transactionId: "u" },
    ];
    const unchanged = async (): Promise<void> => {
      await neverMade(api, next);
      await made.unchanged();
    };
    return { path: "/api/v1/transaction", body: { operations, requiredLeases: [] }, unchanged };
  },
  fields: [
    ["operations", "array", /operations/],
    ["operations", "elements", /operation/],
    ["operations.0.transactionId", "requiredName", /transactionId/],
    ["operations.0.partitionId", "requiredId", /partitionId/],
    ["operations.0.consumerGroup", "optionalName", /consumerGroup/],
    ["operations.0.error", "optionalId", /error/],
    ["operations.1.items.0.queue", "requiredName", /queue/i],
    ["operations.1.items.0.partition", "optionalName", /partition/i],
    ["operations.1.items.0.transactionId", "optionalName", /transactionId/i],
    ["operations.1.items.0.traceId", "uuid", /traceId/i],
    ["operations.1.items.0.payload", "deep", /payload|nest|deep/i],
    ["operations.2.queue", "requiredName", /queue/i],
    ["operations.2.transactionId", "optionalName", /transactionId/i],
  ],
  texts: [
    [{}, "operations array required"],
    [{ operations: "x" }, "operations array required"],
    [{ operations: [] }, "operations array cannot be empty"],
    [null, "Empty request body"],
  ],
};

const extend: Route = {
  name: "POST /api/v1/lease/:leaseId/extend",
  async prepare(api) {
    const { queue, messages } = await leased(api);
    const path = `/api/v1/lease/${messages[0]!.leaseId}/extend`;
    return {
      path,
      body: { seconds: 100_000 },
      async unchanged() {
        const { json } = await api.http.post(path, {});
        expect(Date.parse(json.newExpiresAt) - Date.now(), queue).toBeLessThan(301_000);
      },
    };
  },
  fields: [["seconds", "integer", /seconds/]],
  texts: [],
  bodyOptional: true,
};

const leaseAck: Route = {
  name: "POST /api/v1/lease/:leaseId/ack",
  async prepare(api) {
    const { path: _path, unchanged, body } = await ack.prepare(api);
    const path = `/api/v1/lease/${(body as { leaseId: string }).leaseId}/ack`;
    return { path, body: { consumerGroup: "__QUEUE_MODE__", status: "completed", error: "e" }, unchanged };
  },
  fields: [
    ["consumerGroup", "optionalName", /consumerGroup/],
    ["status", "optionalId", /status/],
    ["error", "optionalId", /error/],
  ],
  texts: [[{ status: "done" }, "status must be one of completed, success, failed, dlq, retry"]],
  bodyOptional: true,
};

const traces: Route = {
  name: "POST /api/v1/traces",
  async prepare(api) {
    const queue = uniqueName("bad");
    const [pushed] = await api.push({ queue, transactionId: "t" });
    const body = {
      transactionId: "t",
      partitionId: pushed!.partition_id!,
      data: 1,
      consumerGroup: "g",
      eventType: "info",
      traceNames: ["x"],
    };
    return {
      path: "/api/v1/traces",
      body,
      async unchanged() {
        expect((await api.http.get(`/api/v1/traces/${pushed!.partition_id}/t`)).json).toEqual({ traces: [] });
      },
    };
  },
  fields: [
    ["transactionId", "requiredName", /transactionId/],
    ["partitionId", "requiredId", /partitionId/],
    ["data", "deep", /data|nest|deep/],
    ["consumerGroup", "optionalName", /consumerGroup/],
    ["eventType", "text", /eventType/],
    ["traceNames.0", "text", /traceNames/],
  ],
  texts: [
    [{ data: 1 }, "transactionId and partitionId are required"],
    [{ transactionId: "t", data: 1 }, "transactionId and partitionId are required"],
    [{ transactionId: "t", partitionId: "0190a5c8-7d3e-7000-8000-000000000000" }, "data is required"],
    [null, "Empty request body"],
  ],
};

const subscription: Route = {
  name: "POST /api/v1/consumer-groups/:group/subscription",
  async prepare(api) {
    const [queue, group] = [uniqueName("bad"), uniqueName("g")];
    await api.push({ queue, partition: "p", payload: 1 });
    await api.pop(queue, { consumerGroup: group, subscriptionMode: "new" });
    await api.push({ queue, partition: "p", payload: 2 });
    return {
      path: `/api/v1/consumer-groups/${group}/subscription`,
      body: { subscriptionTimestamp: "2020-01-01T00:00:00.000Z" },
      async unchanged() {
        await api.http.del(`/api/v1/consumer-groups/${group}/queues/${queue}?deleteMetadata=false`);
        expect(payloads(await api.pop(queue, { consumerGroup: group, batch: 10 }))).toEqual([2]);
      },
    };
  },
  fields: [["subscriptionTimestamp", "time", /subscriptionTimestamp/]],
  texts: [[{}, "Missing subscriptionTimestamp in request body"]],
};

const seek: Route = {
  name: "POST /api/v1/consumer-groups/:group/queues/:queue/seek",
  async prepare(api) {
    const [queue, group] = [uniqueName("bad"), uniqueName("g")];
    await api.pushAll(queue, "p", [1, 2]);
    await api.pop(queue, { consumerGroup: group, autoAck: true });
    return {
      path: `/api/v1/consumer-groups/${group}/queues/${queue}/seek`,
      body: { timestamp: "2020-01-01T00:00:00.000Z" },
      async unchanged() {
        expect(payloads(await api.pop(queue, { consumerGroup: group, batch: 10 }))).toEqual([2]);
      },
    };
  },
  fields: [["timestamp", "time", /timestamp/]],
  texts: [
    [{}, "Must specify either 'toEnd': true or 'timestamp'"],
    [{ toEnd: false }, "Must specify either 'toEnd': true or 'timestamp'"],
  ],
};

/** Every route that reads a body. */
export const ROUTES: readonly Route[] = [
  configure,
  push,
  ack,
  ackBatch,
  transaction,
  extend,
  leaseAck,
  traces,
  subscription,
  seek,
];
