/**
 * What a server is like while a load runs, beside what it does: how late its router is, and how much memory it holds.
 *
 * @module
 */

import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { LagFigures } from "./probe.ts";
import type { ServerProcess } from "./process.ts";

const SAMPLE_MS = 100;
const WRITE_MS_MAX = 5_000;

/** Resident memory of the server, in MB. */
export interface MemoryFigures {
  firstHalfMaxMb: number;
  secondHalfMaxMb: number;
}

/**
 * Names the file a server's probe writes.
 *
 * @param dataDir - Data folder of the server.
 * @returns Its path.
 */
export function lagFile(dataDir: string): string {
  return join(dataDir, "bench-lag.json");
}

/** Watches from {@link Watch.open} to {@link Watch.close}. */
export class Watch {
  readonly #server: ServerProcess;
  readonly #memoryMb: number[] = [];
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(server: ServerProcess) {
    this.#server = server;
  }

  /** Begins. */
  open(): void {
    rmSync(lagFile(this.#server.dataDir), { force: true });
    process.kill(this.#server.pid, "SIGWINCH");
    this.#timer = setInterval(() => this.#memoryMb.push(residentMb(this.#server.pid)), SAMPLE_MS);
  }

  /** Ends. */
  close(): void {
    clearInterval(this.#timer);
    this.#memoryMb.push(residentMb(this.#server.pid));
    process.kill(this.#server.pid, "SIGWINCH");
  }

  /** How much memory the server held; 0 where there is no `/proc`. */
  get memory(): MemoryFigures {
    const half = Math.ceil(this.#memoryMb.length / 2);
    return {
      firstHalfMaxMb: Math.max(...this.#memoryMb.slice(0, half)),
      secondHalfMaxMb: Math.max(...this.#memoryMb.slice(-half)),
    };
  }

  /**
   * Reads what the probe wrote.
   *
   * @returns Null when it wrote nothing within 5 s: the server was started without one.
   */
  async lag(): Promise<LagFigures | null> {
    const file = lagFile(this.#server.dataDir);
    const giveUpAt = performance.now() + WRITE_MS_MAX;
    while (!existsSync(file)) {
      if (performance.now() > giveUpAt) return null;
      await Bun.sleep(20);
    }
    return JSON.parse(readFileSync(file, "utf8")) as LagFigures;
  }
}

function residentMb(pid: number): number {
  try {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1024;
  } catch {
    return 0;
  }
}
