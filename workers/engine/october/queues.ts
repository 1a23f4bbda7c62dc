/**
 * Deleting and clearing queues as clients of October 2025 know it.
 *
 * @module
 */

import { QueenError } from "../../../schema/wire/errors.ts";
import { partitionUuid } from "../../../schema/wire/ids.ts";
import { type Answer, type EngineContext, ok } from "../context.ts";
import { queueClear, queueDelete } from "../queue-admin.ts";

/** Deletes a queue and everything in it; one that does not exist is no error. Its id is in the answer. */
export async function octoberQueueDelete(context: EngineContext, params: { queue: string }): Promise<Answer> {
  const queue = await context.catalog.queue(params.queue);
  const { value } = await queueDelete(context, params);
  return ok({ ...(value as Record<string, unknown>), id: queue === null ? null : partitionUuid(queue.id, 0) });
}

/**
 * Takes all messages out of a queue, or out of one of its partitions.
 *
 * @throws {@link QueenError} `QUEUE_NOT_FOUND`, or `PARTITION_NOT_FOUND`.
 */
export async function octoberQueueClear(
  context: EngineContext,
  params: { queue: string; partition: string | null },
): Promise<Answer> {
  const queue = await context.catalog.queue(params.queue);
  if (!queue) throw new QueenError("QUEUE_NOT_FOUND");
  if (params.partition !== null && !(await context.catalog.partition(queue, params.partition))) {
    throw new QueenError("PARTITION_NOT_FOUND");
  }
  return await queueClear(context, params);
}
