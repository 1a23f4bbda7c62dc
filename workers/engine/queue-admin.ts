/**
 * Deleting and clearing queues.
 *
 * @module
 */

import type { OperationParams } from "../protocol.ts";
import type { Sql } from "../storage/database.ts";
import { withConflictRetry } from "../storage/failures.ts";
import {
  PURGE_TABLES,
  queueClear as queueClearStatement,
  queueDelete as queueDeleteStatement,
  queuePurge,
} from "../storage/queue-admin.ts";
import { type Answer, type EngineContext, ok } from "./context.ts";

/** Rows a batch of the purge deletes; segments are heavier by their bodies. */
const PURGE_ROWS_MAX = 10_000;
const PURGE_SEGMENTS_MAX = 500;
/** Batches that the deletion of a queue itself does: a small queue leaves nothing behind. */
const PURGE_BATCHES_AT_ONCE = PURGE_TABLES.length + 4;

/**
 * Clears away the rows of a deleted queue, in batches that are a transaction each.
 *
 * @param batchesMax - Stops after so many.
 * @param proceed - Asked before each batch; false stops.
 * @returns Whether nothing is left.
 */
export async function purgeQueue(
  sql: Sql,
  queueId: number,
  batchesMax: number,
  proceed: () => boolean = () => true,
): Promise<boolean> {
  let batches = 0;
  for (const table of PURGE_TABLES) {
    const rowsMax = table === "segments" ? PURGE_SEGMENTS_MAX : PURGE_ROWS_MAX;
    for (let count = rowsMax; count === rowsMax; batches += 1) {
      if (batches >= batchesMax || !proceed()) return false;
      count = await queuePurge(sql, { queueId, table, rowsMax });
    }
  }
  return true;
}

/** Deletes a queue and everything in it. Unknown queues are a success. */
export async function queueDelete(context: EngineContext, { queue }: OperationParams["queueDelete"]): Promise<Answer> {
  const sql = context.database.look;
  const id = await withConflictRetry(() => queueDeleteStatement(sql, queue));
  if (id !== null) {
    context.queueChanged(queue);
    context.queuesReady([id]);
    // The queue is gone already; what cannot be cleared away now, the job clears away.
    await purgeQueue(sql, id, PURGE_BATCHES_AT_ONCE).catch((error) =>
      context.log("warn", "queue.purge_postponed", { queue, reason: String(error) }),
    );
  }
  return ok({ deleted: true, queue, existed: id !== null });
}

/** Takes all messages out of a queue, or out of one of its partitions. Unknown ones count 0. */
export async function queueClear(context: EngineContext, params: OperationParams["queueClear"]): Promise<Answer> {
  const { queue: name, partition: partitionName } = params;
  const queue = await context.catalog.queue(name);
  const partition = queue && partitionName !== null ? await context.catalog.partition(queue, partitionName) : null;
  let count = 0;
  if (queue && (partitionName === null || partition)) {
    count = await withConflictRetry(() =>
      queueClearStatement(context.database.look, { queueId: queue.id, partitionId: partition?.id ?? null }),
    );
    context.queueChanged(name);
  }
  return ok({ cleared: true, count, queue: name, partition: partitionName ?? "all" });
}
