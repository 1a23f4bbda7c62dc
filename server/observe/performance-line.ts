/**
 * One line in the log every ten seconds, while there is traffic, of how the server does: for those who have a log and no
 * dashboard. Made of numbers that are measured anyway; a quiet server says nothing.
 *
 * @module
 */
import type { HistogramReading } from "../../workers/protocol/histogram.ts";
import { FLIGHT_KINDS, type FlightKind, type Observation } from "../../workers/protocol/observation.ts";
import type { LogLine, OperationReading } from "../pool/pool.ts";
import { DURATION_BOUNDS_S } from "../pool/pool.ts";
import { databaseState } from "./process-watch.ts";

/** When the line is written, and as what. */
export interface PerformanceLineOptions {
  /** Between two lines, in milliseconds; 0 for none. */
  readonly intervalMs: number;
  readonly level: "debug" | "info";
}

/** Totals since the start. */
type Totals = Readonly<Record<"pushMessages" | "popMessages" | "ackSuccess" | "ackFailed" | "autoAcked", number>>;

/** What stands at one moment. */
export interface Standing {
  totals: Totals;
  operations: readonly OperationReading[];
  flights: Record<FlightKind, { read(): HistogramReading }>;
  /** What each worker told last. */
  latest: readonly (Observation | undefined)[];
  /** Lateness of the router's event loop since the last look, at worst, in milliseconds. */
  routerLagMs: number;
  rssBytes: number;
}

interface Mark {
  atMs: number;
  totals: Totals;
  operations: Map<string, OperationReading>;
  flights: Map<FlightKind, HistogramReading>;
}

/** Operations whose time is told; a pop that may wait is left out, since it takes as long as it waits. */
const TIMED = ["push", "pop", "ack", "ackBatch", "leaseAcknowledge", "transaction"] as const;
/** Not traffic: load balancers ask for it all the time. */
const IDLE_OPERATIONS: ReadonlySet<string> = new Set(["health"]);
const NONE: HistogramReading = { counts: [], sum: 0 };
const MIB = 1024 * 1024;

/** See the module comment. */
export class PerformanceLine {
  readonly #options: PerformanceLineOptions;
  readonly #log: LogLine;
  readonly #now: () => number;
  #mark: Mark | null = null;
  /** Worst of the looks since the last line, in milliseconds. */
  #lagMs = { router: 0, worker: 0 };
  #waitingMax = 0;
  #inUseMax = 0;

  /** @param now - Clock in milliseconds; a parameter for tests. */
  constructor(options: PerformanceLineOptions, log: LogLine, now: () => number = () => performance.now()) {
    this.#options = options;
    this.#log = log;
    this.#now = now;
  }

  /** Takes note of a look at the workers, and writes the line when it is due and something was done since the last. */
  note(standing: Standing): void {
    if (this.#options.intervalMs === 0) return;
    const observations = standing.latest.filter((observation) => observation !== undefined);
    const { size, inUse, waiting } = databaseState(observations);
    this.#inUseMax = Math.max(this.#inUseMax, inUse);
    this.#waitingMax = Math.max(this.#waitingMax, waiting);
    this.#lagMs.router = Math.max(this.#lagMs.router, standing.routerLagMs);
    for (const { loopLag } of observations) this.#lagMs.worker = Math.max(this.#lagMs.worker, loopLag.maxMs);
    this.#mark ??= this.#markOf(standing);
    if (this.#now() - this.#mark.atMs < this.#options.intervalMs) return;
    const [before, after] = [this.#mark, this.#markOf(standing)];
    const traffic = trafficOf(before, after);
    if (traffic !== null) {
      this.#log(this.#options.level, "performance", {
        ...traffic,
        db_connections: size,
        db_active_max: this.#inUseMax,
        db_waiting_max: this.#waitingMax,
        parked_pops: observations.reduce((sum, { parked }) => sum + parked, 0),
        router_lag_ms_max: tenth(this.#lagMs.router),
        worker_lag_ms_max: tenth(this.#lagMs.worker),
        rss_mb: Math.round(standing.rssBytes / MIB),
      });
    }
    this.#mark = after;
    this.#lagMs = { router: 0, worker: 0 };
    [this.#waitingMax, this.#inUseMax] = [0, 0];
  }

  #markOf({ totals, operations, flights }: Standing): Mark {
    return {
      atMs: this.#now(),
      totals: { ...totals },
      operations: new Map(operations.map((reading) => [reading.operation, reading])),
      flights: new Map(FLIGHT_KINDS.map((kind) => [kind, flights[kind].read()])),
    };
  }
}

/** @returns Null when nothing was asked of the server, and nothing was done. */
function trafficOf(before: Mark, after: Mark): Record<string, number> | null {
  const seconds = Math.max(0.001, (after.atMs - before.atMs) / 1000);
  const done = (name: keyof Totals) => after.totals[name] - before.totals[name];
  const operations = [...after.operations.values()].filter(({ operation }) => !IDLE_OPERATIONS.has(operation));
  const requests = operations.map((now) => ({
    operation: now.operation,
    failures: now.failures - (before.operations.get(now.operation)?.failures ?? 0),
    ...between(now, before.operations.get(now.operation) ?? NONE),
  }));
  const count = requests.reduce((sum, { total }) => sum + total, 0);
  const messages = done("pushMessages") + done("popMessages") + done("ackSuccess") + done("ackFailed");
  if (count + messages === 0) return null;
  const fields: Record<string, number> = {
    seconds: tenth(seconds),
    requests_per_s: tenth(count / seconds),
    pushed_per_s: tenth(done("pushMessages") / seconds),
    popped_per_s: tenth(done("popMessages") / seconds),
    acked_per_s: tenth((done("ackSuccess") + done("ackFailed") + done("autoAcked")) / seconds),
    failures: requests.reduce((sum, { failures }) => sum + failures, 0),
  };
  for (const { operation, counts, sum, total } of requests) {
    if (total === 0 || !(TIMED as readonly string[]).includes(operation)) continue;
    fields[`${snake(operation)}_ms`] = tenth((sum / total) * 1000);
    fields[`${snake(operation)}_p99_ms`] = tenth(quantileS(counts, total, 0.99) * 1000);
  }
  for (const kind of FLIGHT_KINDS) {
    const { total, sum } = between(after.flights.get(kind)!, before.flights.get(kind)!);
    if (total > 0) fields[`${snake(kind)}_flight_fill`] = tenth(sum / total);
  }
  return fields;
}

function between(now: HistogramReading, before: HistogramReading): HistogramReading & { total: number } {
  const counts = now.counts.map((count, at) => count - (before.counts[at] ?? 0));
  return { counts, sum: now.sum - before.sum, total: counts.reduce((sum, count) => sum + count, 0) };
}

/** @returns The upper bound, in seconds, of the bucket that the share ends in; the last bound for what is beyond it. */
function quantileS(counts: readonly number[], total: number, share: number): number {
  let seen = 0;
  const at = counts.findIndex((count) => {
    seen += count;
    return seen >= total * share;
  });
  return DURATION_BOUNDS_S[Math.min(at, DURATION_BOUNDS_S.length - 1)]!;
}

function snake(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function tenth(value: number): number {
  return Math.round(value * 10) / 10;
}
