/**
 * Analytics of the October 2025 dialect.
 *
 * @module
 */

import { QueenError } from "../../../schema/wire/errors.ts";
import { toMilliseconds } from "../../../schema/wire/instant.ts";
import { groupShown } from "../../../schema/wire/october/answers.ts";
import { octoberCounts, octoberLastTraffic } from "../../storage/october-counts.ts";
import { type QueueTrafficRow, queueTrafficBuckets } from "../../storage/queue-analytics.ts";
import { type Answer, type EngineContext, ok } from "../context.ts";
import { type CountedQueue, type CountsFilter, countQueues, PARTITIONS_MAX, sixOf, sumOf } from "./counts.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/** Minutes of one answer, and those shown where the window has no traffic. */
const MINUTES_MAX = 1_440;
const MINUTES_WITHOUT_TRAFFIC = 10;

/** Said only when it is so. */
export function truncatedNote(truncated: boolean): { truncated?: true } {
  return truncated ? { truncated: true } : {};
}

function queueValue({ queue, namespace, task, totals, rows }: CountedQueue) {
  return {
    queue,
    namespace,
    task,
    totals,
    partitions: rows.map((row) => ({ name: row.partition, stats: sixOf(row) })),
  };
}

/** Counts by queue and partition. */
export async function octoberQueueCounts(context: EngineContext, filter: CountsFilter): Promise<Answer> {
  const { queues, truncated } = await countQueues(context, filter);
  return ok({ queues: queues.map(queueValue), ...truncatedNote(truncated) });
}

/** Counts of one queue, by partition. @throws {@link QueenError} `QUEUE_NOT_FOUND`. */
export async function octoberQueueCount(context: EngineContext, filter: CountsFilter): Promise<Answer> {
  const { queues, truncated } = await countQueues(context, filter);
  const [queue] = queues;
  if (!queue) throw new QueenError("QUEUE_NOT_FOUND");
  return ok({ ...queueValue(queue), ...truncatedNote(truncated) });
}

/** Counts of a namespace or a task (of everything without either), in all and by queue. */
export async function octoberLabelCounts(context: EngineContext, filter: CountsFilter): Promise<Answer> {
  const { queues, truncated } = await countQueues(context, filter);
  return ok({
    ...(filter.namespace !== null ? { namespace: filter.namespace } : {}),
    ...(filter.task !== null ? { task: filter.task } : {}),
    totals: sumOf(queues.map(({ totals }) => totals)),
    queues: queues.map(queueValue),
    ...truncatedNote(truncated),
  });
}

/** How much waits and is being processed, by queue and partition. */
export async function octoberDepths(context: EngineContext, filter: CountsFilter): Promise<Answer> {
  const { queues, truncated } = await countQueues(context, filter);
  return ok({
    depths: queues.map(({ queue, totals, rows }) => ({
      queue,
      depth: totals.pending,
      processing: totals.processing,
      partitions: rows.map((row) => ({ name: row.partition, depth: row.pending, processing: row.processing })),
    })),
    ...truncatedNote(truncated),
  });
}

/** Counts by partition and group, queue mode among them. */
export async function octoberGroupCounts(context: EngineContext, filter: CountsFilter): Promise<Answer> {
  const sql = context.database.look;
  const [{ queues }, rows] = await Promise.all([
    countQueues(context, { ...filter, from: null, to: null }),
    octoberCounts(sql, { ...filter, allGroups: true, partitionsMax: PARTITIONS_MAX }),
  ]);
  const names = new Map(queues.map((queue) => [queue.id, queue]));
  const groups = Map.groupBy(rows, (row) => row.queue_id);
  return ok(
    rows.flatMap((row) => {
      const queue = names.get(row.queue_id);
      if (!queue) return [];
      return {
        queue: queue.queue,
        namespace: queue.namespace,
        task: queue.task,
        partition: row.partition,
        consumer_group: row.group_name === null ? null : groupShown(row.group_name),
        pending: row.pending,
        processing: row.processing,
        completed: row.completed,
        failed: row.failed,
        dead_letter: row.dead_letter,
        total_messages: row.total,
        consumer_groups_count: new Set(groups.get(row.queue_id)!.map((other) => other.group_name)).size,
      };
    }),
  );
}

function perMinute(messages: number) {
  return { messagesPerMinute: messages, messagesPerSecond: Math.round(messages / 60) };
}

function minuteValue(row: QueueTrafficRow) {
  return {
    timestamp: toMilliseconds(row.bucket),
    incoming: perMinute(row.push_messages),
    completed: perMinute(row.ack_success + row.auto_acked),
    processing: perMinute(row.pop_messages),
    failed: perMinute(Math.max(0, row.ack_failed - row.dead_letters)),
    deadLetter: perMinute(row.dead_letters),
    lag: {
      avgSeconds: Math.round(row.avg_lag_ms) / 1000,
      avgMilliseconds: Math.round(row.avg_lag_ms),
      sampleCount: row.pop_messages,
    },
  };
}

/** Traffic by the minute, newest first: of the window, the last hour unless it is given, or else the latest there is. */
export async function octoberThroughput(context: EngineContext, filter: CountsFilter): Promise<Answer> {
  const sql = context.database.look;
  const end = filter.to === null ? Date.now() : Date.parse(filter.to);
  const begin = filter.from === null ? end - HOUR_MS : Math.max(Date.parse(filter.from), end - DAY_MS);
  const read = async (fromMs: number, toMs: number) => {
    const range = { from: new Date(fromMs).toISOString(), to: new Date(toMs).toISOString(), bucketMinutes: 1 };
    const rows = await queueTrafficBuckets(sql, range, filter);
    return rows.filter(hasTraffic).sort((a, b) => (a.bucket < b.bucket ? 1 : -1));
  };
  let rows = (await read(begin, end)).slice(0, MINUTES_MAX);
  if (rows.length === 0) {
    const last = await octoberLastTraffic(sql, filter);
    if (last !== null) {
      const at = Date.parse(last);
      rows = (await read(at - DAY_MS, at)).slice(0, MINUTES_WITHOUT_TRAFFIC);
    }
  }
  return ok({ throughput: rows.map(minuteValue) });
}

function hasTraffic(row: QueueTrafficRow): boolean {
  return row.push_messages + row.pop_messages + row.ack_success + row.ack_failed + row.auto_acked > 0;
}
