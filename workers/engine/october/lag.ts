/**
 * How far consumers are behind, as the October 2025 dialect shows it.
 *
 * @module
 */

import type { OctoberCountsRow } from "../../storage/october-counts.ts";
import { queueLagBuckets } from "../../storage/queue-analytics.ts";
import { type Answer, type EngineContext, ok } from "../context.ts";
import { truncatedNote } from "./analytics.ts";
import { type CountsFilter, countQueues } from "./counts.ts";

const HOUR_MS = 3_600_000;
const QUEUES_MAX = 1_000;

/** Ages at delivery within the window, in seconds; null where nothing was delivered in it. */
interface Ages {
  avg: number | null;
  median: number | null;
  p95: number | null;
}

interface LagStats {
  pendingCount: number;
  processingCount: number;
  totalBacklog: number;
  completedMessages: number;
  avgProcessingTimeSeconds: number | null;
  medianProcessingTimeSeconds: number | null;
  p95ProcessingTimeSeconds: number | null;
  estimatedLagSeconds: number;
  medianLagSeconds: number;
  p95LagSeconds: number;
}

/** `1h 2m 3s`, at most two parts. */
function durationText(seconds: number | null): string | null {
  if (seconds === null) return null;
  if (seconds < 60) return `${Math.round(seconds * 10) / 10}s`;
  const whole = Math.round(seconds);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60)];
  return hours > 0 ? `${hours}h ${minutes}m` : `${minutes}m ${whole % 60}s`;
}

function withTexts(stats: LagStats) {
  return {
    ...stats,
    estimatedLag: durationText(stats.estimatedLagSeconds),
    medianLag: durationText(stats.medianLagSeconds),
    p95Lag: durationText(stats.p95LagSeconds),
    avgProcessingTime: durationText(stats.avgProcessingTimeSeconds),
    medianProcessingTime: durationText(stats.medianProcessingTimeSeconds),
  };
}

function round(seconds: number): number {
  return Math.round(seconds * 1_000) / 1_000;
}

/** @param completed - Messages created in the window that are completed. */
function statsOf(row: OctoberCountsRow, completed: number, ages: Ages): LagStats {
  const backlog = row.pending + row.processing + row.failed;
  const since = backlog > 0 && row.waiting_since !== null ? Date.parse(row.waiting_since) : null;
  const estimated = since === null ? 0 : Math.max(0, (Date.now() - since) / 1000);
  const consumed = row.consumed_at === null ? null : Date.parse(row.consumed_at);
  const median = since === null || consumed === null ? estimated / 2 : Math.max(0, (consumed - since) / 2000);
  return {
    pendingCount: row.pending + row.failed,
    processingCount: row.processing,
    totalBacklog: backlog,
    completedMessages: completed,
    avgProcessingTimeSeconds: ages.avg,
    medianProcessingTimeSeconds: ages.median,
    p95ProcessingTimeSeconds: ages.p95,
    estimatedLagSeconds: round(estimated),
    medianLagSeconds: round(median),
    p95LagSeconds: round(estimated * 1.5),
  };
}

function totalsOf(stats: readonly LagStats[], ages: Ages): LagStats {
  const sum = (of: (one: LagStats) => number) => stats.reduce((total, one) => total + of(one), 0);
  return {
    pendingCount: sum((one) => one.pendingCount),
    processingCount: sum((one) => one.processingCount),
    totalBacklog: sum((one) => one.totalBacklog),
    completedMessages: sum((one) => one.completedMessages),
    avgProcessingTimeSeconds: ages.avg,
    medianProcessingTimeSeconds: ages.median,
    p95ProcessingTimeSeconds: ages.p95,
    estimatedLagSeconds: round(sum((one) => one.estimatedLagSeconds)),
    medianLagSeconds: round(sum((one) => one.medianLagSeconds)),
    p95LagSeconds: round(sum((one) => one.p95LagSeconds)),
  };
}

/** Value below which a share of the messages lie, each minute's average counting for all of its messages. */
function quantile(minutes: readonly { seconds: number; count: number }[], share: number): number | null {
  const sorted = minutes.toSorted((a, b) => a.seconds - b.seconds);
  let left = share * sorted.reduce((sum, { count }) => sum + count, 0);
  for (const { seconds, count } of sorted) {
    left -= count;
    if (left <= 0) return round(seconds);
  }
  return null;
}

/** Ages of messages at their delivery, by queue, from what is measured by the minute. */
async function agesByQueue(context: EngineContext, filter: CountsFilter, from: string, to: string) {
  const range = { from, to, bucketMinutes: 1 };
  const rows = await queueLagBuckets(context.database.look, range, { queue: filter.queue, queuesMax: QUEUES_MAX });
  const ages = new Map<string, Ages>();
  for (const [queue, own] of Map.groupBy(rows, (row) => row.queue)) {
    const minutes = own.map((row) => ({ seconds: row.avg_lag_ms / 1000, count: row.pop_count }));
    const count = minutes.reduce((sum, minute) => sum + minute.count, 0);
    const sum = minutes.reduce((total, minute) => total + minute.seconds * minute.count, 0);
    ages.set(queue, {
      avg: count === 0 ? null : round(sum / count),
      median: quantile(minutes, 0.5),
      p95: quantile(minutes, 0.95),
    });
  }
  return ages;
}

const NO_AGES: Ages = { avg: null, median: null, p95: null };

/** How far queue mode is behind, by queue and partition, with what was completed of the window: the last hour by default. */
export async function octoberQueueLag(context: EngineContext, filter: CountsFilter): Promise<Answer> {
  const to = filter.to ?? new Date().toISOString();
  const from = filter.from ?? new Date(Date.parse(to) - HOUR_MS).toISOString();
  const [now, windowed, ages] = await Promise.all([
    countQueues(context, { ...filter, from: null, to: null }),
    countQueues(context, { ...filter, from, to }),
    agesByQueue(context, filter, from, to),
  ]);
  const completed = new Map(
    windowed.queues.flatMap(({ rows }) => rows.map((row) => [`${row.queue_id} ${row.partition_id}`, row.completed])),
  );
  const queues = now.queues.map(({ queue, namespace, task, rows }) => {
    const own = ages.get(queue) ?? NO_AGES;
    const partitions = rows.map((row) => ({
      name: row.partition,
      stats: statsOf(row, completed.get(`${row.queue_id} ${row.partition_id}`) ?? 0, own),
    }));
    const totals = totalsOf(
      partitions.map(({ stats }) => stats),
      own,
    );
    return {
      queue,
      namespace,
      task,
      partitions: partitions.map(({ name, stats }) => ({ name, stats: withTexts(stats) })),
      totals: withTexts(totals),
    };
  });
  return ok({ queues, ...truncatedNote(now.truncated) });
}
