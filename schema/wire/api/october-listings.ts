/**
 * The October 2025 dialect: resources, messages, analytics, health and metrics.
 *
 * @module
 */
import { Type } from "typebox";
import { QueueOptionsBody } from "../admin-requests.ts";
import { inventoryOperations } from "./inventory.ts";
import { metricsOperations } from "./metrics.ts";
import { OCTOBER, OctoberMessage } from "./october-shapes.ts";
import type { ApiAnswer, ApiOperation } from "./operation.ts";
import { count, exact, Instant, InstantText, nullable, oneOf, pageQuery, Uuid } from "./shapes.ts";

const tag = "October 2025";
const seconds = () => Type.Number({ minimum: 0 });
const text = () => nullable(Type.String());

const Six = exact(
  {
    pending: count(),
    processing: count("Handed out, and not answered for."),
    completed: count(),
    failed: count("Waiting for another attempt."),
    deadLetter: count(),
    total: count(),
  },
  { title: "OctoberCounts" },
);
const truncated = Type.Optional(
  Type.Literal(true, { description: "There are more partitions than the answer counts." }),
);
const names = { queue: Type.String(), namespace: text(), task: text() };
const queueCounts = {
  ...names,
  totals: Six,
  partitions: Type.Array(exact({ name: Type.String(), stats: Six })),
};
const QueueCounts = exact(queueCounts, { title: "OctoberQueueCounts" });

const perMinute = exact({ messagesPerMinute: count(), messagesPerSecond: count() });
const Throughput = exact(
  {
    timestamp: Instant,
    incoming: perMinute,
    completed: perMinute,
    processing: perMinute,
    failed: perMinute,
    deadLetter: perMinute,
    lag: exact({ avgSeconds: seconds(), avgMilliseconds: seconds(), sampleCount: count() }),
  },
  { title: "OctoberThroughput" },
);
const Lag = exact(
  {
    pendingCount: count(),
    processingCount: count(),
    totalBacklog: count(),
    completedMessages: count(),
    avgProcessingTimeSeconds: nullable(seconds()),
    medianProcessingTimeSeconds: nullable(seconds()),
    p95ProcessingTimeSeconds: nullable(seconds()),
    estimatedLagSeconds: seconds(),
    medianLagSeconds: seconds(),
    p95LagSeconds: seconds(),
    estimatedLag: text(),
    medianLag: text(),
    p95Lag: text(),
    avgProcessingTime: text(),
    medianProcessingTime: text(),
  },
  { title: "OctoberLag" },
);

/** The answers of an operation of `/api/v1` that the dialect shares. */
function answersOf(operations: readonly ApiOperation[], id: string): Readonly<Record<number, ApiAnswer>> {
  return operations.find((operation) => operation.id === id)!.answers;
}

const labels = { queue: Type.String(), namespace: Type.String(), task: Type.String() };
const range = { fromDateTime: InstantText, toDateTime: InstantText };

function shared(name: string, id: string, summary: string, query: ApiOperation["query"]): ApiOperation {
  return {
    method: "GET",
    path: `${OCTOBER}/resources/${name}`,
    id: `october${id[0]!.toUpperCase()}${id.slice(1)}`,
    tag,
    summary,
    ...(query && { query }),
    answers: answersOf(inventoryOperations, id),
  };
}

const resources: readonly ApiOperation[] = [
  shared("queues", "queues", "List queues with counts", {
    namespace: labels.namespace,
    task: labels.task,
    ...pageQuery(10_000),
  }),
  shared("partitions", "partitions", "List partitions with counts", {
    ...labels,
    minDepth: Type.Integer({ default: 0, minimum: 0 }),
    ...pageQuery(10_000),
  }),
  shared("namespaces", "namespaces", "List namespaces", pageQuery(10_000)),
  shared("tasks", "tasks", "List tasks", pageQuery(10_000)),
  shared("overview", "overview", "Totals of everything", undefined),
  {
    method: "GET",
    path: `${OCTOBER}/resources/queues/:queue`,
    id: "octoberQueue",
    tag,
    summary: "One queue with its options, totals and partitions",
    answers: {
      200: {
        description: "Counted as queue mode does.",
        schema: exact(
          {
            id: Uuid,
            name: Type.String(),
            namespace: text(),
            task: text(),
            createdAt: Instant,
            options: exact({ ...QueueOptionsBody.properties }, { title: "QueueOptions" }),
            partitions: Type.Array(
              exact({
                id: Uuid,
                name: Type.String(),
                createdAt: Instant,
                stats: Six,
                oldestMessage: nullable(Instant),
                newestMessage: nullable(Instant),
              }),
            ),
            totals: Six,
            truncated,
          },
          { title: "OctoberQueue" },
        ),
      },
    },
  },
  {
    method: "GET",
    path: `${OCTOBER}/messages`,
    id: "octoberMessages",
    tag,
    summary: "List messages, newest first, with their payloads",
    query: {
      queue: Type.String(),
      partition: Type.String(),
      namespace: Type.String(),
      ns: Type.String({ description: "As `namespace`." }),
      task: Type.String(),
      status: oneOf("pending", "processing", "completed", "failed", "dead_letter"),
      limit: Type.Integer({ default: 100, minimum: 1, maximum: 1_000, description: "Clamped." }),
      offset: Type.Integer({ default: 0, minimum: 0, description: "Clamped." }),
    },
    answers: {
      200: {
        description: "A page.",
        schema: exact({
          messages: Type.Array(OctoberMessage),
          incomplete: Type.Optional(Type.Literal(true, { description: "Too much was in the way of the status." })),
        }),
      },
    },
  },
];

function analytics(path: string, id: string, summary: string, schema: ApiAnswer["schema"]): ApiOperation {
  return {
    method: "GET",
    path: `${OCTOBER}/analytics${path}`,
    id,
    tag,
    summary,
    query: { ...labels, ...range },
    answers: { 200: { description: "Counted when asked, as queue mode does.", ...(schema && { schema }) } },
  };
}

const counts: readonly ApiOperation[] = [
  analytics(
    "",
    "octoberLabelCounts",
    "Counts of a namespace or a task, or of everything",
    exact({
      namespace: Type.Optional(Type.String()),
      task: Type.Optional(Type.String()),
      totals: Six,
      queues: Type.Array(QueueCounts),
      truncated,
    }),
  ),
  analytics(
    "/queues",
    "octoberQueueCounts",
    "Counts by queue and partition",
    exact({ queues: Type.Array(QueueCounts), truncated }),
  ),
  analytics("/queue/:queue", "octoberQueueCount", "Counts of one queue", exact({ ...queueCounts, truncated })),
  analytics(
    "/queue-depths",
    "octoberDepths",
    "How much waits, by queue and partition",
    exact({
      depths: Type.Array(
        exact({
          queue: Type.String(),
          depth: count(),
          processing: count(),
          partitions: Type.Array(exact({ name: Type.String(), depth: count(), processing: count() })),
        }),
      ),
      truncated,
    }),
  ),
  analytics(
    "/queue-stats",
    "octoberGroupCounts",
    "Counts by partition and consumer group",
    Type.Array(
      exact({
        ...names,
        partition: Type.String(),
        consumer_group: text(),
        pending: count(),
        processing: count(),
        completed: count(),
        failed: count(),
        dead_letter: count(),
        total_messages: count(),
        consumer_groups_count: count(),
      }),
    ),
  ),
  analytics(
    "/throughput",
    "octoberThroughput",
    "Traffic by the minute, newest first",
    exact({ throughput: Type.Array(Throughput) }),
  ),
  analytics(
    "/queue-lag",
    "octoberQueueLag",
    "How far consumers are behind",
    exact({
      queues: Type.Array(
        exact({ ...names, partitions: Type.Array(exact({ name: Type.String(), stats: Lag })), totals: Lag }),
      ),
      truncated,
    }),
  ),
];

const Health = exact(
  {
    status: oneOf("healthy", "unhealthy"),
    error: Type.Optional(Type.String()),
    uptime: Type.String({ description: "Such as `12s`." }),
    connections: count("Open sockets."),
    stats: exact({
      requests: count(),
      messages: count(),
      requestsPerSecond: seconds(),
      messagesPerSecond: seconds(),
      pool: exact({ total: count(), idle: count(), waiting: count() }),
    }),
  },
  { title: "OctoberHealth" },
);

const system: readonly ApiOperation[] = [
  {
    method: "GET",
    path: "/2025-10/health",
    id: "octoberHealth",
    tag,
    summary: "Whether this instance and its database work",
    role: "public",
    answers: {
      200: { description: "They do.", schema: Health },
      503: { description: "They do not.", schema: Health },
    },
  },
  {
    method: "GET",
    path: "/2025-10/metrics",
    id: "octoberMetrics",
    tag,
    summary: "A few figures of this instance",
    role: "public",
    answers: answersOf(metricsOperations, "metrics"),
  },
];

/** Listings of the dialect, its health and its metrics. */
export const octoberListingOperations: readonly ApiOperation[] = [...resources, ...counts, ...system];
