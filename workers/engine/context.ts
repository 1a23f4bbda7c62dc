/**
 * What every verb of the engine works with.
 *
 * @module
 */

import type { KeyRing } from "../../schema/wire/segment.ts";
import type { WorkerMessage, WorkerSettings } from "../protocol.ts";
import type { Database } from "../storage/database.ts";
import type { Catalog } from "./catalog.ts";
import type { Counters } from "./counters.ts";
import type { Events } from "./events.ts";
import type { SegmentCache } from "./segment-cache.ts";

/** The engine of one worker. */
export interface EngineContext {
  settings: WorkerSettings;
  database: Database;
  catalog: Catalog;
  ring: KeyRing;
  segments: SegmentCache;
  counters: Counters;
  events: Events;
  /** Tells this worker and all others to forget what they know of a queue. Call it after the commit. */
  queueChanged(name: string): void;
  /** Tells parked pops of this worker, the other workers and other instances to look at these queues again; narrowed to partitions when given. */
  queuesReady(queueIds: Iterable<number>, partitionIds?: readonly number[]): void;
  log(level: "debug" | "info" | "warn" | "error", event: string, fields: Record<string, unknown>): void;
  send(message: WorkerMessage): void;
}

/** What a verb answers: a status, and a value to be encoded (null: no body). */
export interface Answer {
  status: number;
  value: unknown;
}

/** An answer with status 200. */
export function ok(value: unknown): Answer {
  return { status: 200, value };
}
