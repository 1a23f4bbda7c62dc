/**
 * Single messages, named by transaction id alone: look at one, at its neighbours, delete it, deliver it again, give up on it.
 *
 * @module
 */

import { QueenError } from "../../../schema/wire/errors.ts";
import { toMilliseconds } from "../../../schema/wire/instant.ts";
import { QUEUE_MODE_GROUP } from "../../../schema/wire/limits.ts";
import { groupShown } from "../../../schema/wire/october/answers.ts";
import { withConflictRetry } from "../../storage/failures.ts";
import { type MessageRef, messageDelete, messageRetry } from "../../storage/messages.ts";
import { type OctoberStatusRow, octoberDeadLetter, octoberStatuses } from "../../storage/october.ts";
import type { QueueRow } from "../../storage/queues.ts";
import type { KnownPartition } from "../catalog.ts";
import { type Answer, type EngineContext, ok } from "../context.ts";
import { readMessages, type StoredMessage } from "../read-messages.ts";
import { findMessage, type Place } from "./place.ts";

/** What the routes of one message are given. */
export interface OctoberMessageParams {
  transactionId: string;
}

const NOT_FOUND = () => new QueenError("MESSAGE_NOT_FOUND");
const MOVED = "Moved to dead letters by request";

interface Located {
  place: Place;
  partition: KnownPartition;
}

async function locate(context: EngineContext, { transactionId }: OctoberMessageParams): Promise<Located> {
  const place = await findMessage(context, transactionId, QUEUE_MODE_GROUP);
  const partition = place && (await context.catalog.partitionById(place.queueId, place.partitionId));
  if (!place || !partition) throw NOT_FOUND();
  return { place, partition };
}

/** Options of the queue that the dialect shows beside a message. */
function queueConfig(queue: QueueRow) {
  return {
    leaseTime: queue.lease_time_s,
    retryLimit: queue.retry_limit,
    retryDelay: queue.retry_delay_ms ?? 1000,
    ttl: queue.ttl_s ?? 3600,
    priority: queue.priority,
  };
}

function instantOrNull(instant: string | null | undefined): string | null {
  return instant ? toMilliseconds(instant) : null;
}

/** What a message is in queue mode; pending where nobody ever consumed without a group. */
export function queueModeStatus(groups: readonly OctoberStatusRow[]): OctoberStatusRow["status"] {
  return groups.find((group) => group.name === QUEUE_MODE_GROUP)?.status ?? "pending";
}

/**
 * A message as the dialect shows it. Its status is that of queue mode; that of every group with something to do with it
 * stands in `consumerGroups`.
 */
export function messageValue(
  message: StoredMessage,
  partition: Pick<KnownPartition, "name" | "queue">,
  groups: readonly OctoberStatusRow[],
) {
  const { queue, name } = partition;
  const own = groups.find((group) => group.name === QUEUE_MODE_GROUP);
  return {
    id: message.id,
    transactionId: message.transactionId,
    traceId: message.traceId,
    queuePath: `${queue.name}/${name}`,
    queue: queue.name,
    partition: name,
    namespace: queue.namespace || null,
    task: queue.task || null,
    payload: message.payload,
    isEncrypted: message.encrypted,
    status: queueModeStatus(groups),
    workerId: null,
    createdAt: toMilliseconds(message.createdAt),
    lockedAt: null,
    completedAt: null,
    failedAt: instantOrNull(own?.failed_at),
    errorMessage: own?.error ?? null,
    retryCount: own?.retry_count ?? 0,
    leaseExpiresAt: instantOrNull(own?.lease_expires_at),
    consumerGroups: groups.map((group) => ({
      consumerGroup: groupShown(group.name),
      status: group.status,
      retryCount: group.retry_count,
      errorMessage: group.error,
    })),
  };
}

/** Answers one message, with its payload and what each group made of it. */
export async function octoberMessageGet(context: EngineContext, params: OctoberMessageParams): Promise<Answer> {
  const { place, partition } = await locate(context, params);
  const sql = context.database.look;
  const [[message], groups] = await Promise.all([readMessages(context, sql, [place]), octoberStatuses(sql, [place])]);
  if (!message) throw NOT_FOUND();
  const { transactionId } = params;
  const value = messageValue({ ...message, transactionId }, partition, groups);
  return ok({ ...value, queueConfig: queueConfig(partition.queue) });
}

/** Deletes one message. */
export async function octoberMessageDelete(context: EngineContext, params: OctoberMessageParams): Promise<Answer> {
  const { place } = await locate(context, params);
  if (!(await withConflictRetry(() => messageDelete(context.database.look, place)))) throw NOT_FOUND();
  context.queuesReady([place.queueId], [place.partitionId]);
  return ok({ deleted: true, transactionId: params.transactionId });
}

/** Makes a message that failed, or is a dead letter, deliverable again at once. */
export async function octoberMessageRetry(context: EngineContext, params: OctoberMessageParams): Promise<Answer> {
  const { place } = await locate(context, params);
  const outcome = await withConflictRetry(() => messageRetry(context.database.look, place));
  if (outcome === "missing") throw NOT_FOUND();
  if (outcome === "nothing") {
    throw new QueenError("MESSAGE_STATE", { detail: "Message is neither failed nor dead-lettered" });
  }
  context.queuesReady([place.queueId], [place.partitionId]);
  return ok({ retried: true, transactionId: params.transactionId });
}

/** Makes a failed message a dead letter, for the groups for which it failed. */
export async function octoberMessageDeadLetter(context: EngineContext, params: OctoberMessageParams): Promise<Answer> {
  const { place } = await locate(context, params);
  const groups = await withConflictRetry(() => octoberDeadLetter(context.database.look, place, MOVED));
  if (groups === null) throw NOT_FOUND();
  if (groups === 0) throw new QueenError("MESSAGE_STATE", { detail: "Message is not failed" });
  context.counters.acknowledged(place.queueId, 0, 0, groups);
  context.queuesReady([place.queueId], [place.partitionId]);
  return ok({ movedToDLQ: true, transactionId: params.transactionId });
}

/** Most neighbours shown, and how far away in time. */
const RELATED_MAX = 10;
const RELATED_MS = 3_600_000;

/** Answers up to ten messages of the same partition within an hour of one, nearest first. */
export async function octoberMessageRelated(context: EngineContext, params: OctoberMessageParams): Promise<Answer> {
  const { place } = await locate(context, params);
  const sql = context.database.look;
  const refs: MessageRef[] = [{ ...place }];
  for (let step = 1; step <= RELATED_MAX; step += 1) {
    if (place.offset >= step) refs.push({ ...place, offset: place.offset - step });
    refs.push({ ...place, offset: place.offset + step });
  }
  const [messages, statuses] = await Promise.all([readMessages(context, sql, refs), octoberStatuses(sql, refs)]);
  const own = messages[0];
  if (!own) throw NOT_FOUND();
  const away = (message: StoredMessage) => Math.abs(Date.parse(message.createdAt) - Date.parse(own.createdAt));
  const related = messages
    .flatMap((message, at) => (at > 0 && message !== null && away(message) <= RELATED_MS ? [{ message, at }] : []))
    .sort((a, b) => away(a.message) - away(b.message) || a.at - b.at)
    .slice(0, RELATED_MAX)
    .map(({ message, at }) => ({
      transactionId: message.transactionId,
      status: statuses.find((row) => row.at === at && row.name === QUEUE_MODE_GROUP)?.status ?? "pending",
      createdAt: toMilliseconds(message.createdAt),
      payload: message.payload,
    }));
  return ok({ messages: related });
}
