/**
 * Adding up what workers observed, by the interval it is kept for.
 *
 * @module
 */
import {
  type Observation,
  TRAFFIC_COUNTS,
  type TrafficCounts,
  WORK_COUNTS,
} from "../../workers/protocol/observation.ts";
import type { InstanceSample, Measurement, QueueSample, WorkerSample } from "../../workers/protocol/samples.ts";

const COUNTS = [...TRAFFIC_COUNTS, ...WORK_COUNTS] as const;

function zeros<Name extends string>(names: readonly Name[]): Record<Name, number> {
  return Object.fromEntries(names.map((name) => [name, 0])) as Record<Name, number>;
}

/** A worker's sample of an interval in which nothing happened yet. */
export function emptyWorkerSample(atMs: number, worker: number): WorkerSample {
  return {
    atMs,
    worker,
    ...zeros(COUNTS),
    lagMaxMs: 0,
    loopLagSumMs: 0,
    loopLagMaxMs: 0,
    loopLagCount: 0,
    looks: 0,
    freeSlotsSum: 0,
    freeSlotsMin: 0,
    jobQueueSum: 0,
    jobQueueMax: 0,
    parkedMax: 0,
    connections: 0,
  };
}

/** Connections a worker may use at once, and those it does not use. */
export function slotsOf({ lanes }: Observation): { all: number; free: number } {
  const all = lanes.reduce((sum, lane) => sum + lane.connectionsMax, 0);
  return { all, free: all - lanes.reduce((sum, lane) => sum + lane.inUse, 0) };
}

function addTraffic(to: TrafficCounts, counts: TrafficCounts): void {
  for (const name of TRAFFIC_COUNTS) to[name] += counts[name];
  to.lagMaxMs = Math.max(to.lagMaxMs, counts.lagMaxMs);
}

function addObservation(sample: WorkerSample, observation: Observation): void {
  addTraffic(sample, observation.counts);
  for (const name of WORK_COUNTS) sample[name] += observation.counts[name];
  const { all, free } = slotsOf(observation);
  sample.loopLagSumMs += observation.loopLag.sumMs;
  sample.loopLagMaxMs = Math.max(sample.loopLagMaxMs, observation.loopLag.maxMs);
  sample.loopLagCount += observation.loopLag.count;
  sample.freeSlotsMin = sample.looks === 0 ? free : Math.min(sample.freeSlotsMin, free);
  sample.freeSlotsSum += free;
  sample.jobQueueSum += observation.underWay;
  sample.jobQueueMax = Math.max(sample.jobQueueMax, observation.underWay);
  sample.parkedMax = Math.max(sample.parkedMax, observation.parked);
  sample.connections = all;
  sample.looks += 1;
}

/** What is not yet written down of an interval. */
export interface Unwritten {
  workers: WorkerSample[];
  queues: QueueSample[];
  instance: InstanceSample[];
}

/** The samples of one interval. */
export class Interval {
  readonly atMs: number;
  readonly #workers = new Map<number, WorkerSample>();
  readonly #queues = new Map<string, QueueSample>();
  #instance: InstanceSample | null = null;
  /** Samples that changed since they were last handed out to be written. */
  readonly #changed = new Set<WorkerSample | QueueSample | InstanceSample>();

  /** @param atMs - Its beginning, in milliseconds since 1970. */
  constructor(atMs: number) {
    this.atMs = atMs;
  }

  /** Whether everything was handed out to be written. */
  get settled(): boolean {
    return this.#changed.size === 0;
  }

  /** Adds what a worker observed. */
  add(worker: number, observation: Observation): void {
    let sample = this.#workers.get(worker);
    if (!sample) {
      sample = emptyWorkerSample(this.atMs, worker);
      this.#workers.set(worker, sample);
    }
    addObservation(sample, observation);
    this.#changed.add(sample);
    for (const counts of observation.queues) {
      const key = `${worker} ${counts.queueId}`;
      let queue = this.#queues.get(key);
      if (!queue) {
        queue = {
          atMs: this.atMs,
          worker,
          queueId: counts.queueId,
          parkedMax: 0,
          lagMaxMs: 0,
          ...zeros(TRAFFIC_COUNTS),
        };
        this.#queues.set(key, queue);
      }
      addTraffic(queue, counts);
      queue.parkedMax = Math.max(queue.parkedMax, counts.parked);
      this.#changed.add(queue);
    }
  }

  /** Adds one look at the process. */
  addInstance(values: Record<string, number>): void {
    this.#instance ??= { atMs: this.atMs, sampleCount: 0, metrics: {} };
    const { metrics } = this.#instance;
    for (const [path, value] of Object.entries(values)) {
      const known: Measurement | undefined = metrics[path];
      if (known) metrics[path] = [known[0] + value, Math.min(known[1], value), Math.max(known[2], value), value];
      else metrics[path] = [value, value, value, value];
    }
    this.#instance.sampleCount += 1;
    this.#changed.add(this.#instance);
  }

  /** Hands out what changed, and counts it as written. */
  take(): Unwritten {
    const unwritten: Unwritten = { workers: [], queues: [], instance: [] };
    for (const sample of this.#changed) {
      if ("metrics" in sample) unwritten.instance.push(sample);
      else if ("queueId" in sample) unwritten.queues.push(sample);
      else unwritten.workers.push(sample);
    }
    this.#changed.clear();
    return unwritten;
  }

  /** What was handed out could not be written after all. */
  giveBack({ workers, queues, instance }: Unwritten): void {
    for (const sample of [...workers, ...queues, ...instance]) this.#changed.add(sample);
  }
}
