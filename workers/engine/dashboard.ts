/**
 * What those who watch are told every few seconds.
 *
 * @module
 */

import { DASHBOARD, type DepthRow, dashboardDepths, dashboardTotals } from "../storage/dashboard.ts";
import { type Answer, type EngineContext, ok } from "./context.ts";

/** How one queue stands, by partition. */
interface QueueDepth {
  queue: string;
  namespace: string | null;
  task: string | null;
  partitions: Record<string, Pick<DepthRow, "depth" | "processing" | "completed" | "failed" | "total">>;
}

/**
 * How the next queues stand.
 *
 * @returns The queues, and the id behind which the next look goes on: 0 when it begins anew.
 */
export async function dashboardQueueDepths(
  context: EngineContext,
  { afterQueueId }: { afterQueueId: number },
): Promise<Answer> {
  const rows = await dashboardDepths(context.database.look, afterQueueId);
  const queues = new Map<number, QueueDepth>();
  for (const { queue_id, queue, namespace, task, partition, depth, processing, completed, failed, total } of rows) {
    let known = queues.get(queue_id);
    if (!known) {
      known = { queue, namespace: namespace || null, task: task || null, partitions: Object.create(null) };
      queues.set(queue_id, known);
    }
    if (partition !== null) known.partitions[partition] = { depth, processing, completed, failed, total };
  }
  const ends = queues.size < DASHBOARD.queues && rows.length < DASHBOARD.partitions;
  return ok({ queues: [...queues.values()], afterQueueId: ends ? 0 : rows.at(-1)!.queue_id });
}

/** How many messages wait and are being processed, over all queues. */
export async function dashboardSystemTotals(context: EngineContext): Promise<Answer> {
  return ok(await dashboardTotals(context.database.look));
}
