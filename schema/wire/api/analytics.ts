/**
 * The dashboard's summary and its series of measurements.
 *
 * @module
 */
import { type TProperties, Type } from "typebox";
import type { ApiOperation } from "./operation.ts";
import { count, exact, Instant, InstantText, Name, nullable, oneOf } from "./shapes.ts";

const range = { from: InstantText, to: InstantText };
const labels = { queue: Name, namespace: Name, task: Name };
const byQueue = { ...range, queue: Name };

/** A measurement, or a mean: not a whole number. */
const amount = (description?: string) => Type.Number({ minimum: 0, ...(description && { description }) });
/** Beginning of a bucket: whole seconds. */
const BucketTime = Type.String({
  pattern: "^\\d{4,6}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\dZ$",
  format: "date-time",
});
const timeRange = exact({ from: Instant, to: Instant });
const bucketMinutes = Type.Integer({
  minimum: 1,
  description: "1 for up to an hour, 5 for up to 6 hours, 15 for up to a day, 60 for up to a week, 360 beyond.",
});
const counts = (...names: string[]): TProperties => Object.fromEntries(names.map((name) => [name, count()]));
const amounts = (...names: string[]): TProperties => Object.fromEntries(names.map((name) => [name, amount()]));

const lag = { avgLagMs: amount("Age of messages when they were popped."), maxLagMs: amount() };
const loopLag = { avgEventLoopLagMs: amount(), maxEventLoopLagMs: amount() };

const ThroughputPoint = exact({
  timestamp: BucketTime,
  ...counts("ingested", "processed", "popMessages"),
  ...amounts("ingestedPerSecond", "processedPerSecond", "popPerSecond"),
  ...lag,
  ...loopLag,
  ...counts("minFreeSlots", "dbErrors", "ackFailed", "dlqCount"),
  ...amounts("queenCpuUserPct", "queenCpuSysPct", "queenRssMb", "dbPoolActive", "dbPoolIdle", "dbPoolSize"),
});
const requests = exact(counts("push", "pop", "ack"));
const Status = exact(
  {
    timeRange,
    bucketMinutes,
    pointCount: count(),
    throughput: Type.Array(ThroughputPoint, { description: "Newest first." }),
    queues: Type.Array(
      exact({
        id: Type.String(),
        name: Type.String(),
        namespace: Type.String(),
        task: Type.String(),
        ...counts("partitions", "totalConsumed"),
      }),
      { description: "At most 1,000, by name." },
    ),
    messages: exact({
      ...counts("total", "pending", "processing", "completed", "failed", "deadLetter"),
      requests,
      batchEfficiency: exact(amounts("push", "pop", "ack"), { description: "Messages a request." }),
    }),
    leases: exact(counts("active", "partitionsWithLeases", "totalBatchSize", "totalAcked")),
    deadLetterQueue: exact({
      ...counts("totalMessages", "affectedPartitions"),
      topErrors: Type.Array(exact({ error: Type.String(), count: count() })),
    }),
    workers: Type.Array(
      exact({
        hostname: Type.String(),
        workerId: count(),
        ...loopLag,
        ...counts("freeSlots", "dbConnections", "jobQueueSize", "messagesProcessed"),
      }),
    ),
    errors: exact(counts("dbErrors", "ackFailed", "dlqMessages")),
    statsAge: amount("Seconds since measurements were written."),
  },
  { title: "Status" },
);

const MessageCounts = exact(
  {
    dataPoints: Type.Array(exact({ timestamp: BucketTime, messages: count() }), { description: "Oldest first." }),
    interval: oneOf("minute", "hour", "day"),
    from: Instant,
    to: Instant,
  },
  { title: "MessageCounts" },
);

const queueLagFields = { queueName: Type.String(), popCount: count(), ...lag };
const QueueLag = Type.Array(exact({ ...queueLagFields, bucketTime: BucketTime }), {
  title: "QueueLag",
  description: "Newest first. Without `queue` the 200 busiest queues.",
});

const QueueOperations = exact(
  {
    timeRange,
    bucketMinutes,
    series: Type.Array(
      exact({
        bucket: BucketTime,
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
    timeRange,
    bucketMinutes,
    series: Type.Array(
      exact({ bucket: BucketTime, queueName: Type.String(), ...replica, parkedCount: count("Most at once.") }),
    ),
    replicas: Type.Array(exact(replica)),
  },
  { title: "ParkedReplicas" },
);

const expired = counts("retentionMsgs", "completedRetentionMsgs", "evictionMsgs", "totalMsgs", "eventCount");
const Retention = exact(
  {
    timeRange,
    bucketMinutes,
    series: Type.Array(exact({ bucket: BucketTime, ...expired })),
    totals: exact(expired),
  },
  { title: "RetentionSeries" },
);

const WorkerPoint = exact({
  timestamp: BucketTime,
  ...counts("pushMessages", "popMessages", "ackMessages", "pushRequests", "popRequests", "ackRequests", "jobsDone"),
  ...amounts("pushPerSecond", "popPerSecond", "ackPerSecond", "avgFreeSlots", "avgJobQueueSize"),
  ...loopLag,
  ...counts("minFreeSlots", "dbConnections", "maxJobQueueSize", "backoffSize", "lagCount", "dbErrors"),
  ...lag,
  ...counts("ackSuccess", "ackFailed", "dlqCount"),
});
const WorkerMetrics = exact(
  {
    timeRange,
    bucketMinutes,
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
    timeRange,
    replicas: Type.Array(
      exact({
        hostname: Type.String(),
        port: count(),
        workerId: Type.String({ description: "Name of the instance." }),
        timeSeries: Type.Array(
          exact({
            timestamp: BucketTime,
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
    bucketMinutes,
    pointCount: count(),
  },
  { title: "SystemMetrics" },
);

const cache = counts("diskReads", "cacheHits");
const summary = exact({ ...cache, hitRatio: amount("Percent.") });
const table = { schema: Type.String(), table: Type.String() };
const maybeInstant = nullable(Instant);
const PostgresStatistics = exact(
  {
    timestamp: Instant,
    database: Type.String(),
    databaseCache: exact({ database: Type.String(), ...cache, cacheHitRatio: amount("Percent.") }),
    tableCache: Type.Array(exact({ table: Type.String(), ...cache, cacheHitRatio: amount() })),
    indexCache: Type.Array(exact({ index: Type.String(), ...cache, cacheHitRatio: amount() })),
    cacheSummary: exact({ tables: summary, indexes: summary }),
    deadTuples: Type.Array(
      exact({
        ...table,
        ...counts("deadTuples", "liveTuples"),
        deadPercentage: amount(),
        lastVacuum: maybeInstant,
        lastAutovacuum: maybeInstant,
      }),
    ),
    hotUpdates: Type.Array(exact({ ...table, ...counts("totalUpdates", "hotUpdates"), hotUpdatePercentage: amount() })),
    activeQueries: Type.Array(
      exact({
        pid: count(),
        duration: amount("Seconds."),
        state: nullable(Type.String()),
        query: Type.String(),
        waitEventType: nullable(Type.String()),
        waitEvent: nullable(Type.String()),
      }),
    ),
    autovacuumStatus: Type.Array(
      exact({
        table: Type.String(),
        lastAutovacuum: maybeInstant,
        ...counts("deadTuples", "autovacuumCount", "autoanalyzeCount"),
      }),
    ),
    bufferConfig: exact({ sharedBuffers: Type.String(), sharedBuffersSize: count("Bytes.") }),
    bufferUsage: Type.Array(
      exact({ object: Type.String(), bufferedSize: Type.String(), bufferedBytes: count(), percentOfCache: amount() }),
      { description: "Empty without PostgreSQL's extension pg_buffercache." },
    ),
    tableSizes: Type.Array(
      exact({
        table: Type.String(),
        totalSize: Type.String(),
        tableSize: Type.String(),
        indexSize: Type.String(),
        ...counts("totalSizeBytes", "tableSizeBytes", "indexSizeBytes"),
      }),
    ),
  },
  { title: "PostgresStatistics" },
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

/** Routes of the dashboard's figures. */
export const analyticsOperations: readonly ApiOperation[] = [
  {
    method: "GET",
    path: "/api/v1/status",
    id: "status",
    tag: "Status",
    summary: "Throughput, and what there is now",
    query: { ...range, ...labels },
    answers: { 200: { description: "The last hour, or the range asked for.", schema: Status } },
  },
  {
    method: "GET",
    path: "/api/v1/status/analytics",
    id: "messageCounts",
    tag: "Status",
    summary: "How many messages came in",
    query: {
      ...range,
      ...labels,
      interval: Type.Enum(["minute", "hour", "day"], { type: "string", default: "hour" }),
    },
    answers: { 200: { description: "A point for every interval, also where nothing came in.", schema: MessageCounts } },
  },
  series("system-metrics", "How processes did", { ...range, hostname: Name, workerId: Name }, SystemMetrics),
  series("worker-metrics", "What workers did", { ...range, ...worker }, WorkerMetrics),
  series("queue-lag", "How old messages were when they were popped", byQueue, QueueLag),
  series("queue-ops", "What was done with queues", byQueue, QueueOperations),
  series("queue-parked-replicas", "Where pops wait", byQueue, ParkedReplicas),
  series("retention", "What the background jobs deleted", range, Retention),
  series("postgres-stats", "How PostgreSQL is doing", {}, PostgresStatistics),
];
