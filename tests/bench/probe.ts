/**
 * Loaded by a server's main thread before its own modules: measures how late the event loop is, from one SIGWINCH to the next,
 * and then writes the {@link LagFigures} as JSON into the file that QUEEN_LAG_FILE names. Costs nothing until the first signal.
 * The server's own gauge looks every 100 ms, which misses most of what a window of seconds has.
 *
 * @module
 */

import { renameSync, writeFileSync } from "node:fs";
import { isMainThread } from "node:worker_threads";
import { Histogram } from "./load/histogram.ts";

const INTERVAL_MS = 5;

/** How late a timer of 5 ms came, in milliseconds. */
export interface LagFigures {
  p50Ms: number;
  p99Ms: number;
  maxMs: number;
  count: number;
}

const file = process.env.QUEEN_LAG_FILE;
const lags = new Histogram();
let timer: ReturnType<typeof setInterval> | null = null;

function toggle(): void {
  if (timer !== null) {
    clearInterval(timer);
    timer = null;
    const figures = { p50Ms: lags.quantileMs(0.5), p99Ms: lags.quantileMs(0.99), maxMs: lags.maxMs, count: lags.total };
    writeFileSync(`${file}.part`, JSON.stringify(figures satisfies LagFigures));
    renameSync(`${file}.part`, file!);
    return;
  }
  lags.reset();
  let lastMs = performance.now();
  timer = setInterval(() => {
    const now = performance.now();
    lags.record(Math.max(0, now - lastMs - INTERVAL_MS));
    lastMs = now;
  }, INTERVAL_MS);
}

if (isMainThread && file !== undefined) process.on("SIGWINCH", toggle);
