/**
 * Consumer groups: forget them, move their subscriptions, move their cursors.
 *
 * @module
 */

import { readSeek, readSubscription } from "../../schema/wire/admin-requests.ts";
import type { DecodedBody } from "../../schema/wire/body.ts";
import { toMilliseconds } from "../../schema/wire/instant.ts";
import type { OperationParams } from "../protocol.ts";
import { withConflictRetry } from "../storage/failures.ts";
import {
  groupForget,
  groupQueues,
  groupResubscribe,
  groupSeek as groupSeekStatement,
  partitionNewest,
} from "../storage/groups.ts";
import { type Answer, type EngineContext, ok } from "./context.ts";

/** Partitions a step of moving cursors looks at: pushes to the queue wait for one step at most. */
const SEEK_PARTITIONS_MAX = 10_000;

/** Forgets a group on all queues, one after another. */
export async function groupDelete(context: EngineContext, params: OperationParams["groupDelete"]): Promise<Answer> {
  const { group, deleteMetadata } = params;
  const sql = context.database.look;
  let deletedPartitions = 0;
  for (const queue of await groupQueues(sql, group)) {
    deletedPartitions += await withConflictRetry(() => groupForget(sql, { queueId: queue.id, group, deleteMetadata }));
    context.queueChanged(queue.name);
    context.queuesReady([queue.id]);
  }
  return ok({ success: true, consumerGroup: group, deletedPartitions, metadataDeleted: deleteMetadata });
}

/** Forgets a group on one queue. */
export async function groupQueueDelete(
  context: EngineContext,
  params: OperationParams["groupQueueDelete"],
): Promise<Answer> {
  const { group, queue: queueName, deleteMetadata } = params;
  const queue = await context.catalog.queue(queueName);
  let deletedPartitions = 0;
  if (queue) {
    deletedPartitions = await withConflictRetry(() =>
      groupForget(context.database.look, { queueId: queue.id, group, deleteMetadata }),
    );
    context.queueChanged(queueName);
    context.queuesReady([queue.id]);
  }
  return ok({ success: true, consumerGroup: group, queueName, deletedPartitions, metadataDeleted: deleteMetadata });
}

/**
 * Moves the subscriptions that a group has, on all queues.
 *
 * @throws {@link QueenError} `FIELD_INVALID` when the body names no timestamp.
 */
export async function groupSubscriptionUpdate(
  context: EngineContext,
  { group }: OperationParams["groupSubscriptionUpdate"],
  body: DecodedBody,
): Promise<Answer> {
  const { sent, instant } = readSubscription(body);
  const sql = context.database.look;
  let rowsUpdated = 0;
  for (const queue of await groupQueues(sql, group)) {
    const updated = await withConflictRetry(() => groupResubscribe(sql, { queueId: queue.id, group, from: instant }));
    if (!updated) continue;
    rowsUpdated += 1;
    context.queueChanged(queue.name);
    context.queuesReady([queue.id]);
  }
  return ok({ success: true, consumerGroup: group, newTimestamp: sent, rowsUpdated });
}

/**
 * Moves the cursors of a group on a queue, to the end or to the first message after a timestamp.
 *
 * @throws {@link QueenError} `FIELD_INVALID` when the body names neither.
 */
export async function groupSeek(
  context: EngineContext,
  params: OperationParams["groupSeek"],
  body: DecodedBody,
): Promise<Answer> {
  const { group, queue: queueName } = params;
  const after = readSeek(body);
  const queue = await context.catalog.queue(queueName);
  let partitionsUpdated = 0;
  if (queue) {
    let first: number | null = 0;
    while (first !== null) {
      const step: Parameters<typeof groupSeekStatement>[1] = {
        queueId: queue.id,
        group,
        first,
        only: false,
        after,
        partitionsMax: SEEK_PARTITIONS_MAX,
      };
      const row = await withConflictRetry(() => groupSeekStatement(context.database.look, step));
      partitionsUpdated += row.moved;
      first = row.last === null ? null : row.last + 1;
    }
    context.queueChanged(queueName);
    context.queuesReady([queue.id]);
  }
  return ok({
    success: true,
    consumerGroup: group,
    queueName,
    seekToEnd: after === null,
    targetTimestamp: after === null ? null : toMilliseconds(after),
    partitionsUpdated,
  });
}

/** Moves the cursor of a group on one partition to the end. */
export async function partitionSeek(context: EngineContext, params: OperationParams["partitionSeek"]): Promise<Answer> {
  const { group, queue: queueName, partition: partitionName } = params;
  const queue = await context.catalog.queue(queueName);
  const partition = queue && (await context.catalog.partition(queue, partitionName));
  if (!queue || !partition) return ok({ success: false, error: "Partition not found" });
  const at = { queueId: queue.id, partitionId: partition.id };
  const sql = context.database.look;
  const step = { queueId: queue.id, group, first: partition.id, only: true, after: null, partitionsMax: 2 };
  const { moved } = await withConflictRetry(() => groupSeekStatement(sql, step));
  const newest = moved > 0 ? await partitionNewest(sql, at) : null;
  return ok({
    success: true,
    consumerGroup: group,
    queueName,
    partitionName,
    updated: moved > 0,
    cursorMovedTo: newest === null ? null : toMilliseconds(newest),
  });
}
