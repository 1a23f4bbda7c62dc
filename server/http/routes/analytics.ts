/**
 * Measurements over time: the dashboard's summary and series.
 *
 * @module
 */
import { fieldError } from "../../../schema/wire/errors.ts";
import type { OperationName, OperationParams } from "../../pool/pool.ts";
import type { Exchange } from "../exchange.ts";
import { timestampOf } from "../listing.ts";
import type { Query } from "../parameters.ts";
import type { Routes } from "../router.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
/** Ranges up to so long are answered in buckets of so many minutes; longer ones in {@link BUCKET_MINUTES_MAX}. */
const BUCKETS: readonly (readonly [rangeMs: number, minutes: number])[] = [
  [HOUR_MS, 1],
  [6 * HOUR_MS, 5],
  [24 * HOUR_MS, 15],
  [7 * 24 * HOUR_MS, 60],
];
const BUCKET_MINUTES_MAX = 360;
/** Most points of an answer that has one for every interval. */
const POINTS_MAX = 20_000;
const INTERVALS = { minute: MINUTE_MS, hour: HOUR_MS, day: 24 * HOUR_MS } as const;
const WORKERS_MAX = 1_000_000;

/** A stretch of time. @throws QueenError `FIELD_INVALID` when it ends before it begins. */
function stretchOf(query: Query, defaultMs: number): { from: string; to: string; lengthMs: number } {
  const to = timestampOf(query, "to") ?? new Date().toISOString();
  const from = timestampOf(query, "from") ?? new Date(Date.parse(to) - defaultMs).toISOString();
  const lengthMs = Date.parse(to) - Date.parse(from);
  if (lengthMs < 0) throw fieldError("from is later than to");
  return { from, to, lengthMs };
}

/**
 * The range asked for, the last hour unless it is named, and the width of its buckets.
 *
 * @throws QueenError `FIELD_INVALID`
 */
export function rangeOf(query: Query): { from: string; to: string; bucketMinutes: number } {
  const { from, to, lengthMs } = stretchOf(query, HOUR_MS);
  const bucketMinutes = BUCKETS.find(([rangeMs]) => lengthMs <= rangeMs)?.[1] ?? BUCKET_MINUTES_MAX;
  return { from, to, bucketMinutes };
}

function countsOf(query: Query): OperationParams["messageCounts"] {
  const { from, to, lengthMs } = stretchOf(query, 24 * HOUR_MS);
  const interval = query.text("interval") ?? "hour";
  if (interval !== "minute" && interval !== "hour" && interval !== "day") {
    throw fieldError("interval must be minute, hour or day");
  }
  if (lengthMs / INTERVALS[interval] > POINTS_MAX) {
    throw fieldError(`from and to are more than ${POINTS_MAX} intervals apart: choose a longer interval`);
  }
  return { from, to, interval, ...labelsOf(query) };
}

function labelsOf(query: Query): { queue: string | null; namespace: string | null; task: string | null } {
  return { queue: query.name("queue"), namespace: query.name("namespace"), task: query.name("task") };
}

/** The worker asked for; null, which is all of them, also for what is no number. */
function workerOf(query: Query): number | null {
  const index = query.integer("workerId", -1, -1, WORKERS_MAX);
  return index < 0 ? null : index;
}

/** Has a worker answer, once everything measured until now is written down. */
async function measured<Name extends OperationName>(
  exchange: Exchange,
  operation: Name,
  params: OperationParams[Name],
): Promise<Response> {
  await exchange.services.observer.flush();
  return exchange.forward(operation, params);
}

/** Registers the dashboard's summary and series. */
export function analyticsRoutes(routes: Routes): void {
  const read = <Name extends OperationName>(
    path: string,
    operation: Name,
    params: (query: Query) => OperationParams[Name],
  ): void => routes.get(path, "read-only", (exchange) => measured(exchange, operation, params(exchange.query())));
  const byQueue = (query: Query) => ({ ...rangeOf(query), queue: query.name("queue") });
  read("/api/v1/status", "statusRead", (query) => ({ ...rangeOf(query), ...labelsOf(query) }));
  read("/api/v1/status/analytics", "messageCounts", countsOf);
  read("/api/v1/analytics/system-metrics", "systemMetrics", (query) => ({
    ...rangeOf(query),
    hostname: query.name("hostname"),
    worker: query.name("workerId"),
  }));
  read("/api/v1/analytics/worker-metrics", "workerMetrics", (query) => ({
    ...rangeOf(query),
    hostname: query.name("hostname"),
    worker: workerOf(query),
  }));
  read("/api/v1/analytics/queue-lag", "queueLag", byQueue);
  read("/api/v1/analytics/queue-ops", "queueOperations", byQueue);
  read("/api/v1/analytics/queue-parked-replicas", "queueParked", byQueue);
  read("/api/v1/analytics/retention", "retentionSeries", rangeOf);
  routes.get("/api/v1/analytics/postgres-stats", "read-only", (exchange) => exchange.forward("postgresStatistics", {}));
}
