/**
 * What the bench tells a load process, and what the load process tells the bench.
 *
 * The bench passes one {@link LoadSpec} as the first line on standard input and a second line, `go`, when it wants the
 * load to start. The load process answers with one {@link LoadEvent} per line on standard output, in the order
 * `ready`, `window`, `closed`, `done`, or with `failed` at any point.
 *
 * @module
 */

/** When an actor ends by itself. Without any of these it runs until the window closes. */
export interface StopRule {
  /** Ends once this many messages were pushed, or delivered (and acknowledged, when it acknowledges). */
  messages?: number;
}

/** Pushes messages as fast as the server answers, or at a fixed pace. */
export interface PushActor {
  kind: "push";
  name: string;
  queue: string;
  /** One request carries messages of one partition, or of `partitionsPerRequest` of them. */
  partitions: string[];
  partitionsPerRequest?: number;
  perRequest: number;
  connections: number;
  stop?: StopRule;
  /** Requests a second over all connections; absent: as fast as possible. */
  pacePerSecond?: number;
  /** Connections pause while more than this many pushed messages of this process are undelivered. */
  backlogMax?: number;
  /** Writes a number into each payload even when checks are off. */
  numbered?: boolean;
  /** As `numbered`, and remembers when each was sent, for latency from push to delivery. Only with `pacePerSecond`. */
  timed?: boolean;
}

/** Pops, and acknowledges when asked to. */
export interface PopActor {
  kind: "pop";
  name: string;
  queue: string;
  /** Connection `i` pops partition `i` of these; absent: any partition of the queue. */
  partitions?: string[];
  group: string;
  /** Moves on to a fresh group (`<group>-000001`, ...; all of one length) when the queue has nothing more: endless reading. */
  endlessGroups?: boolean;
  batch: number;
  /** Most partitions claimed by one pop; 1 when absent. */
  partitionsPerPop?: number;
  connections: number;
  /** Asks for stored segments instead of JSON; then only `auto`, `lease` and `none` may follow. */
  segments?: boolean;
  /**
   * `auto`: acknowledged on delivery; `batch`: one awaited acknowledgement a pop; `unawaited`: the same, not awaited;
   * `lease`: one awaited acknowledgement of the lease a pop.
   */
  ack: "auto" | "batch" | "single" | "unawaited" | "lease" | "none";
  waitMs?: number;
  /** Reads slowly: takes what has arrived, then nothing for so long. */
  pauseMs?: number;
  /** Counts messages whose numbers do not follow each other from 0 on; needs `partitions` and a `numbered` producer. */
  consecutive?: boolean;
  stop?: StopRule;
}

/** Holds long polls open on queues where nothing happens. */
export interface ParkActor {
  kind: "park";
  name: string;
  queues: string[];
  connections: number;
  waitMs: number;
}

export type Actor = PushActor | PopActor | ParkActor;

/** Everything one load process does. */
export interface LoadSpec {
  url: string;
  seed: number;
  /** Parses every answer and checks count, order and duplicates. Costs far more CPU than the load itself. */
  checks: boolean;
  /** Distinguishes producers of several load processes; at most 4 characters. */
  tag: string;
  payloadBytes: number;
  /** Not counted and not measured. */
  warmupSeconds: number;
  /** Length of the measured window; it closes earlier when every actor has ended. */
  seconds: number;
  actors: Actor[];
}

/** Counts and latencies of one kind of request inside the window. */
export interface RequestFigures {
  requests: number;
  messages: number;
  p50Ms: number;
  p99Ms: number;
  maxMs: number;
  /** Answers of 4xx and 5xx by status. */
  errors: Record<string, number>;
}

/** What the load process saw inside the window. */
export interface LoadFigures {
  windowSeconds: number;
  loadCpuSeconds: number;
  /** By `<actor name>.<push|pop|ack|delivery>`. */
  figures: Record<string, RequestFigures>;
  /** Pushed minus delivered, once a second. */
  backlog: number[];
  /** Share of the window producers spent waiting for `backlogMax`, 0 to 1. */
  throttled: number;
  /** By consumer: milliseconds spent on pops that gave messages and on handling them. */
  consumerBusyMs: number[];
  /** Messages out of sequence, with `consecutive`: duplicates and gaps. */
  wrong: number;
}

/** What checks need in order to compare producers with consumers; only filled when checks are on. */
export interface CheckFigures {
  /** Messages by producer. */
  pushed: Record<string, number>;
  /** By group, then by producer: messages seen. */
  popped: Record<string, Record<string, number>>;
  /** What was wrong: duplicates, gaps, disorder, refused acknowledgements. The first twenty. */
  violations: string[];
}

/** One line on the standard output of a load process. */
export type LoadEvent =
  | { event: "ready" }
  | { event: "window" }
  | { event: "closed"; load: LoadFigures }
  /** `pushed` counts every message of the process, warm-up included. */
  | { event: "done"; checks: CheckFigures; pushed: number }
  | { event: "failed"; reason: string };
