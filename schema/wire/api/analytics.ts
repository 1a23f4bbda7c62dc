/**
 * Series of measurements.
 *
 * @module
 */
import { type TProperties, Type } from "typebox";
import type { ApiOperation } from "./operation.ts";
import { PostgresStatistics } from "./postgres-statistics.ts";
import { count, exact, Instant, Name } from "./shapes.ts";
import { Bucket, rangeAnswer, rangeQuery } from "./status.ts";

const byQueue = { ...rangeQuery, queue: Name };

/** A measurement, or a mean: not a whole number. */
const amount = (description?: string) => Type.Number({ minimum: 0, ...(description && { description }) });
const counts = (...names: string[]): TProperties => Object.fromEntries(names.map((name) => [name, count()]));
const amounts = (...names: string[]): TProperties => Object.fromEntries(names.map((name) => [name, amount()]));

const lag = { avgLagMs: amount("Age of messages when they were popped."), maxLagMs: amount() };
const loopLag = { avgEventLoopLagMs: amount(), maxEventLoopLagMs: amount() };

const queueLagFields = { queueName: Type.String(), popCount: count(), ...lag };
const QueueLag = Type.Array(exact({ ...queueLagFields, bucketTime: Bucket }), {
  title: "QueueLag",
  description: "Newest first. Without `queue` the 200 busiest queues.",
});

const QueueOperations = exact(
  {
    ...rangeAnswer,
    series: Type.Array(
      exact({
        bucket: Bucket,
        queueName: Type.String(),
        ...counts("pushRequests", "pushMessages", "popMessages", "popEmpty", "ackRequests", "ackSuccess", "ackFailed"),
        ...counts("transactions", "partitionsCreated", "partitionsDeleted", "partitionCount", "parkedCount"),
        ...lag,
        ...amounts("pushPerSecond", "popPerSecond", "ackPerSecond", "emptyPerSecond"),
      }),
      { description: "Oldest first, then by queue. Without `queue` the 200 busiest queues." },
    ),
    queues: Type.Array(Type.String()),
  },
  { title: "QueueOperations" },
);

const replica = { hostname: Type.String(), workerId: count() };
const ParkedReplicas = exact(
  {
    ...rangeAnswer,
    series: Type.Array(
      exact({ bucket: Bucket, queueName: Type.String(), ...replica, parkedCount: count("Most at once.") }),
    ),
    replicas: Type.Array(exact(replica)),
  },
  { title: "ParkedReplicas" },
);

const expired = counts("retentionMsgs", "completedRetentionMsgs", "evictionMsgs", "totalMsgs", "eventCount");
const Retention = exact(
  {
    ...rangeAnswer,
    series: Type.Array(exact({ bucket: Bucket, ...expired })),
    totals: exact(expired),
  },
  { title: "RetentionSeries" },
);

const WorkerPoint = exact({
  timestamp: Bucket,
  ...counts("pushMessages", "popMessages", "ackMessages", "pushRequests", "popRequests", "ackRequests", "jobsDone"),
  ...amounts("pushPerSecond", "popPerSecond", "ackPerSecond", "avgFreeSlots", "avgJobQueueSize"),
  ...loopLag,
  ...counts("minFreeSlots", "dbConnections", "maxJobQueueSize", "backoffSize", "lagCount", "dbErrors"),
  ...lag,
  ...counts("ackSuccess", "ackFailed", "dlqCount"),
});
const WorkerMetrics = exact(
  {
    ...rangeAnswer,
    pointCount: count(),
    timeSeries: Type.Array(WorkerPoint, { description: "Newest first." }),
    workers: Type.Array(
      exact({
        ...replica,
        ...loopLag,
        ...counts("freeSlots", "dbConnections", "jobQueueSize", "backoffSize", "messagesProcessed"),
        lastSeen: Instant,
      }),
    ),
    queues: Type.Array(exact(queueLagFields)),
    summary: exact({
      ...counts("totalPushMessages", "totalPopMessages", "totalAckMessages"),
      ...counts("totalPushRequests", "totalPopRequests", "totalAckRequests"),
      ...counts("totalDbErrors", "totalAckFailed", "totalDlq", "pendingMessages"),
    }),
  },
  { title: "WorkerMetrics" },
);

const leaf = exact(amounts("avg", "min", "max", "last"));
const leaves = (...names: string[]) => exact(Object.fromEntries(names.map((name) => [name, leaf])));
const operation = leaves("count", "latency_us", "items");
const SystemMetrics = exact(
  {
    timeRange: rangeAnswer.timeRange,
    replicas: Type.Array(
      exact({
        hostname: Type.String(),
        port: count(),
        workerId: Type.String({ description: "Name of the instance." }),
        timeSeries: Type.Array(
          exact({
            timestamp: Bucket,
            sampleCount: count(),
            metrics: exact({
              cpu: leaves("user_us", "system_us"),
              memory: leaves("rss_bytes", "virtual_bytes"),
              database: leaves("pool_size", "pool_idle", "pool_active"),
              threadpool: exact({ db: leaves("pool_size", "queue_size"), system: leaves("pool_size", "queue_size") }),
              registries: leaves("response"),
              shared_state: exact({
                enabled: leaf,
                sidecar_ops: exact({ push: operation, pop: operation, ack: operation }),
                queue_backoff: leaves("queues_with_backoff", "total_backed_off_groups", "avg_interval_ms"),
                queue_backoff_summary: leaf,
                queue_config_cache: leaves("size", "hits", "misses"),
                consumer_presence: leaves("queues_tracked", "total_registrations"),
                server_health: leaves("alive", "dead"),
                transport: leaves("sent", "received", "dropped"),
              }),
            }),
          }),
        ),
      }),
    ),
    replicaCount: count(),
    bucketMinutes: rangeAnswer.bucketMinutes,
    pointCount: count(),
  },
  { title: "SystemMetrics" },
);

function series(name: string, summaryText: string, query: TProperties, schema: TProperties[string]): ApiOperation {
  return {
    method: "GET",
    path: `/api/v1/analytics/${name}`,
    id: name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase()),
    tag: "Analytics",
    summary: summaryText,
    query,
    answers: { 200: { description: "What was measured, of all instances.", schema } },
  };
}

const worker = { hostname: Name, workerId: Type.Integer({ minimum: 0 }) };

/** Routes of the series. */
export const analyticsOperations: readonly ApiOperation[] = [
  series("system-metrics", "How processes did", { ...rangeQuery, hostname: Name, workerId: Name }, SystemMetrics),
  series("worker-metrics", "What workers did", { ...rangeQuery, ...worker }, WorkerMetrics),
  series("queue-lag", "How old messages were when they were popped", byQueue, QueueLag),
  series("queue-ops", "What was done with queues", byQueue, QueueOperations),
  series("queue-parked-replicas", "Where pops wait", byQueue, ParkedReplicas),
  series("retention", "What the background jobs deleted", rangeQuery, Retention),
  series("postgres-stats", "How PostgreSQL is doing", {}, PostgresStatistics),
];
