/**
 * What a scenario is, and what it yields.
 *
 * @module
 */

import type { Bench } from "./bench.ts";

/** One line of the table. `null` stands for "does not apply here". */
export interface Row {
  scenario: string;
  label: string;
  messagesPerSecond: number | null;
  p50Ms: number | null;
  p99Ms: number | null;
  /** Processor microseconds per message. */
  cpuUs: { router: number; workers: number; helpers: number; postgres: number; load: number } | null;
  /** Cores that other programs kept busy meanwhile; figures taken while it is far from 0 are too low. */
  othersCores: number | null;
  /** Tables and indexes per message. */
  diskBytesPerMessage: number | null;
  /** Messages a second of a bare loop with the same driver over the same bytes. */
  limit: number | null;
  /** What the design aims at, in words. */
  aim: string;
  /** Whether this run reached the aim; null when the aim is not about such a run (another size, another machine). */
  met: boolean | null;
  note: string;
  parameters: Record<string, unknown>;
}

/** A row of the design's table of aims, as a program. */
export interface Scenario {
  name: string;
  /** One line for `--list`. */
  about: string;
  /**
   * Runs it on a fresh server.
   *
   * @param bench - The server and everything to load and measure it with.
   * @returns Rows for the table.
   * @throws {Error} when a check failed: figures of a server that loses or repeats messages mean nothing.
   */
  run(bench: Bench): Promise<Row[]>;
}
