/**
 * The folder of a spool: names of its files, and making them durable.
 *
 * - `<sequence>.spool` records, named by the number of the first
 * - `position` where the replay stands
 * - `failed/` what the store refused for good, and what could not be read
 *
 * @module
 */

import type { Buffer } from "node:buffer";
import { type FileHandle, mkdir, open, readdir, rename, stat } from "node:fs/promises";
import { join } from "node:path";

const SUFFIX = ".spool";
const DIGITS = 16;

/** Path of the file whose first record has this number. */
export function segmentPath(folder: string, first: number): string {
  return join(folder, `${String(first).padStart(DIGITS, "0")}${SUFFIX}`);
}

/** Number of the first record of each file, oldest first. */
export async function listSegments(folder: string): Promise<number[]> {
  return (await readdir(folder))
    .filter((name) => name.endsWith(SUFFIX) && /^\d+$/.test(name.slice(0, -SUFFIX.length)))
    .map((name) => Number(name.slice(0, -SUFFIX.length)))
    .sort((a, b) => a - b);
}

/** Makes new and removed names of a folder durable, where the system can. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } catch (error) {
    // Some file systems cannot and need not.
    if (!["EINVAL", "ENOTSUP", "EPERM"].includes((error as { code?: string }).code ?? "")) throw error;
  } finally {
    await handle.close();
  }
}

/** Writes all of `bytes` at a place of a file. */
export async function writeAll(file: FileHandle, bytes: Buffer, at: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, at + done);
    done += bytesWritten;
  }
}

/** What lies in `failed/`. */
export interface FailedFiles {
  count: number;
  bytes: number;
  /** Messages that the names of the files speak of. */
  messages: number;
}

function failedFolder(folder: string): string {
  return join(folder, "failed");
}

/** Counts what lies in `failed/`. */
export async function countFailed(folder: string): Promise<FailedFiles> {
  const found: FailedFiles = { count: 0, bytes: 0, messages: 0 };
  await mkdir(failedFolder(folder), { recursive: true, mode: 0o700 });
  for (const name of await readdir(failedFolder(folder))) {
    const { size } = await stat(join(failedFolder(folder), name));
    found.count += 1;
    found.bytes += size;
    found.messages += Number(/^\d+-(\d+)\./.exec(name)?.[1] ?? 0);
  }
  return found;
}

/**
 * Puts a file into `failed/`, durable when it resolves. One of the same name is replaced.
 *
 * @param messageCount - Becomes part of its name.
 * @param kind - Its suffix.
 */
export async function writeFailed(
  folder: string,
  first: number,
  messageCount: number,
  kind: "jsonl" | "jsonl.encrypted" | "damaged",
  bytes: Buffer,
): Promise<void> {
  const target = join(failedFolder(folder), `${String(first).padStart(DIGITS, "0")}-${messageCount}.${kind}`);
  const draft = join(folder, "failed.new");
  const file = await open(draft, "w", 0o600);
  try {
    await writeAll(file, bytes, 0);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(draft, target);
  await syncFolder(failedFolder(folder));
}
