/**
 * A seek before it is done: what it would skip and deliver again.
 *
 * @module
 */

import { toMilliseconds } from "../../schema/wire/instant.ts";
import type { OperationParams } from "../protocol.ts";
import { seekPreview as seekPreviewStatement } from "../storage/seek-preview.ts";
import { type Answer, type EngineContext, ok } from "./context.ts";

/** Partitions a step looks at. */
const STEP_PARTITIONS = 10_000;

/**
 * Counts what a seek would come to now. Changes nothing; an unknown queue or group has nothing to be moved.
 *
 * @remarks Step by step, so that what is pushed and acknowledged meanwhile may be in some of the counts.
 */
export async function seekPreview(context: EngineContext, params: OperationParams["seekPreview"]): Promise<Answer> {
  const { group, queue: queueName, after } = params;
  const queue = await context.catalog.queue(queueName);
  const sum = { partitions: 0, skipped: 0, replayed: 0, pending: 0 };
  if (queue) {
    let from: number | null = 0;
    while (from !== null) {
      const row = await seekPreviewStatement(context.database.look, {
        queueId: queue.id,
        group,
        from,
        after,
        partitionsMax: STEP_PARTITIONS,
      });
      for (const name of Object.keys(sum) as (keyof typeof sum)[]) sum[name] += row[name];
      from = row.last === null ? null : row.last + 1;
    }
  }
  return ok({
    consumerGroup: group,
    queueName,
    seekToEnd: after === null,
    targetTimestamp: after === null ? null : toMilliseconds(after),
    ...sum,
  });
}
