/**
 * Writing measurements down, and forgetting old ones.
 *
 * @module
 */

import type { SampleBatch } from "../protocol/samples.ts";
import { withConflictRetry } from "../storage/failures.ts";
import { instanceExpire, instanceRegister, SAMPLE_TABLES, sampleExpire, sampleRecord } from "../storage/samples.ts";
import { type Answer, type EngineContext, ok } from "./context.ts";
import type { JobRun } from "./retention.ts";

/** Rows that a step of forgetting deletes. */
const EXPIRE_ROWS_MAX = 5_000;

/**
 * Writes the samples of this process down, and makes the process known first when it is not.
 *
 * @returns `{instanceId}`. Repeating it changes nothing.
 */
export async function recordSamples(context: EngineContext, batch: SampleBatch): Promise<Answer> {
  const sql = context.database.look;
  let id = batch.instanceId ?? (await instanceRegister(sql, batch));
  if (!(await withConflictRetry(() => sampleRecord(sql, id, batch)))) {
    // It slept for longer than measurements are kept.
    id = await instanceRegister(sql, batch);
    await withConflictRetry(() => sampleRecord(sql, id, batch));
  }
  return ok({ instanceId: id });
}

/** Deletes measurements that are older than they are kept, in steps. */
export async function runSampleExpiry({ context, sql, proceed }: JobRun): Promise<void> {
  const days = context.settings.metricsRetentionDays;
  for (const table of SAMPLE_TABLES) {
    for (let count = EXPIRE_ROWS_MAX; count === EXPIRE_ROWS_MAX; ) {
      if (!proceed()) return;
      count = await sampleExpire(sql, { table, days, rowsMax: EXPIRE_ROWS_MAX });
    }
  }
  if (proceed()) await instanceExpire(sql, days);
}
