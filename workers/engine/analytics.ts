/**
 * Series of measurements, as the dashboard draws them.
 *
 * @module
 */

import { toMilliseconds } from "../../schema/wire/instant.ts";
import type { RangeParams, SampleOperations } from "../protocol/samples.ts";
import {
  instanceBuckets,
  type MeasurementRow,
  retentionBuckets,
  type WorkerBucketRow,
  workerBuckets,
  workerList,
} from "../storage/analytics.ts";
import { systemCounts } from "../storage/listing-counts.ts";
import { clusterTotals, deadLetterDepths, queueRecent, recentInterval, workerRecent } from "../storage/metrics.ts";
import {
  messageBuckets,
  parkedBuckets,
  queueLagBuckets,
  queueLagTotals,
  queueOperationBuckets,
} from "../storage/queue-analytics.ts";
import { type Answer, type EngineContext, ok } from "./context.ts";

/** Queues that a series shows when none is named: the busiest. */
export const SERIES_QUEUES_MAX = 200;
/** Queues in a list of totals. */
export const TOTAL_QUEUES_MAX = 1_000;

/** A bucket's time: whole seconds. */
export function bucketText(instant: string): string {
  return `${instant.slice(0, 19)}Z`;
}

/** At most three decimals. */
export function rounded(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}

/** What answers say of the range they are for. */
export function rangeOf({ from, to }: Pick<RangeParams, "from" | "to">): { timeRange: { from: string; to: string } } {
  return { timeRange: { from, to } };
}

/** Events a second, over a whole bucket. */
export function perSecond(count: number, { bucketMinutes }: Pick<RangeParams, "bucketMinutes">): number {
  return rounded(count / (bucketMinutes * 60));
}

/** How old messages were when they were popped, by queue. */
export async function queueLag(context: EngineContext, params: SampleOperations["queueLag"]): Promise<Answer> {
  const rows = await queueLagBuckets(context.database.look, params, { ...params, queuesMax: SERIES_QUEUES_MAX });
  return ok(
    rows.map((row) => ({
      queueName: row.queue,
      popCount: row.pop_count,
      avgLagMs: rounded(row.avg_lag_ms),
      maxLagMs: row.max_lag_ms,
      bucketTime: bucketText(row.bucket),
    })),
  );
}

/** What was done with queues. */
export async function queueOperations(
  context: EngineContext,
  params: SampleOperations["queueOperations"],
): Promise<Answer> {
  const rows = await queueOperationBuckets(context.database.look, params, { ...params, queuesMax: SERIES_QUEUES_MAX });
  const series = rows.map((row) => ({
    bucket: bucketText(row.bucket),
    queueName: row.queue,
    pushRequests: row.push_requests,
    pushMessages: row.push_messages,
    popMessages: row.pop_messages,
    popEmpty: row.pop_empty,
    ackRequests: row.ack_requests,
    ackSuccess: row.ack_success,
    ackFailed: row.ack_failed,
    transactions: row.transactions,
    partitionsCreated: row.partitions_created,
    partitionsDeleted: row.partitions_deleted,
    partitionCount: row.partition_count,
    avgLagMs: rounded(row.avg_lag_ms),
    maxLagMs: row.max_lag_ms,
    pushPerSecond: perSecond(row.push_messages, params),
    popPerSecond: perSecond(row.pop_messages, params),
    ackPerSecond: perSecond(row.ack_success + row.ack_failed, params),
    emptyPerSecond: perSecond(row.pop_empty, params),
    parkedCount: row.parked,
  }));
  const queues = [...new Set(series.map(({ queueName }) => queueName))].sort();
  return ok({ ...rangeOf(params), bucketMinutes: params.bucketMinutes, series, queues });
}

/** Where pops are parked. */
export async function queueParked(context: EngineContext, params: SampleOperations["queueParked"]): Promise<Answer> {
  const rows = await parkedBuckets(context.database.look, params, { ...params, queuesMax: SERIES_QUEUES_MAX });
  const replicas = new Map(
    rows.map(({ hostname, worker }) => [`${hostname} ${worker}`, { hostname, workerId: worker }]),
  );
  return ok({
    ...rangeOf(params),
    bucketMinutes: params.bucketMinutes,
    series: rows.map((row) => ({
      bucket: bucketText(row.bucket),
      queueName: row.queue,
      hostname: row.hostname,
      workerId: row.worker,
      parkedCount: row.parked,
    })),
    replicas: [...replicas.values()],
  });
}

/** What the background jobs deleted. */
export async function retentionSeries(
  context: EngineContext,
  params: SampleOperations["retentionSeries"],
): Promise<Answer> {
  const rows = await retentionBuckets(context.database.look, params);
  const totals = { retentionMsgs: 0, completedRetentionMsgs: 0, evictionMsgs: 0, totalMsgs: 0, eventCount: 0 };
  const series = rows.map((row) => {
    const counts = {
      retentionMsgs: row.retention,
      completedRetentionMsgs: row.completed,
      evictionMsgs: row.eviction,
      totalMsgs: row.retention + row.completed + row.eviction,
      eventCount: row.events,
    };
    for (const name of Object.keys(totals) as (keyof typeof totals)[]) totals[name] += counts[name];
    return { bucket: bucketText(row.bucket), ...counts };
  });
  return ok({ ...rangeOf(params), bucketMinutes: params.bucketMinutes, series, totals });
}

function workerPoint(row: WorkerBucketRow, params: RangeParams): Record<string, unknown> {
  const ackMessages = row.ack_success + row.ack_failed;
  return {
    timestamp: bucketText(row.bucket),
    pushMessages: row.push_messages,
    popMessages: row.pop_messages,
    ackMessages,
    pushRequests: row.push_requests,
    popRequests: row.pop_requests,
    ackRequests: row.ack_requests,
    jobsDone: row.jobs_done,
    pushPerSecond: perSecond(row.push_messages, params),
    popPerSecond: perSecond(row.pop_messages, params),
    ackPerSecond: perSecond(ackMessages, params),
    avgEventLoopLagMs: rounded(row.avg_loop_lag_ms),
    maxEventLoopLagMs: rounded(row.max_loop_lag_ms),
    avgFreeSlots: rounded(row.avg_free_slots),
    minFreeSlots: row.min_free_slots,
    dbConnections: row.connections,
    avgJobQueueSize: rounded(row.avg_job_queue),
    maxJobQueueSize: row.max_job_queue,
    backoffSize: row.parked,
    avgLagMs: rounded(row.avg_lag_ms),
    maxLagMs: row.max_lag_ms,
    lagCount: row.lag_count,
    dbErrors: row.database_errors,
    ackSuccess: row.ack_success,
    ackFailed: row.ack_failed,
    dlqCount: row.dead_letters,
  };
}

/** Sum of a column over all buckets. */
export function total(rows: readonly WorkerBucketRow[], of: (row: WorkerBucketRow) => number): number {
  return rows.reduce((sum, row) => sum + of(row), 0);
}

/** What workers did, all together by time, each one, and by queue. */
export async function workerMetrics(
  context: EngineContext,
  params: SampleOperations["workerMetrics"],
): Promise<Answer> {
  const sql = context.database.look;
  const rows = await workerBuckets(sql, params, params);
  const workers = await workerList(sql, params, params);
  const queues = await queueLagTotals(sql, params, { ...params, queuesMax: TOTAL_QUEUES_MAX });
  return ok({
    ...rangeOf(params),
    bucketMinutes: params.bucketMinutes,
    pointCount: rows.length,
    timeSeries: rows.map((row) => workerPoint(row, params)),
    workers: workers.map((row) => ({
      hostname: row.hostname,
      workerId: row.worker,
      avgEventLoopLagMs: rounded(row.avg_loop_lag_ms),
      maxEventLoopLagMs: rounded(row.max_loop_lag_ms),
      freeSlots: row.free_slots,
      dbConnections: row.connections,
      jobQueueSize: row.job_queue,
      backoffSize: row.parked,
      messagesProcessed: row.messages_processed,
      lastSeen: toMilliseconds(row.last_seen),
    })),
    queues: queues.map((row) => ({
      queueName: row.queue,
      popCount: row.pop_count,
      avgLagMs: rounded(row.avg_lag_ms),
      maxLagMs: row.max_lag_ms,
    })),
    summary: {
      totalPushMessages: total(rows, (row) => row.push_messages),
      totalPopMessages: total(rows, (row) => row.pop_messages),
      totalAckMessages: total(rows, (row) => row.ack_success + row.ack_failed),
      totalPushRequests: total(rows, (row) => row.push_requests),
      totalPopRequests: total(rows, (row) => row.pop_requests),
      totalAckRequests: total(rows, (row) => row.ack_requests),
      totalDbErrors: total(rows, (row) => row.database_errors),
      totalAckFailed: total(rows, (row) => row.ack_failed),
      totalDlq: total(rows, (row) => row.dead_letters),
      pendingMessages: (await systemCounts(sql)).pending,
    },
  });
}

interface Point {
  timestamp: string;
  sampleCount: number;
  metrics: Record<string, unknown>;
}

/** Puts a measurement where its path says. */
function place(tree: Record<string, unknown>, path: string, leaf: unknown): void {
  const names = path.split(".");
  const last = names.pop()!;
  let at = tree;
  for (const name of names) {
    at[name] ??= {};
    at = at[name] as Record<string, unknown>;
  }
  at[last] = leaf;
}

function addMeasurement(points: Point[], row: MeasurementRow): void {
  const timestamp = bucketText(row.bucket);
  let point = points.at(-1);
  if (point?.timestamp !== timestamp) {
    point = { timestamp, sampleCount: row.sample_count, metrics: {} };
    points.push(point);
  }
  const { avg, min, max, last } = row;
  place(point.metrics, row.path, { avg: rounded(avg), min: rounded(min), max: rounded(max), last: rounded(last) });
}

/** How processes did. */
export async function systemMetrics(
  context: EngineContext,
  params: SampleOperations["systemMetrics"],
): Promise<Answer> {
  const { hostname, worker } = params;
  const nobody = hostname !== null && worker !== null && hostname !== worker;
  const rows = nobody ? [] : await instanceBuckets(context.database.look, params, hostname ?? worker);
  const replicas = new Map<string, { hostname: string; port: number; workerId: string; timeSeries: Point[] }>();
  for (const row of rows) {
    const key = `${row.hostname} ${row.port}`;
    let replica = replicas.get(key);
    if (!replica) {
      replica = { hostname: row.hostname, port: row.port, workerId: row.hostname, timeSeries: [] };
      replicas.set(key, replica);
    }
    addMeasurement(replica.timeSeries, row);
  }
  const all = [...replicas.values()];
  return ok({
    ...rangeOf(params),
    replicas: all,
    replicaCount: all.length,
    bucketMinutes: params.bucketMinutes,
    pointCount: all.reduce((sum, { timeSeries }) => sum + timeSeries.length, 0),
  });
}

const INTERVAL_MS = { minute: 60_000, hour: 3_600_000, day: 86_400_000 } as const;

/** How many messages came in, by minute, hour or day. */
export async function messageCounts(
  context: EngineContext,
  params: SampleOperations["messageCounts"],
): Promise<Answer> {
  const rows = await messageBuckets(context.database.look, params, params);
  const counts = new Map(rows.map(({ bucket, messages }) => [bucketText(bucket), messages]));
  const width = INTERVAL_MS[params.interval];
  const end = Date.parse(params.to);
  const dataPoints = [];
  for (let at = Math.floor(Date.parse(params.from) / width) * width; at <= end; at += width) {
    const timestamp = bucketText(new Date(at).toISOString());
    dataPoints.push({ timestamp, messages: counts.get(timestamp) ?? 0 });
  }
  return ok({ dataPoints, interval: params.interval, from: params.from, to: params.to });
}

/** What the page that Prometheus reads shows of all instances together. */
export async function metricsRead(context: EngineContext, params: SampleOperations["metricsRead"]): Promise<Answer> {
  const sql = context.database.look;
  const recent = await recentInterval(sql, params.seconds);
  const [totals, deadLetters, queues, workers] = await Promise.all([
    clusterTotals(sql),
    deadLetterDepths(sql, params.queuesMax),
    queueRecent(sql, recent, params.queuesMax),
    workerRecent(sql, recent),
  ]);
  return ok({ recent, totals, deadLetters, queues, workers });
}
