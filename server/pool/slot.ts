/**
 * One place in the pool: an index, the worker that holds it now, and the requests that worker has not answered.
 *
 * ```
 * starting --ready--> ready --death--> resting --delay over--> starting
 *     |                 |                                         any --stop()--> stopped
 *     +----death--------+--> resting
 * ```
 *
 * @module
 */

import type { Observation } from "../../workers/protocol/observation.ts";
import {
  fromParcel,
  type RouterMessage,
  toParcel,
  type WorkerMessage,
  type WorkerRequest,
  type WorkerResponse,
} from "../../workers/protocol.ts";
import { Admission, kindOf } from "./admission.ts";
import { EMPTY, interruptionFor } from "./refusal.ts";
import { restBeforeRestart } from "./rest.ts";
import type { Answer, Diverted, SlotOptions } from "./slot-options.ts";
import { bodySize, type Load } from "./spread.ts";

/** A worker that died this soon after it was ready died rapidly. */
const RAPID_MS = 30_000;
/** As many rapid deaths make the instance unready. */
const RAPID_DEATHS_RED = 3;

export type { Answer, Diverted, LogLine } from "./slot-options.ts";

interface Pending {
  readonly request: WorkerRequest;
  readonly byteCount: number;
  readonly isPoll: boolean;
  readonly startedAtMs: number;
  /** Null: it was taken whatever else there is. */
  readonly admission: Admission | null;
  readonly mark: number;
  readonly resolve: (answer: Answer) => void;
}

/** See the module's comment for its states. Implements {@link Load} for the choice of a worker. */
export class Slot implements Load {
  requestCount = 0;
  byteCount = 0;
  /** Waiting pops without an answer. */
  pollCount = 0;
  restartCount = 0;
  /** Of the restarts, those of workers whose event loop stood still. */
  stuckCount = 0;
  state: "starting" | "ready" | "resting" | "stopped" = "starting";
  readonly #options: SlotOptions;
  readonly #pending = new Map<number, Pending>();
  readonly #admissions: Readonly<Record<"write" | "answer" | "read" | "look", Admission>>;
  #worker: Worker | null = null;
  #outbox: WorkerRequest[] = [];
  #transfers: ArrayBuffer[] = [];
  #cancelled: number[] = [];
  /** When the first request of the outbox was added: all of them, as good as. */
  #turnAtMs = 0;
  readonly #observers = new Map<number, () => void>();
  readonly #observations: Observation[] = [];
  #nextObserver = 1;
  #readyAtMs = 0;
  #rapidDeaths = 0;
  #restTimer: ReturnType<typeof setTimeout> | undefined;
  #onStart: ((failure: string | null) => void) | null = null;
  #onStopped: (() => void) | null = null;

  constructor(options: SlotOptions) {
    this.#options = options;
    const made = () => new Admission(options.waitMaxMs);
    this.#admissions = { write: made(), answer: made(), read: made(), look: made() };
  }

  /** Requests that were refused because too much was unanswered. */
  get refusals(): number {
    const { write, answer, read, look } = this.#admissions;
    return write.refusals + answer.refusals + read.refusals + look.refusals;
  }

  /** What decides about requests like this one; null: nothing but the hard bounds does. */
  admissionOf(request: WorkerRequest, isPoll: boolean): Admission | null {
    const kind = isPoll ? "free" : kindOf(request.operation);
    return kind === "free" ? null : this.#admissions[kind];
  }

  get alive(): boolean {
    return this.state === "ready";
  }

  /** True while the worker keeps dying: the instance should get no new traffic. */
  get isFailing(): boolean {
    if (this.#rapidDeaths < RAPID_DEATHS_RED) return false;
    return this.state !== "ready" || performance.now() - this.#readyAtMs < RAPID_MS;
  }

  /**
   * Starts the first worker of this slot.
   *
   * @returns Null once it is ready; the reason when it never will be, and then nothing runs.
   */
  start(): Promise<string | null> {
    return new Promise((resolve) => {
      this.#onStart = resolve;
      this.#spawn();
    });
  }

  /**
   * Takes a request over, which travels with the next {@link Slot.flush}.
   *
   * @param admission - Who let it in, with the `mark` it gave; null: nobody was asked.
   * @param resolve - Called exactly once.
   */
  add(
    request: WorkerRequest,
    isPoll: boolean,
    admission: Admission | null,
    mark: number,
    resolve: (answer: Answer) => void,
  ): void {
    const byteCount = bodySize(request.body);
    if (isPoll) this.pollCount++;
    else this.requestCount++;
    this.byteCount += byteCount;
    if (this.#outbox.length === 0) this.#turnAtMs = performance.now();
    this.#pending.set(request.id, {
      request,
      byteCount,
      isPoll,
      startedAtMs: this.#turnAtMs,
      admission,
      mark,
      resolve,
    });
    this.#outbox.push(request);
    if (request.body instanceof ArrayBuffer) this.#transfers.push(request.body);
  }

  /** Posts what gathered since the last turn as one message. */
  flush(): void {
    if (this.#outbox.length > 0) {
      const requests = this.#outbox;
      const transfers = this.#transfers;
      this.#outbox = [];
      this.#transfers = [];
      this.#worker?.postMessage(toParcel<RouterMessage>({ kind: "requests", requests }, requests), transfers);
    }
    if (this.#cancelled.length > 0) {
      const ids = this.#cancelled;
      this.#cancelled = [];
      this.post({ kind: "cancel", ids });
    }
  }

  /** The client of a request went away: it is answered empty, and the worker told with the next {@link Slot.flush}. */
  cancel(id: number): void {
    const pending = this.#take(id);
    if (pending === null) return;
    const at = this.#outbox.findIndex((request) => request.id === id);
    if (at !== -1) this.#outbox.splice(at, 1);
    else this.#cancelled.push(id);
    pending.resolve(EMPTY);
  }

  /**
   * Asks the worker how it is doing.
   *
   * @param timeoutMs - Waits so long for the answer; one that comes later is handed out by the next call.
   * @returns What the worker answered since the call before, oldest first.
   */
  async observe(timeoutMs: number): Promise<Observation[]> {
    if (this.alive) {
      const id = this.#nextObserver++;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, timeoutMs);
        this.#observers.set(id, () => {
          clearTimeout(timer);
          resolve();
        });
        this.post({ kind: "observe", id });
      });
      this.#observers.delete(id);
    }
    return this.#observations.splice(0);
  }

  /** As {@link Slot.cancel}, for every waiting pop. */
  cancelPolls(): void {
    for (const [id, { isPoll }] of this.#pending) if (isPoll) this.cancel(id);
  }

  /** Posts a message; without effect while no worker runs. */
  post(message: RouterMessage, transfers: ArrayBuffer[] = []): void {
    this.#worker?.postMessage(message, transfers);
  }

  /**
   * Lets the worker finish, then ends it.
   *
   * @param deadlineMs - After this many milliseconds it is ended anyway and what it still had is answered in its place.
   */
  async stop(deadlineMs: number): Promise<void> {
    clearTimeout(this.#restTimer);
    const wasReady = this.state === "ready";
    this.state = "stopped";
    this.#onStart?.("stopped before it was ready");
    this.#onStart = null;
    this.flush();
    if (wasReady) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, deadlineMs);
        this.#onStopped = () => {
          clearTimeout(timer);
          resolve();
        };
        this.post({ kind: "stop" });
      });
    }
    this.#discard();
  }

  /**
   * The worker's event loop has stood still for too long: ends it and starts another one in its place.
   *
   * @param silentMs - For how long.
   */
  replaceStuck(silentMs: number): void {
    const worker = this.#worker;
    if (worker === null) return;
    this.stuckCount++;
    const fields = { worker: this.#options.settings.index, silentMs, requests: this.requestCount };
    this.#options.log("error", "worker_stuck", fields);
    this.#died(worker, `did not respond for ${silentMs} ms`, true);
  }

  #spawn(): void {
    this.state = "starting";
    this.#options.onSpawn?.();
    const worker = this.#options.spawn();
    this.#worker = worker;
    worker.onmessage = (event: MessageEvent<WorkerMessage | string>) => {
      if (worker === this.#worker) this.#receive(fromParcel(event.data));
    };
    worker.onerror = (event) => {
      event.preventDefault?.();
      this.#died(worker, event.message || "uncaught error");
    };
    worker.onmessageerror = () => this.#died(worker, "a message could not be read");
    // Not in the DOM's types: Bun tells when the thread is gone, with or without an error.
    worker.addEventListener("close", () => this.#died(worker, "exited"));
    const { settings, parked, beats } = this.#options;
    this.post({ kind: "start", settings, parked, ...(beats === undefined ? {} : { beats }) });
  }

  #receive(message: WorkerMessage): void {
    switch (message.kind) {
      case "responses":
        this.#answer(message.responses);
        return;
      case "observation":
        this.#observations.push(message.observation);
        this.#observers.get(message.id)?.();
        return;
      case "pushed":
      case "changed":
        this.#options.onNews(this.#options.settings.index, message);
        return;
      case "state":
        this.#options.onState(message.state);
        return;
      case "events":
      case "listeners":
        this.#options.onEvents(message);
        return;
      case "divert":
        this.#divert(message);
        return;
      case "log":
        this.#options.log(message.level, message.event, { worker: this.#options.settings.index, ...message.fields });
        return;
      case "ready":
        this.#ready();
        return;
      case "failed":
        if (this.#worker !== null) this.#died(this.#worker, message.reason);
        return;
      case "stopped":
        this.#onStopped?.();
        return;
    }
    message satisfies never;
  }

  #answer(responses: readonly WorkerResponse[]): void {
    const now = performance.now();
    const { durations } = this.#options;
    for (const response of responses) {
      const pending = this.#take(response.id);
      if (pending === null) continue;
      const operation = pending.isPoll ? "popWait" : pending.request.operation;
      durations.add(operation, (now - pending.startedAtMs) / 1000, response.status);
      pending.resolve(response);
    }
    const { write, answer, read, look } = this.#admissions;
    write.tick(now);
    answer.tick(now);
    read.tick(now);
    look.tick(now);
  }

  #divert(message: Diverted): void {
    const pending = this.#take(message.answer.id);
    if (pending !== null) this.#options.onDiverted(message, pending.resolve);
  }

  #ready(): void {
    if (this.state !== "starting") return;
    this.state = "ready";
    this.#readyAtMs = performance.now();
    this.#options.log("debug", "worker_ready", { worker: this.#options.settings.index });
    this.#options.onReady(this);
    this.#onStart?.(null);
    this.#onStart = null;
  }

  #died(worker: Worker, reason: string, isStuck = false): void {
    if (worker !== this.#worker) return;
    const wasReady = this.state === "ready";
    this.#discard(isStuck);
    if (this.state === "stopped") {
      this.#onStopped?.();
      return;
    }
    if (this.#onStart !== null) {
      this.state = "stopped";
      this.#onStart(reason);
      return;
    }
    if (wasReady && performance.now() - this.#readyAtMs >= RAPID_MS) this.#rapidDeaths = 0;
    this.#rapidDeaths++;
    this.restartCount++;
    this.state = "resting";
    const restMs = restBeforeRestart(this.#rapidDeaths);
    this.#options.log("error", "worker_died", { worker: this.#options.settings.index, reason, restMs });
    this.#restTimer = setTimeout(() => this.#spawn(), restMs);
  }

  /** Ends the thread and settles all it had: nobody may wait for an answer that cannot come. */
  #discard(isStuck = false): void {
    const worker = this.#worker;
    this.#worker = null;
    worker?.terminate();
    this.#outbox = [];
    this.#transfers = [];
    this.#cancelled = [];
    // The polls it had parked are answered below; left standing, its counters would wake workers for nobody for ever.
    // Each worker counts in a region of its own, so that this does not disturb the others.
    this.#options.parkedRegion.fill(0);
    for (const resolve of this.#observers.values()) resolve();
    for (const [id, pending] of this.#pending) {
      this.#take(id);
      pending.resolve(interruptionFor(pending.request, isStuck));
    }
  }

  #take(id: number): Pending | null {
    const pending = this.#pending.get(id);
    if (pending === undefined) return null;
    this.#pending.delete(id);
    if (pending.isPoll) this.pollCount--;
    else this.requestCount--;
    this.byteCount -= pending.byteCount;
    pending.admission?.leave(pending.mark);
    return pending;
  }
}
