/**
 * Waking parked pops because somebody says so.
 *
 * @module
 */

import { type Answer, type EngineContext, ok } from "./context.ts";

/** Makes parked pops of a queue, here and at other instances, look again. A queue that does not exist has none. */
export async function queueNotify(
  context: EngineContext,
  { queue: name, partition: partitionName }: { queue: string; partition: string | null },
): Promise<Answer> {
  const queue = await context.catalog.queue(name);
  if (queue) {
    const partition = partitionName === null ? null : await context.catalog.partition(queue, partitionName);
    if (partition === null) context.queuesReady([queue.id]);
    else context.queuesReady([queue.id], [partition.id]);
  }
  return ok({ status: "ok" });
}
