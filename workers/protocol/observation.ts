/**
 * What a worker tells the router about its work when asked: counts since it was asked before, and how things stand now.
 *
 * @module
 */

import type { HistogramReading } from "./histogram.ts";

/** What is counted by queue and by worker. */
export const TRAFFIC_COUNTS = [
  "pushRequests",
  /** Messages stored; duplicates are not. */
  "pushMessages",
  /** Pops answered, a long poll once. */
  "popRequests",
  "popMessages",
  /** Of them, those answered without a message. */
  "popEmpty",
  "ackRequests",
  /** Messages acknowledged as completed. */
  "ackSuccess",
  /** Messages acknowledged as anything else, and acknowledgements that could not be recorded. */
  "ackFailed",
  /** Messages that counted as completed when they were popped. */
  "autoAcked",
  "transactions",
  "deadLetters",
  "partitionsCreated",
  "partitionsDeleted",
  /** Messages whose age at delivery was measured, and those ages together, in milliseconds. */
  "lagCount",
  "lagSumMs",
] as const;

/** Counts, and the largest age at delivery among them. */
export type TrafficCounts = Record<(typeof TRAFFIC_COUNTS)[number] | "lagMaxMs", number>;

/** What is counted by worker alone. */
export const WORK_COUNTS = [
  /** Statements that failed. */
  "databaseErrors",
  /** Requests answered. */
  "jobsDone",
  /** Messages deleted for their age, for having been consumed, for having waited too long; and how often some were. */
  "retentionMessages",
  "completedRetentionMessages",
  "evictionMessages",
  "retentionEvents",
] as const;

/** Counts of a worker. */
export type WorkerCounts = TrafficCounts & Record<(typeof WORK_COUNTS)[number], number>;

/** Counts of a queue in a worker. */
export interface QueueCounts extends TrafficCounts {
  queueId: number;
  /** Pops parked on it now. */
  parked: number;
}

/** Connections for one kind of work. */
export interface LaneState {
  lane: string;
  /** Most connections it opens. */
  connectionsMax: number;
  /** Connections with a statement under way. */
  inUse: number;
  /** Statements behind others. */
  waiting: number;
}

/** Upper bounds for how many requests a group commit takes together. */
export const FLIGHT_BOUNDS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024] as const;

/** Kinds of group commits. */
export const FLIGHT_KINDS = ["push", "pop", "ack", "leaseAck"] as const;

/** One of {@link FLIGHT_KINDS}. */
export type FlightKind = (typeof FLIGHT_KINDS)[number];

/** What worker 0 knows of other instances. */
export interface PeersState {
  /** Instances seen alive lately, this one not counted, and seen before but not lately. */
  alive: number;
  dead: number;
  sent: number;
  received: number;
  /** Notifications that could not be sent or read. */
  dropped: number;
  /** Instances that went away and came back under their name. */
  restarts: number;
}

/** See the module comment. */
export interface Observation {
  /** Since the observation before. */
  counts: WorkerCounts;
  /** Queues with counts, or with parked pops. */
  queues: QueueCounts[];
  flights: Record<FlightKind, HistogramReading>;
  /** Lateness of the event loop since the observation before. */
  loopLag: { sumMs: number; maxMs: number; count: number };
  /** Requests begun and not answered, parked pops not counted. */
  underWay: number;
  parked: number;
  lanes: LaneState[];
  /** `hits` and `misses` since the worker started. */
  segments: { bytes: number; hits: number; misses: number };
  catalog: { queues: number; hits: number; misses: number };
  /** Lost wake-ups found since the worker started; anything but 0 is a defect. */
  sweepRepairs: number;
  /** Worker 0 only. */
  peers: PeersState | null;
}
