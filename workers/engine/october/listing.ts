/**
 * Listings of the October 2025 dialect: messages with payloads and what each group made of them, and one queue.
 *
 * @module
 */

import { QueenError } from "../../../schema/wire/errors.ts";
import { partitionUuid } from "../../../schema/wire/ids.ts";
import { toMilliseconds } from "../../../schema/wire/instant.ts";
import { RawJson } from "../../../schema/wire/json-render.ts";
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
/** Messages read at a time, and how long their payloads may be together (UTF-16 code units) before no more are. */
const READ_MESSAGES = 20;
const READ_LENGTH_MAX = 32 * 1024 * 1024;

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

/** A message of the list, not read yet, with what the groups made of it. */
interface Listed {
  ref: MessageRef;
  /** ISO 8601 with microseconds; empty where it does not matter. */
  createdAt: string;
  groups: OctoberStatusRow[];
}

async function withGroups(sql: Sql, refs: readonly { ref: MessageRef; createdAt: string }[]): Promise<Listed[]> {
  if (refs.length === 0) return [];
  const rows = await octoberStatuses(
    sql,
    refs.map(({ ref }) => ref),
  );
  const byPlace = Map.groupBy(rows, (row) => row.at);
  return refs.map((one, at) => ({ ...one, groups: byPlace.get(at) ?? [] }));
}

type WalkStatus = "pending" | "processing" | "completed" | "dead_letter" | null;

async function walkPage(
  sql: Sql,
  { queue, partition, namespace, task }: OctoberMessageFilter,
  status: WalkStatus,
  page: { limit: number; offset: number },
): Promise<Listed[]> {
  const filter = { queue, partition, namespace, task, status };
  const to = new Date(Date.now() + MINUTE_MS).toISOString();
  const { messages } = await findPage(sql, { filter, from: BEGINNING, to, ...page });
  return await withGroups(
    sql,
    messages.map(({ run, offset }) => ({
      ref: { queueId: run.queue_id, partitionId: run.partition_id, offset },
      createdAt: run.created_at,
    })),
  );
}

/** What a walk over everything of another status finds of the wanted one, newest first; bounded in what it looks at. */
async function collect(
  sql: Sql,
  params: OctoberMessageFilter,
  status: WalkStatus,
): Promise<{ listed: Listed[]; complete: boolean }> {
  const listed: Listed[] = [];
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    const page = { limit: ROUND_MESSAGES, offset: round * ROUND_MESSAGES };
    const walked = await walkPage(sql, params, status, page);
    for (const one of walked) if (queueModeStatus(one.groups) === params.status) listed.push(one);
    const enough = listed.length >= params.offset + params.limit;
    if (walked.length < ROUND_MESSAGES || enough) return { listed, complete: true };
  }
  return { listed, complete: false };
}

/** A page of the messages that match. */
async function find(sql: Sql, params: OctoberMessageFilter): Promise<{ listed: Listed[]; complete: boolean }> {
  const { status, limit, offset } = params;
  if (status === null) return { listed: await walkPage(sql, params, null, { limit, offset }), complete: true };
  if (status === "failed") {
    const rows = await octoberFailedList(sql, params, { limit, offset });
    const refs = rows.map((row) => ({
      ref: { queueId: row.queue_id, partitionId: row.partition_id, offset: row.message_offset },
      createdAt: "",
    }));
    const listed = await withGroups(sql, refs);
    return { listed: listed.filter((one) => queueModeStatus(one.groups) === status), complete: true };
  }
  // The walk calls everything behind a live lease processing; here only what was handed out is.
  const walked = status === "pending" ? (["pending", "processing"] as const) : [status];
  const parts = [];
  for (const one of walked) parts.push(await collect(sql, params, one));
  const listed = parts
    .flatMap((part) => part.listed)
    .sort((a, b) => (a.createdAt < b.createdAt ? 1 : a.createdAt > b.createdAt ? -1 : 0))
    .slice(offset, offset + limit);
  return { listed, complete: parts.every((part) => part.complete) };
}

/** Reads messages until their payloads weigh too much; the rest is left out. */
async function read(
  context: EngineContext,
  sql: Sql,
  listed: readonly Listed[],
): Promise<{ read: (Listed & { message: StoredMessage })[]; complete: boolean }> {
  const messages: (Listed & { message: StoredMessage })[] = [];
  let length = 0;
  for (let at = 0; at < listed.length; at += READ_MESSAGES) {
    if (length > READ_LENGTH_MAX) return { read: messages, complete: false };
    const some = listed.slice(at, at + READ_MESSAGES);
    const stored = await readMessages(
      context,
      sql,
      some.map(({ ref }) => ref),
    );
    for (const [index, message] of stored.entries()) {
      if (!message) continue;
      if (message.payload instanceof RawJson) length += message.payload.text.length;
      messages.push({ ...some[index]!, message });
    }
  }
  return { read: messages, complete: true };
}

/**
 * Answers a page of messages, newest first. Statuses are those of queue mode. `incomplete` when a list by status was given up
 * because too much was in its way, or the payloads of the page weighed too much: the next page begins where it ends.
 */
export async function octoberMessageList(context: EngineContext, params: OctoberMessageFilter): Promise<Answer> {
  const look = async (sql: Sql) => {
    const found = await find(sql, params);
    const { read: messages, complete } = await read(context, sql, found.listed);
    return { messages, complete: complete && found.complete };
  };
  const found = await context.database.look.begin("isolation level repeatable read, read only", look);
  const { messages, complete } = found as Awaited<ReturnType<typeof look>>;
  const values = [];
  for (const { ref, message, groups } of messages) {
    const partition = await context.catalog.partitionById(ref.queueId, ref.partitionId);
    if (partition) values.push(messageValue(message, partition, groups));
  }
  return ok({ messages: values, ...(!complete && { incomplete: true }) });
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
