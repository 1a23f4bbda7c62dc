/**
 * What the peers' bench tells a client process, what it hears back, and what every peer's client must be able to do.
 *
 * @module
 */

import type { Messages } from "./messages.ts";
import type { Sink } from "./sink.ts";

/** `batch`: as many messages at a time as the peer takes well; `single`: one at a time, 50 under way. */
export type Mode = "batch" | "single";

/** The phases of a run, in order: push all, take and acknowledge all, then both at once on a fresh queue. */
export const PHASES = ["push", "take", "whole"] as const;
export type PhaseName = (typeof PHASES)[number];

/** Where the servers of a run are. */
export interface Endpoints {
  /** Of the Queen server, whose PostgreSQL the PostgreSQL peers use too. */
  queenUrl?: string;
  postgres?: { socketDir: string; port: number; user: string; database: string };
  redisPort?: number;
  natsPort?: number;
}

/** What one client process does: one peer, one mode, all phases. */
export interface ClientSpec {
  peer: string;
  mode: Mode;
  messages: number;
  /** Ordering keys the messages are spread over evenly. */
  keys: number;
  payloadBytes: number;
  seed: number;
  endpoints: Endpoints;
  /** Process whose processor time is the server's, read as {@link readCpu} does; 0 when the peer is a library. */
  serverPid: number;
  /** First process of the database or broker, whose children count too; 0 when there is none. */
  databasePid: number;
  /** A phase is cut after this long. */
  secondsMax: number;
}

/** What a phase came to. */
export interface PhaseFigures {
  phase: PhaseName;
  /** Messages that went through; fewer than asked for when the phase was cut. */
  messages: number;
  seconds: number;
  clientCpuSeconds: number;
  serverCpuSeconds: number;
  databaseCpuSeconds: number;
  /** Processor seconds of everything on this machine that is not part of the run. */
  othersCpuSeconds: number;
}

/** What a client process reports, as one line of JSON. */
export interface ClientReport {
  phases: PhaseFigures[];
  /** Whether a phase was ended by the clock. */
  cut: boolean;
  /** Setting that decides when an acknowledged message is on disk, as the server itself tells it. */
  durability: string;
  version: string;
  /** Messages that came twice; must be 0. */
  doubled: number;
  /** Messages that did not come although no phase was cut; must be 0. */
  missing: number;
  /** Messages that came after a later one of their key; must be 0 where the peer promises order. */
  disordered: number;
}

/** One peer's client. */
export interface PeerClient {
  /**
   * Makes an empty queue.
   *
   * @param queue - Name, unique within the run.
   */
  prepare(queue: string): Promise<void>;
  /**
   * Pushes messages; resolves when the peer says that they are stored.
   *
   * @param queue - A prepared queue.
   * @param messages - All messages of the run.
   * @param indexes - Which of them, in the order of their keys; one in single mode.
   */
  push(queue: string, messages: Messages, indexes: number[]): Promise<void>;
  /**
   * Takes and acknowledges messages until the sink is satisfied. Every message is shown to the sink when it was taken and
   * counted there when its acknowledgement was answered.
   *
   * @param queue - A prepared queue.
   * @param sink - Collects.
   */
  take(queue: string, sink: Sink): Promise<void>;
  /** Closes all connections. */
  close(): Promise<void>;
  /** Producers that push at the same time. Each has keys of its own. */
  producers: number;
  /** Messages in one push. */
  perPush: number;
  durability(): Promise<string>;
  version(): Promise<string>;
}

/** Opens the client of a peer. */
export type OpenClient = (spec: ClientSpec) => Promise<PeerClient>;
