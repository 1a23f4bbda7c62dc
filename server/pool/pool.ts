/**
 * The pool of workers: the only door from the router to what does the work.
 *
 * Requests are gathered per turn of the event loop and posted as one message per worker. What is in flight is bounded
 * per worker, in requests and in bytes; past a bound a request is answered at once instead of queued. A worker that
 * dies is replaced, keeping its index, and its requests are answered in its place.
 *
 * @module
 */
import { setImmediate } from "node:timers";
import type { EventBatch } from "../../workers/protocol/events.ts";
import { INSTANCE_STATE_UNKNOWN, type InstanceState } from "../../workers/protocol/maintenance.ts";
import type { Observation } from "../../workers/protocol/observation.ts";
import { PARKED_SLOTS, type WorkerMessage, type WorkerRequest, type WorkerSettings } from "../../workers/protocol.ts";
import { type Admission, REFUSED, UNMARKED } from "./admission.ts";
import { Durations, type OperationReading } from "./durations.ts";
import { EventRelay } from "./event-relay.ts";
import { EMPTY, type RefusalReason, refusalFor } from "./refusal.ts";
import { type Answer, type Diverted, type LogLine, Slot } from "./slot.ts";
import { bodySize, spread } from "./spread.ts";
import { StuckWatch } from "./stuck-watch.ts";

export type { DashboardEvent, EventBatch } from "../../workers/protocol/events.ts";
export type {
  AnswerFormat,
  BodyFormat,
  ContentCoding,
  OperationName,
  OperationParams,
  PopParams,
  WorkerRequest,
  WorkerResponse,
} from "../../workers/protocol.ts";
export { TEXT_BODY_BYTES_MAX } from "../../workers/protocol.ts";
export { DURATION_BOUNDS_S, type OperationReading } from "./durations.ts";
export type { Refusal } from "./refusal.ts";
export type { Answer, LogLine } from "./slot.ts";

/** How long a waiting pop that cannot be carried out is held, so that clients that poll again at once do not spin. */
const REFUSED_POLL_HOLD_MS = 1_000;

/** How much of the bounds on requests and bytes there is for a queue that has little of what is unanswered. */
const RESERVE = 1.125;

/** Bounds of what is unanswered, per worker. */
export interface BacklogLimits {
  /** Requests other than waiting pops. */
  requestsMax: number;
  /** Waiting pops. */
  pollsMax: number;
  /** Bytes of request bodies; one body is always let through, however large. */
  bytesMax: number;
  /** How long a request may wait in a backlog that stands, in milliseconds. */
  waitMaxMs: number;
}

/** What {@link createPool} needs. */
export interface PoolOptions {
  /** 1 to 64. */
  workerCount: number;
  /** Settings for the worker of an index. */
  settings: (index: number) => WorkerSettings;
  backlog: BacklogLimits;
  /** A worker whose event loop stands still for so long is replaced, in milliseconds; 0 or absent: never. */
  stuckMs?: number;
  spawn: () => Worker;
  log: LogLine;
}

/** State of one worker, for health and metrics. */
export interface WorkerState {
  index: number;
  state: "starting" | "ready" | "resting" | "stopped";
  restartCount: number;
  /** Of the restarts, those of workers whose event loop stood still. */
  stuckCount: number;
  requestCount: number;
  pollCount: number;
  byteCount: number;
  /** Requests refused because too much was unanswered, since the start. */
  refusals: number;
}

/** State of the pool. */
export interface PoolState {
  /** False while no worker is alive, or one of them keeps dying. */
  ready: boolean;
  workers: WorkerState[];
  /** What worker 0 said last. */
  instance: InstanceState;
}

/** The face of the pool. */
export interface Pool {
  /**
   * Starts all workers.
   *
   * @returns When every worker is ready.
   * @throws Error with the worker's reason when one cannot start; all of them are ended then.
   */
  start(): Promise<void>;
  /**
   * Has a request carried out.
   *
   * @param request - Its `id` is set here. The pool takes over its body: a buffer is transferred away.
   * @param signal - Aborted when the client goes away before the answer; only looked at for pops.
   * @returns The answer, always: refusals and faults are values, it never rejects.
   */
  send(request: WorkerRequest, signal?: AbortSignal): Promise<Answer>;
  /** State now. */
  state(): PoolState;
  /** Requests answered since the start, and how long they took. */
  durations(): OperationReading[];
  /**
   * Asks every worker how it is doing; what each counted since it was asked before is in its answer, and nowhere else.
   *
   * @param timeoutMs - Waits so long for an answer; one that comes later is handed out by the next call.
   * @returns By index; what came from each worker, oldest first.
   */
  observe(timeoutMs: number): Promise<Observation[][]>;
  /**
   * Sets who is told what happens to messages, here and at other instances.
   *
   * @param listener - Called about ten times a second while there is something to tell; null: nobody listens any more, and
   * nothing is made to be told.
   */
  listen(listener: ((batch: EventBatch) => void) | null): void;
  /**
   * Refuses new requests, lets the workers finish, and ends them. Safe to call again.
   *
   * @param deadlineMs - Longest wait for requests in flight, in milliseconds.
   */
  stop(deadlineMs: number): Promise<void>;
}

/**
 * Makes a pool; nothing runs before its `start()`.
 *
 * @param options - Plain settings; `spawn` makes one worker thread that speaks `workers/protocol.ts`.
 */
export function createPool(options: PoolOptions): Pool {
  return new WorkerPool(options);
}

class WorkerPool implements Pool {
  readonly #slots: Slot[];
  readonly #backlog: BacklogLimits;
  readonly #durations = new Durations();
  readonly #relay = new EventRelay(() => this.#slots);
  readonly #watch: StuckWatch;
  #instance = INSTANCE_STATE_UNKNOWN;
  #nextId = 1;
  #flushScheduled = false;
  #stopping: Promise<void> | null = null;

  constructor(options: PoolOptions) {
    const regionBytes = PARKED_SLOTS * Int32Array.BYTES_PER_ELEMENT;
    // One region per worker, written by that worker only; readers sum over all. It lives as long as the pool.
    const parked = new SharedArrayBuffer(options.workerCount * regionBytes);
    this.#backlog = options.backlog;
    this.#watch = new StuckWatch({
      count: options.workerCount,
      stuckMs: options.stuckMs ?? 0,
      onStuck: (index, silentMs) => this.#slots[index]!.replaceStuck(silentMs),
    });
    this.#slots = Array.from(
      { length: options.workerCount },
      (_, index) =>
        new Slot({
          settings: options.settings(index),
          parked,
          beats: this.#watch.beats,
          onSpawn: () => this.#watch.forget(index),
          parkedRegion: new Int32Array(parked, index * regionBytes, PARKED_SLOTS),
          spawn: options.spawn,
          log: options.log,
          durations: this.#durations,
          waitMaxMs: options.backlog.waitMaxMs,
          onNews: (from, message) => this.#forward(from, message),
          onState: (state) => this.#enter(state),
          onEvents: (message) => this.#relay.take(message),
          onReady: (slot) => this.#relay.started(slot),
          onDiverted: (message, resolve) => this.#spool(message, resolve),
        }),
    );
  }

  async start(): Promise<void> {
    this.#watch.start();
    const failures = await Promise.all(this.#slots.map((slot) => slot.start()));
    const failure = failures.find((reason) => reason !== null);
    if (failure === undefined) return;
    await this.stop(0);
    throw new Error(`A worker could not start: ${failure}`);
  }

  send(request: WorkerRequest, signal?: AbortSignal): Promise<Answer> {
    if (this.#stopping !== null) return this.#refuse(request, "stopping");
    if (signal?.aborted) return Promise.resolve(EMPTY);
    if (this.#instance.popMaintenance && request.operation === "pop") return Promise.resolve(EMPTY);
    const index = this.#instance.buffering && mayPush(request) ? this.#spoolIndex() : spread(request, this.#slots);
    if (index === -1) return this.#refuse(request, "down");
    const slot = this.#slots[index]!;
    const isPoll = request.operation === "pop" && request.params.wait;
    const admission = slot.admissionOf(request, isPoll);
    const mark = this.#admit(slot, request, isPoll, admission);
    if (mark === REFUSED) return this.#refuse(request, "busy");
    const id = this.#nextId++;
    request.id = id;
    return new Promise((resolve) => {
      slot.add(request, isPoll, admission, mark, resolve);
      this.#scheduleFlush();
      if (signal === undefined) return;
      signal.addEventListener("abort", () => {
        slot.cancel(id);
        this.#scheduleFlush();
      });
    });
  }

  state(): PoolState {
    return {
      ready: this.#slots.some((slot) => slot.alive) && !this.#slots.some((slot) => slot.isFailing),
      instance: this.#instance,
      workers: this.#slots.map((slot, index) => ({
        index,
        state: slot.state,
        restartCount: slot.restartCount,
        stuckCount: slot.stuckCount,
        requestCount: slot.requestCount,
        pollCount: slot.pollCount,
        byteCount: slot.byteCount,
        refusals: slot.refusals,
      })),
    };
  }

  durations(): OperationReading[] {
    return this.#durations.read();
  }

  observe(timeoutMs: number): Promise<Observation[][]> {
    return Promise.all(this.#slots.map((slot) => slot.observe(timeoutMs)));
  }

  listen(listener: ((batch: EventBatch) => void) | null): void {
    this.#relay.listen(listener);
  }

  stop(deadlineMs: number): Promise<void> {
    this.#watch.stop();
    this.#stopping ??= Promise.all(this.#slots.map((slot) => slot.stop(deadlineMs))).then(() => {});
    return this.#stopping;
  }

  /** @returns The mark of its admission, or {@link REFUSED}. */
  #admit(slot: Slot, request: WorkerRequest, isPoll: boolean, admission: Admission | null): number {
    if (isPoll) return slot.pollCount < this.#backlog.pollsMax ? UNMARKED : REFUSED;
    if (admission === null) return this.#hasRoom(slot, request, RESERVE) ? UNMARKED : REFUSED;
    const mayEnter =
      this.#hasRoom(slot, request, 1) || (admission.hasLittle(request) && this.#hasRoom(slot, request, RESERVE));
    if (mayEnter) return admission.enter(request);
    admission.refused();
    return REFUSED;
  }

  #hasRoom(slot: Slot, request: WorkerRequest, share: number): boolean {
    if (slot.requestCount >= this.#backlog.requestsMax * share) return false;
    return slot.byteCount === 0 || slot.byteCount + bodySize(request.body) <= this.#backlog.bytesMax * share;
  }

  #refuse(request: WorkerRequest, reason: RefusalReason): Promise<Answer> {
    const refusal = refusalFor(request, reason);
    if (request.operation !== "pop" || !request.params.wait || reason === "stopping") return Promise.resolve(refusal);
    const holdMs = Math.min(REFUSED_POLL_HOLD_MS, request.params.timeoutMs);
    return new Promise((resolve) => setTimeout(resolve, holdMs, refusal));
  }

  /** Worker 0, which alone writes the spool; -1 while it is being replaced. */
  #spoolIndex(): number {
    return this.#slots[0]!.alive ? 0 : -1;
  }

  #enter(state: InstanceState): void {
    const pausing = state.popMaintenance && !this.#instance.popMaintenance;
    this.#instance = state;
    if (!pausing) return;
    for (const slot of this.#slots) slot.cancelPolls();
    this.#scheduleFlush();
  }

  /** Has worker 0 spool a push that another worker could not store. */
  #spool({ params, body, answer }: Diverted, resolve: (answer: Answer) => void): void {
    const { format } = answer;
    const request: WorkerRequest = {
      id: this.#nextId++,
      operation: "spoolAppend",
      params,
      bodyFormat: "json",
      answerFormat: format === "cbor" ? "cbor" : "json",
      body,
    };
    const slot = this.#slots[0]!;
    const reason = this.#stopping !== null ? "stopping" : slot.alive ? "busy" : "down";
    if (reason !== "busy" || !this.#hasRoom(slot, request, 1)) {
      resolve(refusalFor(request, reason));
      return;
    }
    slot.add(request, false, null, UNMARKED, (spooled) => resolve(spooled.status === 201 ? answer : spooled));
    this.#scheduleFlush();
  }

  /** setImmediate and not a microtask: those run after each socket, this after all sockets that were readable. */
  #scheduleFlush(): void {
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    setImmediate(this.#flush);
  }

  readonly #flush = (): void => {
    this.#flushScheduled = false;
    for (const slot of this.#slots) slot.flush();
  };

  #forward(from: number, message: Extract<WorkerMessage, { kind: "pushed" | "changed" }>): void {
    for (const [index, slot] of this.#slots.entries()) {
      if (index === from || !slot.alive) continue;
      slot.post(message.kind === "pushed" ? { ...message, kind: "wake" } : { ...message, kind: "invalidate" });
    }
  }
}

/** Whether a request may append messages: it must not overtake what is spooled. */
function mayPush({ operation }: WorkerRequest): boolean {
  return operation === "push" || operation === "transaction" || operation === "streamCycle";
}
