/**
 * Measurements of this process: fetched from the workers, added up by interval, and written down by one of them.
 *
 * Two rhythms: every `METRICS_SAMPLE_INTERVAL_MS` the workers are asked, and every `METRICS_AGGREGATE_INTERVAL_S` what came
 * of it is written. Whoever reads measurements asks for both to happen first, so that the interval under way is in the
 * answer.
 *
 * @module
 */
import process from "node:process";
import { LoopLag } from "../../workers/loop-lag.ts";
import { Histogram } from "../../workers/protocol/histogram.ts";
import {
  FLIGHT_BOUNDS,
  FLIGHT_KINDS,
  type FlightKind,
  type Observation,
  TRAFFIC_COUNTS,
  WORK_COUNTS,
} from "../../workers/protocol/observation.ts";
import type { SampleBatch } from "../../workers/protocol/samples.ts";
import type { Config } from "../config.ts";
import type { LogLine, Pool } from "../pool/pool.ts";
import { Coalesced } from "./coalesced.ts";
import { Interval } from "./interval.ts";
import { PerformanceLine } from "./performance-line.ts";
import { type ProcessLook, ProcessWatch } from "./process-watch.ts";
import { Rates } from "./rates.ts";

/** How long a worker may take to tell how it is doing; what it tells later is not lost. */
const OBSERVE_MS_MAX = 1_000;
/** How long a stop waits for the last samples to be written. */
const STOP_MS_MAX = 2_000;
/** Intervals kept while they cannot be written. */
const INTERVALS_MAX = 60;

/** Totals since the start, by name. */
export type Totals = Record<(typeof TRAFFIC_COUNTS)[number] | (typeof WORK_COUNTS)[number], number>;

/** What {@link Observer} needs. */
export interface ObserverOptions {
  pool: Pool;
  config: Config;
  log: LogLine;
}

/** See the module comment. */
export class Observer {
  readonly #pool: Pool;
  readonly #config: Config;
  readonly #log: LogLine;
  readonly #collecting = new Coalesced(() => this.#collect());
  readonly #writing = new Coalesced(() => this.#write());
  readonly #intervals = new Map<number, Interval>();
  readonly #loopLag = new LoopLag();
  readonly #watch: ProcessWatch;
  readonly #performanceLine: PerformanceLine;
  #timer: ReturnType<typeof setInterval> | undefined;
  #instanceId: number | null = null;
  #port = 0;
  #writtenAtMs = 0;

  /** Since the start, of all workers together. */
  readonly totals = Object.fromEntries([...TRAFFIC_COUNTS, ...WORK_COUNTS].map((name) => [name, 0])) as Totals;
  /** Sizes of group commits since the start. */
  readonly flights = Object.fromEntries(FLIGHT_KINDS.map((kind) => [kind, new Histogram(FLIGHT_BOUNDS)])) as Record<
    FlightKind,
    Histogram
  >;
  /** What each worker told last, by index. */
  readonly latest: (Observation | undefined)[] = [];
  readonly rates: Rates;

  constructor({ pool, config, log }: ObserverOptions) {
    this.#pool = pool;
    this.#config = config;
    this.#log = log;
    this.#performanceLine = new PerformanceLine(config.performanceLog, log);
    this.#watch = new ProcessWatch(pool, this.totals, config.pop.pollMs.max);
    this.rates = new Rates(pool, this.totals);
  }

  /** Begins to measure. @param port - That the server listens on. */
  start(port: number): void {
    this.#port = port;
    this.#writtenAtMs = this.#intervalOf(Date.now());
    this.#loopLag.start();
    this.#timer = setInterval(
      () => this.#tick().catch((error) => this.#failed(error)),
      this.#config.metrics.sampleIntervalMs,
    );
  }

  /** Ends measuring, and writes down what was measured, if that can be done soon. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#loopLag.stop();
    let timer: ReturnType<typeof setTimeout> | undefined;
    await Promise.race([this.flush(), new Promise((resolve) => (timer = setTimeout(resolve, STOP_MS_MAX)))]);
    clearTimeout(timer);
  }

  /** Fetches what the workers counted until now. Never rejects. */
  collect(): Promise<void> {
    return this.#collecting.run();
  }

  /** Writes down everything measured until now. Never rejects; what cannot be written is kept for a while. */
  flush(): Promise<void> {
    return this.#writing.run();
  }

  /** Pause between looks for parked pops, in milliseconds. */
  get popIntervalMs(): number {
    return this.#config.pop.pollMs.max;
  }

  /** How the process did at the last look; null before the first. */
  get processLook(): ProcessLook | null {
    return this.#watch.last;
  }

  #intervalOf(ms: number): number {
    const width = this.#config.metrics.aggregateIntervalMs;
    return Math.floor(ms / width) * width;
  }

  #interval(): Interval {
    const atMs = this.#intervalOf(Date.now());
    let interval = this.#intervals.get(atMs);
    if (!interval) {
      interval = new Interval(atMs);
      this.#intervals.set(atMs, interval);
      this.#forgetOldest();
    }
    return interval;
  }

  #forgetOldest(): void {
    for (const atMs of this.#intervals.keys()) {
      if (this.#intervals.size <= INTERVALS_MAX) return;
      this.#intervals.delete(atMs);
      this.#log("warn", "samples_dropped", { at: new Date(atMs).toISOString() });
    }
  }

  /** What cannot be measured now is measured later: nobody waits for it, and it must not end the process. */
  #failed(error: unknown): void {
    this.#log("warn", "measuring_failed", { error: String(error) });
  }

  async #tick(): Promise<void> {
    await this.collect();
    const look = await this.#watch.look(this.latest, this.#loopLag.take(), this.rates.take());
    this.#interval().addInstance(look.values);
    this.#notePerformance(look);
    const atMs = this.#intervalOf(Date.now());
    if (atMs === this.#writtenAtMs) return;
    this.#writtenAtMs = atMs;
    await this.flush();
  }

  #notePerformance({ loopLag, values }: ProcessLook): void {
    this.#performanceLine.note({
      totals: this.totals,
      operations: this.rates.operations(),
      flights: this.flights,
      latest: this.latest,
      routerLagMs: loopLag.maxMs,
      rssBytes: values["memory.rss_bytes"] ?? 0,
    });
  }

  async #collect(): Promise<void> {
    const answers = await this.#pool.observe(OBSERVE_MS_MAX);
    const interval = this.#interval();
    for (const [worker, observations] of answers.entries()) {
      for (const observation of observations) {
        interval.add(worker, observation);
        for (const name of [...TRAFFIC_COUNTS, ...WORK_COUNTS]) this.totals[name] += observation.counts[name];
        for (const kind of FLIGHT_KINDS) this.flights[kind].merge(observation.flights[kind]);
        this.latest[worker] = observation;
      }
    }
  }

  async #write(): Promise<void> {
    await this.collect();
    const taken = [...this.#intervals.values()].map((interval) => ({ interval, rows: interval.take() }));
    const params: SampleBatch = {
      instanceId: this.#instanceId,
      hostname: this.#config.instanceId,
      port: this.#port,
      pid: process.pid,
      totals: { ...this.totals },
      workers: taken.flatMap(({ rows }) => rows.workers),
      queues: taken.flatMap(({ rows }) => rows.queues),
      instance: taken.flatMap(({ rows }) => rows.instance),
    };
    if (params.workers.length + params.instance.length === 0) return;
    const instanceId = await this.#record(params);
    if (instanceId === null) {
      for (const { interval, rows } of taken) interval.giveBack(rows);
      return;
    }
    this.#instanceId = instanceId;
    const current = this.#intervalOf(Date.now());
    for (const [atMs, interval] of this.#intervals) {
      if (atMs < current && interval.settled) this.#intervals.delete(atMs);
    }
  }

  /** Has a worker write samples down. Returns the id of this process in the database, null when it could not be done. */
  async #record(params: SampleBatch): Promise<number | null> {
    const answer = await this.#pool.send({
      id: 0,
      operation: "sampleRecord",
      params,
      bodyFormat: "json",
      answerFormat: "json",
      body: null,
    });
    if (answer.error !== undefined || answer.status !== 200 || typeof answer.body !== "string") return null;
    return (JSON.parse(answer.body) as { instanceId: number }).instanceId;
  }
}
