/**
 * Single messages: look at one, delete it, give it back to those that gave up on it, or give up on it for all.
 *
 * @module
 */

import { type PartitionRef, parsePartitionUuid } from "../../schema/wire/ids.ts";
import { toMilliseconds } from "../../schema/wire/instant.ts";
import { QUEUE_MODE_GROUP } from "../../schema/wire/limits.ts";
import type { MessageParams } from "../protocol.ts";
import { withConflictRetry } from "../storage/failures.ts";
import { groupExists } from "../storage/groups.ts";
import {
  type MessageGroupRow,
  type MessageRef,
  messageDeadLetter,
  messageDelete as messageDeleteStatement,
  messageFailures,
  messageGroups,
  messageRetry as messageRetryStatement,
} from "../storage/messages.ts";
import type { KnownPartition } from "./catalog.ts";
import { type Answer, type EngineContext, ok } from "./context.ts";
import { locateMessages } from "./find-message.ts";
import { readMessages, type StoredMessage } from "./read-messages.ts";

const NOT_FOUND = "Message not found";
const MOVED = "Moved to dead letters by request";

/** A message that was found, and where. */
interface Located {
  ref: MessageRef;
  partition: KnownPartition;
}

/**
 * Finds a message by what clients call it.
 *
 * @returns Null when the text is no partition id, or nothing of that name is kept.
 */
export async function locateMessage(context: EngineContext, params: MessageParams): Promise<Located | null> {
  const at: PartitionRef | null = parsePartitionUuid(params.partitionId);
  if (!at) return null;
  const partition = await context.catalog.partitionById(at.queueId, at.partitionId);
  if (!partition) return null;
  const [offset] = await locateMessages(context, context.database.look, at, [params.transactionId]);
  return offset === null || offset === undefined ? null : { ref: { ...at, offset }, partition };
}

/** Status by what the groups with a cursor on the partition have consumed (wire contract, 12.1). */
function statusOf(groups: readonly MessageGroupRow[], dead: boolean): string {
  if (dead) return "dead_letter";
  const queueMode = groups.find((group) => group.name === QUEUE_MODE_GROUP);
  if (!queueMode) return groups.length > 0 && groups.every((group) => group.consumed) ? "completed" : "pending";
  if (queueMode.consumed) return "completed";
  return queueMode.lease_expires_at === null ? "pending" : "processing";
}

function modeOf(groups: readonly MessageGroupRow[]): Record<string, unknown> {
  const named = groups.filter((group) => group.name !== QUEUE_MODE_GROUP);
  const hasQueueMode = named.length < groups.length;
  const both = hasQueueMode ? "hybrid" : "bus";
  return {
    hasQueueMode,
    busGroupsCount: named.length,
    consumedByGroups: named.filter((group) => group.consumed).length,
    type: named.length > 0 ? both : hasQueueMode ? "queue" : "none",
  };
}

function instantOrNull(instant: string | null | undefined): string | null {
  return instant ? toMilliseconds(instant) : null;
}

/** Answers one message with its payload and what became of it; `{"error"}` when there is none. */
export async function messageGet(context: EngineContext, params: MessageParams): Promise<Answer> {
  const located = await locateMessage(context, params);
  if (!located) return ok({ error: NOT_FOUND });
  const { ref, partition } = located;
  const sql = context.database.look;
  const [[message], groups, [failure]] = await Promise.all([
    readMessages(context, sql, [ref]),
    messageGroups(sql, ref),
    messageFailures(sql, ref),
  ]);
  // It may have been deleted since it was found.
  if (!message) return ok({ error: NOT_FOUND });
  const { queue } = partition;
  return ok({
    ...messageFields(message, params, partition),
    namespace: queue.namespace,
    task: queue.task,
    status: statusOf(groups, failure !== undefined),
    errorMessage: failure?.error ?? null,
    retryCount: failure?.failure_count ?? null,
    leaseExpiresAt: instantOrNull(groups.find((group) => group.name === QUEUE_MODE_GROUP)?.lease_expires_at),
    queueConfig: {
      leaseTime: queue.lease_time_s,
      retryLimit: queue.retry_limit,
      retryDelay: queue.retry_delay_ms ?? 1000,
      ttl: queue.ttl_s ?? 3600,
      priority: queue.priority,
    },
    mode: modeOf(groups),
    consumerGroups: groups
      .filter((group) => group.name !== QUEUE_MODE_GROUP)
      .map(({ name, consumed, lease_expires_at }) => ({
        name,
        consumed,
        leaseExpiresAt: instantOrNull(lease_expires_at),
      })),
  });
}

function messageFields(message: StoredMessage, params: MessageParams, partition: KnownPartition) {
  return {
    id: message.id,
    transactionId: params.transactionId,
    partitionId: partition.uuid,
    queuePath: `${partition.queue.name}/${partition.name}`,
    queue: partition.queue.name,
    partition: partition.name,
    payload: message.payload,
    isEncrypted: message.encrypted,
    traceId: message.traceId,
    producerSub: message.producerSub,
    createdAt: toMilliseconds(message.createdAt),
  };
}

/** Deletes one message, with its dead letters and traces. */
export async function messageDelete(context: EngineContext, params: MessageParams): Promise<Answer> {
  const { partitionId, transactionId } = params;
  const located = await locateMessage(context, params);
  const deleted =
    located !== null && (await withConflictRetry(() => messageDeleteStatement(context.database.look, located.ref)));
  const message = deleted ? "Message deleted successfully" : NOT_FOUND;
  if (deleted) context.queuesReady([located.ref.queueId], [located.ref.partitionId]);
  return ok({ success: deleted, partitionId, transactionId, message });
}

/** Redelivers a dead-lettered message to the groups that gave up on it, with fresh attempts. */
export async function messageRetry(context: EngineContext, params: MessageParams): Promise<Answer> {
  const { transactionId } = params;
  const located = await locateMessage(context, params);
  const outcome = located
    ? await withConflictRetry(() => messageRetryStatement(context.database.look, located.ref))
    : "missing";
  if (outcome === "missing") return ok({ retried: false, transactionId, error: NOT_FOUND });
  if (outcome === "nothing") {
    return ok({ retried: false, transactionId, error: "Message is neither dead-lettered nor waiting for a retry" });
  }
  context.queuesReady([located!.ref.queueId], [located!.ref.partitionId]);
  return ok({ retried: true, transactionId });
}

/** Dead-letters a message for every group that has not consumed it; for queue mode when the queue has no group. */
export async function messageMoveToDeadLetter(context: EngineContext, params: MessageParams): Promise<Answer> {
  const { transactionId } = params;
  const located = await locateMessage(context, params);
  if (!located) return ok({ movedToDLQ: false, transactionId, error: NOT_FOUND });
  const { ref, partition } = located;
  const sql = context.database.look;
  if (!(await groupExists(sql, ref.queueId))) {
    await context.catalog.ensureGroup(partition.queue, QUEUE_MODE_GROUP, { mode: "all", from: null }, null);
  }
  const groups = await withConflictRetry(() => messageDeadLetter(sql, ref, MOVED));
  if (groups === null) return ok({ movedToDLQ: false, transactionId, error: NOT_FOUND });
  if (groups === 0) {
    return ok({ movedToDLQ: false, transactionId, error: "No consumer group has the message left to consume" });
  }
  context.counters.acknowledged(ref.queueId, 0, 0, groups);
  context.queuesReady([ref.queueId], [ref.partitionId]);
  return ok({ movedToDLQ: true, transactionId });
}
