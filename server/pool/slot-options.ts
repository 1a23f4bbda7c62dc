/**
 * What a slot is made with, and what passes between it and the pool.
 *
 * @module
 */
import type { InstanceState } from "../../workers/protocol/maintenance.ts";
import type { WorkerMessage, WorkerResponse, WorkerSettings } from "../../workers/protocol.ts";
import type { Durations } from "./durations.ts";
import type { Refusal } from "./refusal.ts";
import type { Slot } from "./slot.ts";

/** What a request comes back as: a worker's answer, or the router's own in its place. */
export type Answer = (WorkerResponse & { readonly error?: undefined }) | Refusal;

/** Writes one line to the log of the process. */
export type LogLine = (
  level: "debug" | "info" | "warn" | "error",
  event: string,
  fields: Record<string, unknown>,
) => void;

/** A push that is to be spooled by worker 0. */
export type Diverted = Extract<WorkerMessage, { kind: "divert" }>;

/** What a slot needs from the pool. */
export interface SlotOptions {
  settings: WorkerSettings;
  parked: SharedArrayBuffer;
  /** Heartbeats of all workers; absent: nobody looks at them. */
  beats?: SharedArrayBuffer;
  /** Called when a worker is about to begin. */
  onSpawn?: () => void;
  /** This slot's region of `parked`. */
  parkedRegion: Int32Array;
  spawn: () => Worker;
  log: LogLine;
  durations: Durations;
  /** How long a request may wait in a backlog that stands, in milliseconds. */
  waitMaxMs: number;
  /** Receives what is not an answer: news for the other workers. */
  onNews: (from: number, message: Extract<WorkerMessage, { kind: "pushed" | "changed" }>) => void;
  onState: (state: InstanceState) => void;
  onEvents: (message: Extract<WorkerMessage, { kind: "events" | "listeners" }>) => void;
  /** Called whenever a worker of the slot becomes ready. */
  onReady: (slot: Slot) => void;
  /** Takes over a request of the worker; `resolve` is to be called once. */
  onDiverted: (message: Diverted, resolve: (answer: Answer) => void) => void;
}
