/**
 * Spools in temporary folders.
 *
 * @module
 */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KeyRing } from "../../../schema/wire/segment.ts";
import { type PackedPush, packPush } from "../../../workers/spool/record.ts";
import { Spool, type SpoolOptions } from "../../../workers/spool/spool.ts";

/** Makes a folder; the caller removes it with {@link removeFolder}. */
export function makeFolder(): string {
  return mkdtempSync(join(tmpdir(), "queen-spool-"));
}

/** Removes a folder of {@link makeFolder}. */
export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
}

/** Opens a spool with room for everything, unless `options` says otherwise. */
export function openSpool(folder: string, options: Partial<SpoolOptions> = {}): Promise<Spool> {
  return Spool.open({
    folder,
    bytesMax: 64 * 1024 * 1024,
    fileMessagesMax: 10_000,
    ring: new KeyRing([]),
    onDamage: () => {},
    ...options,
  });
}

/** A push of messages with these transaction ids to one partition. */
export function pushOf(ids: readonly string[], ring = new KeyRing([]), payload = "null"): PackedPush {
  const unit = {
    queue: "q",
    partition: "p",
    transactionIds: ids,
    traceIds: ids.map(() => null),
    payloads: ids.map(() => payload),
  };
  return packPush([unit], false, null, ring);
}

/** Reads and advances until nothing waits. @returns The transaction ids, in order. */
export async function drain(spool: Spool, messagesMax = 1_000): Promise<string[]> {
  const ids: string[] = [];
  for (
    let batch = await spool.read(messagesMax, 1024 * 1024);
    batch;
    batch = await spool.read(messagesMax, 1024 * 1024)
  ) {
    for (const push of batch.pushes) ids.push(...push.items.map((item) => item.transactionId!));
    await spool.advance(batch);
  }
  return ids;
}

/** Paths of the files of records, oldest first. */
export function recordFiles(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith(".spool"))
    .sort()
    .map((name) => join(folder, name));
}
