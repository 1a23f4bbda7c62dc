/**
 * Deleting and clearing queues.
 *
 * @module
 */

import type { OperationParams } from "../protocol.ts";
import type { Sql } from "../storage/database.ts";
import { withConflictRetry } from "../storage/failures.ts";
import {
  type CursorPlace,
  databaseNow,
  PURGE_TABLES,
  partitionClearStep,
  queueClearCursors,
  queueClear as queueClearStatement,
  queueClearStep,
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
      context.log("warn", "purge_postponed", { queue, reason: String(error) }),
    );
  }
  return ok({ deleted: true, queue, existed: id !== null });
}

/** Segments that a step of clearing takes; more than this are not deleted under the queue's lock. */
const CLEAR_SEGMENTS_MAX = 2_000;

const CLEAR_CURSORS_MAX = 10_000;

/** Takes most of a large queue away in steps, so that the lock that ends the clearing is not held for long. */
async function clearSteps(sql: Sql, at: { queueId: number; partitionId: number | null }): Promise<number> {
  const { queueId, partitionId } = at;
  const before = await databaseNow(sql);
  const bound = { queueId, before, segmentsMax: CLEAR_SEGMENTS_MAX };
  let count = 0;
  for (;;) {
    const step = await withConflictRetry(() =>
      partitionId === null ? queueClearStep(sql, bound) : partitionClearStep(sql, { ...bound, partitionId }),
    );
    count += step.messages;
    if (step.segments < CLEAR_SEGMENTS_MAX || step.messages === 0) break;
  }
  let from: CursorPlace | null = partitionId === null ? { groupId: 0, readyAt: "-infinity" } : null;
  while (from !== null) {
    const place: CursorPlace = from;
    const step = await withConflictRetry(() =>
      queueClearCursors(sql, { queueId, from: place, cursorsMax: CLEAR_CURSORS_MAX }),
    );
    // Cursors of partitions that were pushed to meanwhile are left to the end.
    from = step.settled > 0 ? step.last : null;
  }
  return count;
}

/** Takes all messages out of a queue, or out of one of its partitions. Unknown ones count 0. */
export async function queueClear(context: EngineContext, params: OperationParams["queueClear"]): Promise<Answer> {
  const { queue: name, partition: partitionName } = params;
  const sql = context.database.look;
  const queue = await context.catalog.queue(name);
  const partition = queue && partitionName !== null ? await context.catalog.partition(queue, partitionName) : null;
  let count = 0;
  if (queue && (partitionName === null || partition)) {
    const at = { queueId: queue.id, partitionId: partition?.id ?? null };
    count = await clearSteps(sql, at);
    count += await withConflictRetry(() => queueClearStatement(sql, at));
    context.queueChanged(name);
  }
  return ok({ cleared: true, count, queue: name, partition: partitionName ?? "all" });
}
