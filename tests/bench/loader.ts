/**
 * Runs a load process and measures the server while its window is open.
 *
 * @module
 */

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { type CpuSeconds, cpuBetween } from "./cpu.ts";
import type { CheckFigures, LoadEvent, LoadFigures, LoadSpec } from "./load/protocol.ts";

const LOAD_PROGRAM = new URL("./load.ts", import.meta.url).pathname;

/** What one load process did, and what it cost the server. */
export interface LoadOutcome extends LoadFigures {
  cpu: CpuSeconds;
  checks: CheckFigures;
  /** Messages pushed in all, warm-up included. */
  pushedInAll: number;
}

/**
 * Starts a load process, lets it play, and waits for its end.
 *
 * @param spec - What it does.
 * @param readServerCpu - Reads the processor time of the server; called at both ends of the window.
 * @returns Its figures.
 * @throws {Error} when it failed or ended early; it is not running any more then.
 */
export async function runLoad(spec: LoadSpec, readServerCpu: () => CpuSeconds): Promise<LoadOutcome> {
  const child = spawn(process.execPath, ["run", LOAD_PROGRAM], { stdio: ["pipe", "pipe", "inherit"] });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  let before: CpuSeconds | null = null;
  let outcome: (LoadFigures & { cpu: CpuSeconds }) | null = null;
  let checks: CheckFigures | null = null;
  let pushedInAll = 0;
  let reason = "it ended without a word";
  child.stdin.write(`${JSON.stringify(spec)}\n`);
  createInterface({ input: child.stdout }).on("line", (line) => {
    const event = JSON.parse(line) as LoadEvent;
    if (event.event === "ready") child.stdin.write("go\n");
    else if (event.event === "window") before = readServerCpu();
    else if (event.event === "closed") outcome = { ...event.load, cpu: cpuBetween(readServerCpu(), before!) };
    else if (event.event === "done") {
      checks = event.checks;
      pushedInAll = event.pushed;
    } else reason = event.reason;
  });
  const limitMs = (spec.warmupSeconds + spec.seconds + 60) * 1000;
  const killer = setTimeout(() => {
    reason = `it did not end within ${limitMs / 1000} s`;
    child.kill("SIGKILL");
  }, limitMs);
  await ended;
  clearTimeout(killer);
  if (outcome === null || checks === null) throw new Error(`a load process failed: ${reason}`);
  return { ...(outcome as LoadFigures & { cpu: CpuSeconds }), checks, pushedInAll };
}
