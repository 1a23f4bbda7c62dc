/**
 * Histories in files, for whoever wants to check one by himself (`bun run check:history FILE`).
 *
 * @module
 */
import { readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { History } from "./history.ts";

/** JSON knows no infinity. */
const INFINITE = "infinite";

/** What a file holds. */
interface Stored extends Partial<Omit<History, "log">> {
  leaseMs: number;
  retryLimit: number;
  groups: string[];
  log: [string, { transactionId: string; messageId: string }[]][];
}

/**
 * Writes a history to the folder for temporary files.
 *
 * @param groups - Which consumed until nothing was left.
 * @param name - Part of the file's name.
 * @returns The path.
 */
export function writeHistory(history: History, groups: readonly string[], name: string): string {
  const path = join(tmpdir(), `queen-history-${name}-${Date.now()}.json`);
  const stored = { ...history, groups, log: [...history.log] };
  const text = JSON.stringify(stored, (_, value: unknown) => (value === Number.POSITIVE_INFINITY ? INFINITE : value));
  writeFileSync(path, text);
  return path;
}

/**
 * Reads a history from a file.
 *
 * @throws Error when it is none.
 */
export function readHistory(path: string): { history: History; groups: string[] } {
  const stored: Stored = JSON.parse(readFileSync(path, "utf8"), (_, value: unknown) =>
    value === INFINITE ? Number.POSITIVE_INFINITY : value,
  );
  const { leaseMs, retryLimit, groups, log, ...records } = stored;
  const history = new History(leaseMs, retryLimit);
  for (const [partition, entries] of log) history.log.set(partition, entries);
  return { history: Object.assign(history, records), groups };
}
