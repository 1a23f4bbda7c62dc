/**
 * Listings of the October 2025 dialect: messages with payloads and what each group made of them, and one queue.
 *
 * @module
 */

import { QueenError } from "../../../schema/wire/errors.ts";
import { partitionUuid } from "../../../schema/wire/ids.ts";
import { toMilliseconds } from "../../../schema/wire/instant.ts";
import type { Sql } from "../../storage/database.ts";
import type { MessageRef } from "../../storage/messages.ts";
import { type OctoberStatusRow, octoberStatuses } from "../../storage/october.ts";
import { octoberFailedList } from "../../storage/october-counts.ts";
import type { QueueRow } from "../../storage/queues.ts";
import { type Answer, type EngineContext, ok } from "../context.ts";
import { findPage } from "../message-walk.ts";
import { readMessages, type StoredMessage } from "../read-messages.ts";
import { truncatedNote } from "./analytics.ts";
import { countQueues, sixOf } from "./counts.ts";
import { messageValue, queueModeStatus } from "./messages.ts";

const MINUTE_MS = 60_000;
/** Before every message. */
const BEGINNING = "1970-01-01T00:00:00.000Z";
/** Messages looked at for a list by status: so many at a time, so often. */
const ROUND_MESSAGES = 500;
const ROUNDS_MAX = 20;

/** Statuses that a list can be narrowed to. */
export type OctoberMessageStatus = "pending" | "processing" | "completed" | "failed" | "dead_letter";

/** Which messages; null means any. */
export interface OctoberMessageFilter {
  queue: string | null;
  partition: string | null;
  namespace: string | null;
  task: string | null;
  status: OctoberMessageStatus | null;
  limit: number;
  offset: number;
}

/** A message with what the groups made of it. */
interface Listed {
  ref: MessageRef;
  message: StoredMessage;
  groups: OctoberStatusRow[];
}

async function describe(context: EngineContext, sql: Sql, refs: readonly MessageRef[]): Promise<Listed[]> {
  if (refs.length === 0) return [];
  const stored = await readMessages(context, sql, refs);
  const statuses = Map.groupBy(await octoberStatuses(sql, refs), (row) => row.at);
  return stored.flatMap((message, at) =>
    message ? [{ ref: refs[at]!, message, groups: statuses.get(at) ?? [] }] : [],
  );
}

type WalkStatus = "pending" | "processing" | "completed" | "dead_letter" | null;

async function walkPage(
  sql: Sql,
  { queue, partition, namespace, task }: OctoberMessageFilter,
  status: WalkStatus,
  page: { limit: number; offset: number },
): Promise<MessageRef[]> {
  const filter = { queue, partition, namespace, task, status };
  const to = new Date(Date.now() + MINUTE_MS).toISOString();
  const found = await findPage(sql, { filter, from: BEGINNING, to, ...page });
  return found.messages.map(({ run, offset }) => ({ queueId: run.queue_id, partitionId: run.partition_id, offset }));
}

/** What a walk over everything of another status finds of the wanted one, newest first; bounded in what it looks at. */
async function collect(
  context: EngineContext,
  sql: Sql,
  params: OctoberMessageFilter,
  status: WalkStatus,
): Promise<{ listed: Listed[]; complete: boolean }> {
  const listed: Listed[] = [];
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    const page = { limit: ROUND_MESSAGES, offset: round * ROUND_MESSAGES };
    const refs = await walkPage(sql, params, status, page);
    for (const one of await describe(context, sql, refs)) {
      if (queueModeStatus(one.groups) === params.status) listed.push(one);
    }
    if (refs.length < ROUND_MESSAGES || listed.length >= params.offset + params.limit)
      return { listed, complete: true };
  }
  return { listed, complete: false };
}

/** A page of the messages that match. */
async function find(
  context: EngineContext,
  sql: Sql,
  params: OctoberMessageFilter,
): Promise<{ listed: Listed[]; complete: boolean }> {
  const { status, limit, offset } = params;
  if (status === null) {
    return {
      listed: await describe(context, sql, await walkPage(sql, params, null, { limit, offset })),
      complete: true,
    };
  }
  if (status === "failed") {
    const rows = await octoberFailedList(sql, params, { limit, offset });
    const refs = rows.map((row) => ({
      queueId: row.queue_id,
      partitionId: row.partition_id,
      offset: row.message_offset,
    }));
    const listed = await describe(context, sql, refs);
    return { listed: listed.filter((one) => queueModeStatus(one.groups) === status), complete: true };
  }
  // The walk calls everything behind a live lease processing; here only what was handed out is.
  const walked = status === "pending" ? (["pending", "processing"] as const) : [status];
  const parts = [];
  for (const one of walked) parts.push(await collect(context, sql, params, one));
  const listed = parts
    .flatMap((part) => part.listed)
    .sort((a, b) =>
      a.message.createdAt < b.message.createdAt ? 1 : a.message.createdAt > b.message.createdAt ? -1 : 0,
    )
    .slice(offset, offset + limit);
  return { listed, complete: parts.every((part) => part.complete) };
}

/**
 * Answers a page of messages, newest first. Statuses are those of queue mode. `incomplete` when a list by status was given up
 * because too much was in its way.
 */
export async function octoberMessageList(context: EngineContext, params: OctoberMessageFilter): Promise<Answer> {
  const look = (sql: Sql) => find(context, sql, params);
  const found = await context.database.look.begin("isolation level repeatable read, read only", look);
  const { listed, complete } = found as Awaited<ReturnType<typeof look>>;
  const messages = [];
  for (const { ref, message, groups } of listed) {
    const partition = await context.catalog.partitionById(ref.queueId, ref.partitionId);
    if (partition) messages.push(messageValue(message, partition, groups));
  }
  return ok({ messages, ...(!complete && { incomplete: true }) });
}

/** The stored options, as configure shows them. */
function optionsOf(queue: QueueRow) {
  return {
    leaseTime: queue.lease_time_s,
    retryLimit: queue.retry_limit,
    retryDelay: queue.retry_delay_ms ?? 1000,
    maxSize: queue.max_size === 0 ? 10_000 : queue.max_size,
    ttl: queue.ttl_s ?? 3600,
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

/** Answers one queue with its options, totals and partitions. @throws {@link QueenError} `QUEUE_NOT_FOUND`. */
export async function octoberQueueGet(context: EngineContext, { queue: name }: { queue: string }): Promise<Answer> {
  const queue = await context.catalog.queue(name);
  if (!queue) throw new QueenError("QUEUE_NOT_FOUND");
  const filter = { queue: name, namespace: null, task: null, from: null, to: null };
  const { queues, truncated } = await countQueues(context, filter);
  const [counted] = queues;
  if (!counted) throw new QueenError("QUEUE_NOT_FOUND");
  const shown = (instant: string | null) => (instant === null ? null : toMilliseconds(instant));
  return ok({
    id: partitionUuid(queue.id, 0),
    name,
    namespace: queue.namespace || null,
    task: queue.task || null,
    createdAt: toMilliseconds(queue.created_at),
    options: optionsOf(queue),
    partitions: counted.rows.map((row) => ({
      id: partitionUuid(row.queue_id, row.partition_id),
      name: row.partition,
      createdAt: toMilliseconds(row.created_at),
      stats: sixOf(row),
      oldestMessage: shown(row.oldest_at),
      newestMessage: shown(row.newest_at),
    })),
    totals: counted.totals,
    ...truncatedNote(truncated),
  });
}
