/**
 * What travels between the router (main thread) and a worker: one typed union per direction.
 *
 * Requests and responses of one turn of the event loop travel in one message per peer, as a parcel (`protocol/parcel.ts`). A
 * request or response body is a string when it is small text, and a transferred `ArrayBuffer` otherwise: the sender must not
 * touch it afterwards.
 *
 * Life of a worker: the router posts one `start`; the worker answers `ready` once it holds database connections (or
 * `failed` when it never will); after that `requests` and `responses` flow until `stop`, to which the worker answers
 * `stopped` when nothing is in flight any more.
 *
 * @module
 */

import type { AnswerFormat, BodyFormat, ContentCoding } from "../schema/wire/format.ts";
import type { DashboardOperations, EventBatch } from "./protocol/events.ts";
import type { GroupOperations } from "./protocol/groups.ts";
import type { HotOperations, PopParams } from "./protocol/hot.ts";
import type { ListingOperations } from "./protocol/listings.ts";
import type { InstanceState, MaintenanceOperations, SpoolAppendParams } from "./protocol/maintenance.ts";
import type { MessageOperations, MessageParams } from "./protocol/messages.ts";
import type { Observation } from "./protocol/observation.ts";
import type { OctoberOperations } from "./protocol/october.ts";
import type { PageParams } from "./protocol/page.ts";
import type { QueueOperations } from "./protocol/queues.ts";
import type { SampleOperations } from "./protocol/samples.ts";
import type { StreamOperations } from "./protocol/streams.ts";
import type { SystemOperations } from "./protocol/system.ts";

export { fromParcel, toParcel } from "./protocol/parcel.ts";
export type { AnswerFormat, BodyFormat, ContentCoding, MessageParams, PageParams, PopParams };

/**
 * Parameters of every operation, by its name. An operation that reads a body gets it in {@link WorkerRequest.body}.
 */
export interface OperationParams
  extends HotOperations,
    QueueOperations,
    MessageOperations,
    GroupOperations,
    ListingOperations,
    SampleOperations,
    StreamOperations,
    MaintenanceOperations,
    OctoberOperations,
    DashboardOperations,
    SystemOperations {}

/** Name of an operation: the verb a route calls and the engine carries out. */
export type OperationName = keyof OperationParams;

/** One operation for a worker to carry out. */
export type WorkerRequest = {
  [Name in OperationName]: {
    /** Unique per router, never reused. */
    id: number;
    operation: Name;
    params: OperationParams[Name];
    /** Format of {@link WorkerRequest.body}. */
    bodyFormat: BodyFormat;
    /** Format the answer is wanted in. */
    answerFormat: BodyFormat;
    /** How the answer is to be compressed when it is long; absent: not at all. */
    coding?: ContentCoding;
    /** Null when the request has no body or an empty one. A string is valid UTF-16 text of a JSON body. */
    body: string | ArrayBuffer | null;
  };
}[OperationName];

/** The answer to one {@link WorkerRequest}. */
export interface WorkerResponse {
  id: number;
  /** HTTP status. */
  status: number;
  /** Format of the body, or null when there is none (204). */
  format: AnswerFormat | null;
  body: string | ArrayBuffer | null;
  /** How the body was compressed; absent: not at all. */
  coding?: ContentCoding;
  /** Seconds for a `Retry-After` header. */
  retryAfterS?: number;
}

/** How a worker reaches PostgreSQL. Plain data, since it crosses threads. */
export interface DatabaseTarget {
  /** Host names in order of preference, or one absolute directory that holds a unix socket. */
  hosts: string[];
  port: number;
  user: string;
  password: string | null;
  database: string;
  tls: "off" | "verify" | "no-verify";
  /** False behind a transaction pooler: statements are then sent unprepared. */
  prepare: boolean;
  connectTimeoutMs: number;
  idleTimeoutMs: number;
  statementTimeoutMs: number;
  lockTimeoutMs: number;
}

/** What a worker needs to know, fixed for its life. */
export interface WorkerSettings {
  /** 0-based. A replacement worker keeps the index of the one it replaces. Worker 0 also runs the instance's jobs. */
  index: number;
  workerCount: number;
  /** Instance name: traces and metrics carry it. */
  instanceId: string;
  database: DatabaseTarget;
  /** Connections this worker may open, all lanes together. */
  connectionsMax: number;
  /** 64 hex digits, or null. The first key encrypts; all of them decrypt. */
  encryptionKeys: string[];
  autoCreateQueues: boolean;
  defaultSubscriptionMode: string;
  popPollMs: { initial: number; max: number };
  retentionIntervalMs: number;
  retentionBatchSize: number;
  evictionIntervalMs: number;
  evictionBatchSize: number;
  partitionCleanupDays: number;
  metricsRetentionDays: number;
  segmentCacheBytesMax: number;
  logLevel: string;
  /** Null: this instance cannot spool. Worker 0 opens it. */
  spool: SpoolSettings | null;
}

/** Where and how pushes are spooled. */
export interface SpoolSettings {
  /** Held by this process alone. */
  folder: string;
  bytesMax: number;
  /** Most messages in a file. */
  fileMessagesMax: number;
  /** Most messages that are replayed at once. */
  batchMessagesMax: number;
  /** Pause after a replay that failed, at first; it doubles up to a second. */
  retryMs: number;
}

/** Why requests of a dead worker are answered as they are; also the `stage` of a worker's own fault report. */
export type WorkerFault = "database" | "internal";

/** Router to worker. */
export type RouterMessage =
  | {
      kind: "start";
      settings: WorkerSettings;
      /**
       * Counters shared by all workers of the instance: one region of {@link PARKED_SLOTS} 32-bit integers a worker, which
       * it alone writes, saying how many of its pops are parked on queues that hash to the slot. A worker that pushed to a
       * queue which no other worker waits for has nobody to tell. The router zeroes the region of a worker it replaces.
       */
      parked: SharedArrayBuffer;
      /** Heartbeats, a 32-bit counter for each worker; absent: nobody looks at them. */
      beats?: SharedArrayBuffer;
    }
  | { kind: "requests"; requests: WorkerRequest[] }
  /** The clients of these requests went away: no lease may be taken for them any more. No answer is wanted. */
  | { kind: "cancel"; ids: number[] }
  /**
   * Messages may be waiting in these queues: parked pops look again. `partitionIds` narrows it down for pops of one
   * partition (ids are unique over all queues); null means any.
   */
  | { kind: "wake"; queueIds: number[]; partitionIds: number[] | null }
  /** What is cached about these queues is out of date. An empty list means: everything. */
  | { kind: "invalidate"; queueNames: string[] }
  /** Tell how you are doing: see `workers/protocol/observation.ts`. A worker that is not open yet does not answer. */
  | { kind: "observe"; id: number }
  /** Whether anybody watches what happens, in this process or at another instance: events are made only then. */
  | { kind: "listen"; here: boolean; elsewhere: boolean }
  /** To worker 0: events of this instance, for those who watch at others. */
  | { kind: "publish"; batch: EventBatch }
  /** Finish what is in flight, answer parked pops as if their time ran out, close connections, answer `stopped`. */
  | { kind: "stop" };

/** Worker to router. */
export type WorkerMessage =
  | { kind: "ready"; index: number }
  /** The worker cannot start (database refused it); `reason` is for the log, not for clients. */
  | { kind: "failed"; index: number; reason: string }
  | { kind: "responses"; responses: WorkerResponse[] }
  /** To be forwarded to the other workers as `wake`. */
  | { kind: "pushed"; queueIds: number[]; partitionIds: number[] | null }
  /** To be forwarded to the other workers as `invalidate`. */
  | { kind: "changed"; queueNames: string[] }
  /** One line for the log of the process: level, event name, and plain fields. */
  | { kind: "log"; level: "debug" | "info" | "warn" | "error"; event: string; fields: Record<string, unknown> }
  /** The answer to `observe`. */
  | { kind: "observation"; id: number; observation: Observation }
  /** From worker 0: how the instance stands. */
  | { kind: "state"; state: InstanceState }
  /**
   * The database did not take this push: it is to be spooled by worker 0, as `spoolAppend` with these parameters and this
   * body. `answer` is the answer to it once that is done.
   */
  | { kind: "divert"; params: SpoolAppendParams; body: ArrayBuffer; answer: WorkerResponse }
  /** What happened; `remote`: at another instance. */
  | { kind: "events"; batch: EventBatch; remote: boolean }
  /** From worker 0: whether anybody watches at another instance. */
  | { kind: "listeners"; elsewhere: boolean }
  | { kind: "stopped"; index: number };

/** Slots of the shared table of parked pops; a power of two. */
export const PARKED_SLOTS = 4096;

/** Longest body, in bytes, that travels as a string rather than as a transferred buffer. */
export const TEXT_BODY_BYTES_MAX = 16 * 1024;

/**
 * Group id of lease ids: the worker that handed a lease out is in the id, so that the router can send the
 * acknowledgement to the worker that still remembers the batch. The low 6 bits of byte 8 of the UUID are the index of
 * the worker, modulo 64; in text those are characters 19 and 20.
 *
 * @param leaseId - Lease id as text; anything else gives null.
 * @returns Worker index modulo 64, or null when the text is not shaped as a lease id.
 */
export function leaseWorkerIndex(leaseId: string): number | null {
  if (leaseId.length !== 36) return null;
  const octet = Number.parseInt(leaseId.slice(19, 21), 16);
  return Number.isNaN(octet) ? null : octet & 0x3f;
}
