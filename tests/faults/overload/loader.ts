/**
 * Runs load processes.
 *
 * @module
 */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { LoadSecond, LoadSpec } from "./protocol.ts";

/** A load under way. */
export interface RunningLoad {
  /** Once the first second is over. */
  started: Promise<void>;
  /** All seconds, and the sum. */
  done: Promise<{ total: LoadSecond; seconds: LoadSecond[] }>;
  /** Ends it at once; `done` is then rejected. */
  kill(): void;
}

/**
 * Starts a load in a process of its own.
 *
 * @param spec - What it sends, and how long.
 */
export function startLoad(spec: LoadSpec): RunningLoad {
  const child = spawn(process.execPath, ["run", join(import.meta.dirname, "load.ts"), JSON.stringify(spec)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const seconds: LoadSecond[] = [];
  const first = Promise.withResolvers<void>();
  const done = new Promise<{ total: LoadSecond; seconds: LoadSecond[] }>((resolve, reject) => {
    createInterface({ input: child.stdout }).on("line", (line) => {
      const second = JSON.parse(line) as LoadSecond;
      first.resolve();
      if (second.final) resolve({ total: second, seconds });
      else seconds.push(second);
    });
    child.once("close", (code) => reject(new Error(`the load process ended with ${code}`)));
  });
  done.catch((error) => first.reject(error));
  first.promise.catch(() => {});
  return { started: first.promise, done, kill: () => child.kill("SIGKILL") };
}
