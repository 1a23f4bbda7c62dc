/**
 * Maintenance: switching it, and what is buffered (wire contract, sections 13.4 and 15.4).
 *
 * @module
 */

import type { SpoolAppendParams } from "../protocol/maintenance.ts";
import { type Answer, ok } from "./context.ts";
import type { Flags } from "./flags.ts";
import { within } from "./health.ts";
import type { Spooler } from "./spooler.ts";

/** What worker 0 has for it. */
export interface Keepers {
  flags: Flags;
  spooler: Spooler;
}

/** A database that takes longer to answer leaves us with what was known before. */
const REFRESH_MS_MAX = 2_000;
const MEBIBYTE = 1024 * 1024;

/** Answers both switches and how the buffer stands. */
export async function maintenanceGet({ flags, spooler }: Keepers): Promise<Answer> {
  await within(flags.refresh(), REFRESH_MS_MAX);
  const { pushMaintenance, popMaintenance, pendingMessages, failedMessages, databaseHealthy, spoolUsable } =
    spooler.state;
  const { count, bytes } = spooler.failedFiles;
  return ok({
    maintenanceMode: pushMaintenance,
    popMaintenanceMode: popMaintenance,
    bufferedMessages: pendingMessages,
    bufferHealthy: spoolUsable,
    bufferStats: {
      pendingCount: pendingMessages,
      failedCount: failedMessages,
      dbHealthy: databaseHealthy,
      // There is one kind of buffer, so every file is of the kind that stands in for the database.
      failedFiles: { count, totalBytes: bytes, totalMB: bytes / MEBIBYTE, failoverCount: count, qos0Count: 0 },
    },
  });
}

/**
 * Switches push maintenance, here at once and at other instances within moments.
 *
 * @throws QueenError `DATABASE_UNAVAILABLE`; it may be switched all the same.
 */
export async function maintenanceSet({ flags, spooler }: Keepers, enabled: boolean): Promise<Answer> {
  await flags.set("push_maintenance", enabled);
  const { pendingMessages, spoolUsable } = spooler.state;
  const message = enabled
    ? "Maintenance mode is on: pushes are buffered"
    : "Maintenance mode is off: what was buffered is being delivered";
  return ok({ maintenanceMode: enabled, bufferedMessages: pendingMessages, bufferHealthy: spoolUsable, message });
}

function popAnswer(enabled: boolean): Answer {
  const message = enabled ? "Pop maintenance is on: pops are answered empty" : "Pop maintenance is off";
  return ok({ popMaintenanceMode: enabled, message });
}

/** Answers the switch of pop maintenance. */
export async function popMaintenanceGet({ flags }: Keepers): Promise<Answer> {
  await within(flags.refresh(), REFRESH_MS_MAX);
  return popAnswer(flags.values.popMaintenance);
}

/** As {@link maintenanceSet}, for pops. */
export async function popMaintenanceSet({ flags }: Keepers, enabled: boolean): Promise<Answer> {
  await flags.set("pop_maintenance", enabled);
  return popAnswer(enabled);
}

/** Answers how the buffer stands. A worker without one says so. */
export async function bufferStatus({ spooler }: { spooler: Spooler | null }, worker: number): Promise<Answer> {
  if (spooler === null) {
    return ok({ pending: 0, failed: 0, dbHealthy: true, worker, note: "The buffer belongs to worker 0" });
  }
  const { pendingMessages, failedMessages, databaseHealthy } = spooler.state;
  return ok({ pending: pendingMessages, failed: failedMessages, dbHealthy: databaseHealthy, worker });
}

/** Spools a push of another worker; answers 201 when it is on disk. */
export async function spoolAppend(
  { spooler }: Keepers,
  params: SpoolAppendParams,
  bytes: ArrayBuffer,
): Promise<Answer> {
  await spooler.spoolPacked(params, bytes);
  return { status: 201, value: null };
}
