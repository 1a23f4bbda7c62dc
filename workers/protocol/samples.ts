/**
 * Parameters of the operations on measurements: writing them down, and reading them again.
 *
 * @module
 */

import type { TrafficCounts, WorkerCounts } from "./observation.ts";

/** What one worker did in an interval. */
export interface WorkerSample extends WorkerCounts {
  /** Beginning of the interval, in milliseconds since 1970. */
  atMs: number;
  worker: number;
  loopLagSumMs: number;
  loopLagMaxMs: number;
  loopLagCount: number;
  /** How often the figures below were looked at. */
  looks: number;
  freeSlotsSum: number;
  freeSlotsMin: number;
  jobQueueSum: number;
  jobQueueMax: number;
  parkedMax: number;
  connections: number;
}

/** What one worker did for a queue in an interval. */
export interface QueueSample extends TrafficCounts {
  atMs: number;
  worker: number;
  queueId: number;
  parkedMax: number;
}

/** Sum, smallest, largest and last value of a measurement. */
export type Measurement = [sum: number, min: number, max: number, last: number];

/** How the process did in an interval. */
export interface InstanceSample {
  atMs: number;
  sampleCount: number;
  /** By path, such as `memory.rss_bytes`. */
  metrics: Record<string, Measurement>;
}

/** Samples of one process; figures are those of the whole interval, so that writing a sample again replaces it. */
export interface SampleBatch {
  /** Null when the process has none yet. */
  instanceId: number | null;
  hostname: string;
  port: number;
  pid: number;
  /** Counts since the process started. */
  totals: Record<string, number>;
  workers: WorkerSample[];
  queues: QueueSample[];
  instance: InstanceSample[];
}

/** A stretch of time, ISO timestamps, and the width of what is answered for it. */
export interface RangeParams {
  from: string;
  to: string;
  bucketMinutes: number;
}

/** Queues whose measurements are wanted; null means any. */
export interface QueueFilter {
  queue: string | null;
  namespace: string | null;
  task: string | null;
}

/** See the module. */
export interface SampleOperations {
  /** Answers `{"instanceId"}`. Not for clients. */
  sampleRecord: SampleBatch;
  /** Answers what the metrics page shows of the whole cluster. Not for clients. */
  metricsRead: { queuesMax: number /** Width of the interval of the figures "per minute". */; seconds: number };
  statusRead: RangeParams & QueueFilter;
  messageCounts: Omit<RangeParams, "bucketMinutes"> & QueueFilter & { interval: "minute" | "hour" | "day" };
  systemMetrics: RangeParams & { hostname: string | null; worker: string | null };
  workerMetrics: RangeParams & { hostname: string | null; worker: number | null };
  queueLag: RangeParams & { queue: string | null };
  queueOperations: RangeParams & { queue: string | null };
  queueParked: RangeParams & { queue: string | null };
  retentionSeries: RangeParams;
  postgresStatistics: Record<string, never>;
  queueNotify: Record<string, never>;
}
