/**
 * What there is: queues, partitions, namespaces, tasks.
 *
 * @module
 */
import { Type } from "typebox";
import { QueueOptionsBody } from "../admin-requests.ts";
import type { ApiOperation } from "./operation.ts";
import { count, ErrorAnswer, exact, Instant, nullable, Pagination, pageQuery, Uuid } from "./shapes.ts";

const six = {
  total: count(),
  pending: count("Waiting and not handed out."),
  processing: count("Under a live lease."),
  completed: count(),
  failed: Type.Literal(0),
  deadLetter: count(),
};
/** The six counts of messages. */
export const MessageCounts = exact(six, { title: "MessageCounts" });

const names = {
  id: Uuid,
  name: Type.String(),
  namespace: Type.String(),
  task: Type.String(),
  createdAt: Instant,
};
const QueueElement = exact(
  {
    ...names,
    partitions: count(),
    messages: exact({ total: count(), pending: count(), processing: count() }),
  },
  { title: "QueueElement" },
);
const QueueList = exact(
  { queues: Type.Array(QueueElement), total: count("Queues in all."), pagination: Pagination },
  { title: "QueueList" },
);
const page = {
  partitionCount: count("Partitions in all; the answer holds a page of them."),
  pagination: Pagination,
};
const ages = { oldestMessage: nullable(Instant), newestMessage: nullable(Instant) };
const QueueDetail = exact(
  {
    ...names,
    partitions: Type.Array(
      exact(
        { id: Uuid, name: Type.String(), createdAt: Instant, stats: MessageCounts, ...ages },
        { title: "PartitionElement" },
      ),
    ),
    totals: MessageCounts,
    ...page,
  },
  { title: "QueueDetail" },
);
const QueueStatus = exact(
  {
    queue: exact({
      ...names,
      priority: Type.Integer(),
      config: exact({
        leaseTime: Type.Integer(),
        retryLimit: Type.Integer(),
        retryDelay: Type.Integer(),
        ttl: Type.Integer(),
        maxQueueSize: Type.Integer(),
        deadLetterQueue: Type.Boolean(),
      }),
      options: exact(
        {
          ...QueueOptionsBody.properties,
          retryDelay: nullable(Type.Integer()),
          ttl: nullable(Type.Integer()),
        },
        { description: "What configure takes; null where nothing was given, which differs from giving the default." },
      ),
    }),
    partitions: Type.Array(
      exact(
        {
          id: Uuid,
          name: Type.String(),
          createdAt: Instant,
          messages: MessageCounts,
          stats: MessageCounts,
          cursor: exact({ totalConsumed: count(), batchesConsumed: count() }),
          lastActivity: nullable(Instant),
          ...ages,
        },
        { title: "PartitionStatus" },
      ),
    ),
    totals: exact({ messages: MessageCounts, ...six }),
    ...page,
  },
  { title: "QueueStatus" },
);
const labelled = {
  queues: count(),
  partitions: count(),
  messages: exact({ total: count(), pending: count() }),
};
const Figures = exact(
  { avg: Type.Number(), median: Type.Number(), min: Type.Number(), max: Type.Number() },
  { title: "Figures" },
);
const filters = { namespace: Type.String(), task: Type.String() };
const PARTITIONS_LIMIT = 1_000;
const LIMIT = 10_000;

const resources: readonly ApiOperation[] = [
  {
    method: "GET",
    path: "/api/v1/resources/queues",
    id: "queues",
    tag: "Resources",
    summary: "List queues with counts, newest first",
    query: { ...filters, ...pageQuery(LIMIT) },
    answers: { 200: { description: "`pending` excludes what is being processed.", schema: QueueList } },
  },
  {
    method: "GET",
    path: "/api/v1/resources/queues/:queue",
    id: "queue",
    tag: "Resources",
    summary: "One queue with totals and a page of its partitions",
    query: pageQuery(PARTITIONS_LIMIT),
    answers: {
      200: { description: "The queue, or `error` when there is none.", schema: Type.Union([QueueDetail, ErrorAnswer]) },
    },
  },
  {
    method: "GET",
    path: "/api/v1/resources/namespaces",
    id: "namespaces",
    tag: "Resources",
    summary: "List namespaces",
    query: pageQuery(LIMIT),
    answers: {
      200: {
        description: "Without the empty one.",
        schema: exact({ namespaces: Type.Array(exact({ namespace: Type.String(), ...labelled })) }),
      },
    },
  },
  {
    method: "GET",
    path: "/api/v1/resources/tasks",
    id: "tasks",
    tag: "Resources",
    summary: "List tasks",
    query: pageQuery(LIMIT),
    answers: {
      200: {
        description: "Without the empty one.",
        schema: exact({ tasks: Type.Array(exact({ task: Type.String(), ...labelled })) }),
      },
    },
  },
  {
    method: "GET",
    path: "/api/v1/resources/overview",
    id: "overview",
    tag: "Resources",
    summary: "Totals of everything",
    answers: {
      200: {
        description: "Counted when asked.",
        schema: exact(
          {
            queues: count(),
            partitions: count(),
            namespaces: count(),
            tasks: count(),
            messages: MessageCounts,
            lag: exact({ time: Figures, offset: Figures }, { description: "`time` in seconds, `offset` in messages." }),
            throughput: exact({ ingestedPerSecond: Type.Number(), processedPerSecond: Type.Number() }),
            timestamp: Instant,
            statsAge: count("Seconds."),
          },
          { title: "Overview" },
        ),
      },
    },
  },
  {
    method: "GET",
    path: "/api/v1/resources/partitions",
    id: "partitions",
    tag: "Resources",
    summary: "List partitions with counts, queue by queue",
    query: {
      queue: Type.String(),
      ...filters,
      minDepth: Type.Integer({ default: 0, minimum: 0, description: "Only partitions with so many waiting messages." }),
      ...pageQuery(PARTITIONS_LIMIT),
    },
    answers: {
      200: {
        description: "A page.",
        schema: exact({
          partitions: Type.Array(
            exact(
              {
                id: Uuid,
                name: Type.String(),
                queue: Type.String(),
                namespace: Type.String(),
                task: Type.String(),
                queuePriority: Type.Integer(),
                createdAt: Instant,
                depth: count(),
                processing: count(),
                total: count(),
              },
              { title: "PartitionDepth" },
            ),
          ),
          pagination: Pagination,
        }),
      },
    },
  },
];

const status: readonly ApiOperation[] = [
  {
    method: "GET",
    path: "/api/v1/status/queues",
    id: "queueStatuses",
    tag: "Status",
    summary: "List queues with counts, newest first",
    query: { ...filters, ...pageQuery(100) },
    answers: { 200: { description: "`pending` includes what is being processed.", schema: QueueList } },
  },
  {
    method: "GET",
    path: "/api/v1/status/queues/:queue",
    id: "queueStatus",
    tag: "Status",
    summary: "One queue with settings, totals and a page of its partitions",
    query: pageQuery(PARTITIONS_LIMIT),
    answers: {
      200: { description: "The queue, or `error` when there is none.", schema: Type.Union([QueueStatus, ErrorAnswer]) },
    },
  },
  {
    method: "POST",
    path: "/api/v1/stats/refresh",
    id: "refreshStatistics",
    tag: "Status",
    summary: "Count everything now; listings count whenever they are asked",
    role: "admin",
    answers: {
      200: {
        description: "What was counted.",
        schema: exact({
          partition: exact({
            partitionsUpdated: count(),
            dirtyPartitionsScanned: count(),
            partitionsSkippedByWatermark: count(),
            newPartitions: count(),
          }),
          queue: exact({ queuesUpdated: count() }),
          namespace: exact({ namespacesUpdated: count() }),
          task: exact({ tasksUpdated: count() }),
          system: exact({ systemUpdated: count() }),
          cleanup: exact({ orphanedDeleted: count() }),
        }),
      },
    },
  },
];

/** Routes that list what there is. */
export const inventoryOperations: readonly ApiOperation[] = [...resources, ...status];
