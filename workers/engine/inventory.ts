/**
 * What there is: queues, partitions, namespaces and tasks, with exact counts of their messages.
 *
 * @module
 */

import { partitionUuid } from "../../schema/wire/ids.ts";
import { toMilliseconds } from "../../schema/wire/instant.ts";
import type { OperationParams } from "../protocol.ts";
import {
  type LabelCountsRow,
  labelCounts,
  type MessageCounts,
  processedLately,
  pushedLately,
  type QueueListRow,
  queueCount,
  queueCounts,
  queueList as queueListStatement,
  systemCounts,
  systemLag,
} from "../storage/listing-counts.ts";
import { type PartitionListRow, partitionList as partitionListStatement } from "../storage/listing-partitions.ts";
import type { QueueRow } from "../storage/queues.ts";
import { type Answer, type EngineContext, ok } from "./context.ts";

/** The id clients see for a queue: partition 0 stands for it. */
const queueUuid = (queueId: number): string => partitionUuid(queueId, 0);

/** What waits and is not handed out. */
const waiting = (counts: MessageCounts): number => counts.pending - counts.processing;

/** The six counts of the contract. They add up to the total for as long as groups stand alike. */
function sixOf(counts: MessageCounts) {
  return {
    total: counts.total,
    pending: waiting(counts),
    processing: counts.processing,
    completed: counts.completed,
    failed: 0,
    deadLetter: counts.dead_letter,
  };
}

function instantOrNull(instant: string | null): string | null {
  return instant === null ? null : toMilliseconds(instant);
}

function queueElement(row: QueueListRow, inclusive: boolean) {
  return {
    id: queueUuid(row.queue_id),
    name: row.name,
    namespace: row.namespace,
    task: row.task,
    createdAt: toMilliseconds(row.created_at),
    partitions: row.partitions,
    messages: {
      total: row.total,
      pending: inclusive ? row.pending : waiting(row),
      processing: row.processing,
    },
  };
}

/** Answers a page of queues, newest first, with how many there are. */
export async function queueList(context: EngineContext, params: OperationParams["queueList"]): Promise<Answer> {
  const { limit, offset, inclusive, namespace, task } = params;
  const filter = { queue: null, namespace, task };
  const sql = context.database.look;
  const rows = await queueListStatement(sql, filter, { limit, offset });
  const whole = rows.length < limit && (rows.length > 0 || offset === 0);
  const total = whole ? offset + rows.length : await queueCount(sql, filter);
  return ok({ queues: rows.map((row) => queueElement(row, inclusive)), total, pagination: { limit, offset } });
}

const QUEUE_NOT_FOUND = { error: "Queue not found" };

/** A queue, its counts, and a page of its partitions; null when there is none. */
async function queueDetail(context: EngineContext, params: OperationParams["queueGet"]) {
  const { queue: name, limit, offset } = params;
  const queue = await context.catalog.queue(name);
  if (!queue) return null;
  const sql = context.database.look;
  const filter = { queue: name, namespace: null, task: null, depthMin: 0 };
  const [[counts], partitions] = await Promise.all([
    queueCounts(sql, [queue.id]),
    partitionListStatement(sql, filter, { limit, offset }),
  ]);
  return {
    queue,
    counts: counts!,
    partitions,
    page: { partitionCount: counts!.partitions, pagination: { limit, offset } },
  };
}

function namesOf(queue: QueueRow) {
  const { name, namespace, task, created_at } = queue;
  return { id: queueUuid(queue.id), name, namespace, task, createdAt: toMilliseconds(created_at) };
}

function partitionTimes(row: PartitionListRow) {
  return { oldestMessage: instantOrNull(row.oldest_at), newestMessage: instantOrNull(row.newest_at) };
}

/** Answers one queue with its totals and a page of its partitions; `{"error"}` when there is none. */
export async function queueGet(context: EngineContext, params: OperationParams["queueGet"]): Promise<Answer> {
  const detail = await queueDetail(context, params);
  if (!detail) return ok(QUEUE_NOT_FOUND);
  const { queue, counts, partitions, page } = detail;
  return ok({
    ...namesOf(queue),
    partitions: partitions.map((row) => ({
      id: partitionUuid(row.queue_id, row.id),
      name: row.name,
      createdAt: toMilliseconds(row.created_at),
      stats: sixOf(row),
      ...partitionTimes(row),
    })),
    totals: sixOf(counts),
    ...page,
  });
}

/** As {@link queueGet}, with the queue's settings and what was consumed. */
export async function queueStatus(context: EngineContext, params: OperationParams["queueStatus"]): Promise<Answer> {
  const detail = await queueDetail(context, params);
  if (!detail) return ok(QUEUE_NOT_FOUND);
  const { queue, counts, partitions, page } = detail;
  const totals = sixOf(counts);
  return ok({
    queue: {
      ...namesOf(queue),
      priority: queue.priority,
      config: {
        leaseTime: queue.lease_time_s,
        retryLimit: queue.retry_limit,
        retryDelay: queue.retry_delay_ms ?? 1000,
        ttl: queue.ttl_s ?? 3600,
        maxQueueSize: queue.max_size,
        deadLetterQueue: queue.dead_letter_queue,
      },
      options: optionsOf(queue),
    },
    partitions: partitions.map(partitionStatus),
    totals: { messages: totals, ...totals },
    ...page,
  });
}

/** What configure takes, to be changed and sent again; null where nothing was given, which differs from giving the default. */
function optionsOf(queue: QueueRow) {
  return {
    leaseTime: queue.lease_time_s,
    retryLimit: queue.retry_limit,
    retryDelay: queue.retry_delay_ms,
    maxSize: queue.max_size,
    ttl: queue.ttl_s,
    deadLetterQueue: queue.dead_letter_queue,
    dlqAfterMaxRetries: queue.dlq_after_max_retries,
    priority: queue.priority,
    delayedProcessing: queue.delayed_processing_s,
    windowBuffer: queue.window_buffer_s,
    retentionSeconds: queue.retention_s,
    completedRetentionSeconds: queue.completed_retention_s,
    retentionEnabled: queue.retention_enabled,
    encryptionEnabled: queue.encryption_enabled,
    maxWaitTimeSeconds: queue.max_wait_time_s,
  };
}

function partitionStatus(row: PartitionListRow) {
  const six = sixOf(row);
  const seen = [row.pushed_at, row.consumed_at].filter((instant) => instant !== null).sort();
  return {
    id: partitionUuid(row.queue_id, row.id),
    name: row.name,
    createdAt: toMilliseconds(row.created_at),
    messages: six,
    stats: six,
    cursor: { totalConsumed: row.consumed_count, batchesConsumed: row.batch_count },
    lastActivity: instantOrNull(seen.at(-1) ?? null),
    ...partitionTimes(row),
  };
}

/** Answers a page of the partitions of all queues that match, queue by queue in the order of their ids. */
export async function partitionList(context: EngineContext, params: OperationParams["partitionList"]): Promise<Answer> {
  const { limit, offset, ...filter } = params;
  const rows = await partitionListStatement(context.database.look, filter, { limit, offset });
  const partitions = rows.map((row) => ({
    id: partitionUuid(row.queue_id, row.id),
    name: row.name,
    queue: row.queue,
    namespace: row.namespace,
    task: row.task,
    queuePriority: row.priority,
    createdAt: toMilliseconds(row.created_at),
    depth: waiting(row),
    processing: row.processing,
    total: row.total,
  }));
  return ok({ partitions, pagination: { limit, offset } });
}

function labelElement(row: LabelCountsRow) {
  const { queues, partitions } = row;
  return { queues, partitions, messages: { total: row.total, pending: waiting(row) } };
}

/** Answers the namespaces by name, without the empty one. */
export async function namespaceList(context: EngineContext, page: OperationParams["namespaceList"]): Promise<Answer> {
  const rows = await labelCounts(context.database.look, "namespace", page);
  return ok({ namespaces: rows.map((row) => ({ namespace: row.label, ...labelElement(row) })) });
}

/** Answers the tasks by name, without the empty one. */
export async function taskList(context: EngineContext, page: OperationParams["taskList"]): Promise<Answer> {
  const rows = await labelCounts(context.database.look, "task", page);
  return ok({ tasks: rows.map((row) => ({ task: row.label, ...labelElement(row) })) });
}

/** Seconds over which the rates of the overview are taken. */
const RATE_S = 60;

/** Answers the totals of everything. */
export async function overview(context: EngineContext): Promise<Answer> {
  const sql = context.database.look;
  const [counts, lag, pushed, processed] = await Promise.all([
    systemCounts(sql),
    systemLag(sql),
    pushedLately(sql, RATE_S),
    processedLately(sql),
  ]);
  const { queues, partitions, namespaces, tasks } = counts;
  const figures = (kind: "time" | "offset") => ({
    avg: lag[`${kind}_avg`],
    median: lag[`${kind}_median`],
    min: lag[`${kind}_min`],
    max: lag[`${kind}_max`],
  });
  return ok({
    queues,
    partitions,
    namespaces,
    tasks,
    messages: sixOf(counts),
    lag: { time: figures("time"), offset: figures("offset") },
    throughput: { ingestedPerSecond: pushed / RATE_S, processedPerSecond: processed / RATE_S },
    timestamp: new Date().toISOString(),
    statsAge: 0,
  });
}

/** Counts everything once. There is nothing to bring up to date: every listing counts when it is asked. */
export async function statisticsRefresh(context: EngineContext): Promise<Answer> {
  const { queues, partitions, namespaces, tasks } = await systemCounts(context.database.look);
  return ok({
    partition: {
      partitionsUpdated: partitions,
      dirtyPartitionsScanned: partitions,
      partitionsSkippedByWatermark: 0,
      newPartitions: 0,
    },
    queue: { queuesUpdated: queues },
    namespace: { namespacesUpdated: namespaces },
    task: { tasksUpdated: tasks },
    system: { systemUpdated: 1 },
    cleanup: { orphanedDeleted: 0 },
  });
}
