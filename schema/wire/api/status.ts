/**
 * The dashboard's summary and its count of messages.
 *
 * @module
 */
import { Type } from "typebox";
import type { ApiOperation } from "./operation.ts";
import { anything, count, exact, Instant, InstantText, oneOf, Uuid } from "./shapes.ts";

/** A point in time that stands for a bucket: whole seconds. */
export const Bucket = Type.String({ pattern: "^\\d{4,6}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\dZ$", format: "date-time" });

/** A measured number, not negative. */
export const Measured = Type.Number({ minimum: 0 });

/** `from` and `to` of series. */
export const rangeQuery = {
  from: Type.String({ ...InstantText, description: "An hour before `to` when absent." }),
  to: Type.String({ ...InstantText, description: "Now when absent." }),
};

/** What series say of their range. */
export const rangeAnswer = {
  timeRange: exact({ from: Instant, to: Instant }, { title: "TimeRange" }),
  bucketMinutes: Type.Integer({ minimum: 1, description: "Width of a bucket, by the length of the range." }),
};

const filters = { queue: Type.String(), namespace: Type.String(), task: Type.String() };

const Throughput = exact(
  {
    timestamp: Bucket,
    ingested: count(),
    processed: count(),
    popMessages: count(),
    ingestedPerSecond: Measured,
    processedPerSecond: Measured,
    popPerSecond: Measured,
    avgLagMs: Measured,
    maxLagMs: Measured,
    avgEventLoopLagMs: Measured,
    maxEventLoopLagMs: Measured,
    minFreeSlots: count(),
    dbErrors: count(),
    ackFailed: count(),
    dlqCount: count(),
    queenCpuUserPct: Measured,
    queenCpuSysPct: Measured,
    queenRssMb: Measured,
    dbPoolActive: Measured,
    dbPoolIdle: Measured,
    dbPoolSize: Measured,
  },
  { title: "Throughput" },
);
const perOperation = (value: typeof Measured) => exact({ push: value, pop: value, ack: value });

const StatusAnswer = exact(
  {
    ...rangeAnswer,
    pointCount: count(),
    throughput: Type.Array(Throughput, { description: "Newest first." }),
    queues: Type.Array(
      exact({
        id: Uuid,
        name: Type.String(),
        namespace: Type.String(),
        task: Type.String(),
        partitions: count(),
        totalConsumed: count(),
      }),
    ),
    messages: exact({
      total: count(),
      pending: count(),
      processing: Type.Literal(0),
      completed: count(),
      failed: count(),
      deadLetter: count(),
      requests: perOperation(Measured),
      batchEfficiency: perOperation(Measured),
    }),
    leases: exact({
      active: count(),
      partitionsWithLeases: count(),
      totalBatchSize: count(),
      totalAcked: count(),
    }),
    deadLetterQueue: exact({
      totalMessages: count(),
      affectedPartitions: count(),
      topErrors: Type.Array(anything()),
    }),
    workers: Type.Array(
      exact({
        hostname: Type.String(),
        workerId: count(),
        avgEventLoopLagMs: Measured,
        maxEventLoopLagMs: Measured,
        freeSlots: count(),
        dbConnections: count(),
        jobQueueSize: count(),
        messagesProcessed: count(),
      }),
    ),
    errors: exact({ dbErrors: count(), ackFailed: count(), dlqMessages: count() }),
    statsAge: Type.Number({ minimum: 0, description: "Seconds since something was measured." }),
  },
  { title: "StatusAnswer" },
);

/** Routes of the summary. */
export const statusOperations: readonly ApiOperation[] = [
  {
    method: "GET",
    path: "/api/v1/status",
    id: "status",
    tag: "Status",
    summary: "Throughput over time, and how everything stands",
    query: { ...rangeQuery, ...filters },
    answers: { 200: { description: "Of all instances.", schema: StatusAnswer } },
  },
  {
    method: "GET",
    path: "/api/v1/status/analytics",
    id: "messageCounts",
    tag: "Status",
    summary: "Messages pushed per minute, hour or day",
    query: {
      ...rangeQuery,
      from: Type.String({ ...InstantText, description: "A day before `to` when absent." }),
      ...filters,
      interval: Type.Enum(["minute", "hour", "day"], { type: "string", default: "hour" }),
    },
    answers: {
      200: {
        description: "A point for each, oldest first, zeros included.",
        schema: exact({
          dataPoints: Type.Array(exact({ timestamp: Bucket, messages: count() })),
          interval: oneOf("minute", "hour", "day"),
          from: Instant,
          to: Instant,
        }),
      },
    },
  },
];
