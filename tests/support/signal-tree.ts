/**
 * Signals to a process and all it started, as far as this machine tells who that is.
 *
 * @module
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import process from "node:process";

/** Why {@link signalTree} cannot work on this machine; null when it can. */
export const processTreeMissing: string | null = existsSync("/proc/self/stat")
  ? null
  : "there is no /proc that tells who started whom";

function parentOf(pid: string): string | null {
  try {
    return readFileSync(`/proc/${pid}/stat`, "latin1").split(") ").at(-1)!.split(" ")[1]!;
  } catch {
    // It ended meanwhile.
    return null;
  }
}

/** @returns The children of a process. */
export function childrenOf(pid: number): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && parentOf(name) === String(pid))
    .map(Number);
}

/** Sends a signal to a process and its children; who ended meanwhile is passed over. */
export function signalTree(pid: number, signal: NodeJS.Signals): void {
  for (const each of [pid, ...childrenOf(pid)]) {
    try {
      process.kill(each, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  }
}
