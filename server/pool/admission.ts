/**
 * Whether a worker takes one more request of a kind, or its client is told to come again later.
 *
 * Up to {@link STANDING_REQUESTS} unanswered requests are always taken. Beyond them a backlog may stand for
 * {@link BURST_MS}, which lets bursts and pauses pass; after that only as many requests wait as the worker answers within
 * the configured time, so that what is taken is answered soon and what is not is refused at once, and cheaply. Those of a
 * queue that has little in the backlog are taken even then: one queue's flood costs another nothing but its turn.
 *
 * @module
 */
import type { OperationName, WorkerRequest } from "../../workers/protocol.ts";
import { queueMark } from "./spread.ts";

/** So many unanswered requests of a kind wait for a worker however slow it is: less than a flight or two carry. */
export const STANDING_REQUESTS = 64;
/** How long more than that may wait before requests are refused. */
export const BURST_MS = 500;
/** Refusing ends when it was not needed for so long. */
const CALM_MS = 1_000;
/** Queues are told apart by a hash of this many values. */
const MARKS = 1_024;
/** How often the rate of answers is read, and how much of a reading enters the average. */
const RATE_INTERVAL_MS = 100;
const RATE_SHARE = 0.25;

/** Not noted whose it is. */
export const UNMARKED = -1;
/** Not taken. */
export const REFUSED = -2;

/** Requests that compete with each other: a flood of one kind refuses none of another. */
export type RequestKind = "write" | "answer" | "read" | "look" | "free";

/** The kind of an operation; `free` ones know no other bounds than those of requests and bytes. */
export function kindOf(operation: OperationName): RequestKind {
  switch (operation) {
    case "push":
    case "transaction":
    case "streamCycle":
      return "write";
    case "ack":
    case "ackBatch":
    case "leaseAcknowledge":
    case "leaseExtend":
      return "answer";
    case "pop":
      return "read";
    case "health":
    case "spoolAppend":
      return "free";
    default:
      return "look";
  }
}

/** See the module's comment. One per worker and kind. */
export class Admission {
  readonly #waitMaxMs: number;
  #count = 0;
  /** Most unanswered requests once a backlog stands. */
  #limit = STANDING_REQUESTS;
  #overSinceMs: number | null = null;
  #refusedAtMs = Number.NEGATIVE_INFINITY;
  #refusals = 0;
  #answered = 0;
  #perMs = 0;
  #readAtMs = 0;
  readonly #byMark = new Uint32Array(MARKS);
  #marks = 0;

  /** @param waitMaxMs - How long a request may wait in a backlog that stands. */
  constructor(waitMaxMs: number) {
    this.#waitMaxMs = waitMaxMs;
  }

  /** Requests refused since the start. */
  get refusals(): number {
    return this.#refusals;
  }

  /**
   * Takes a request, or not.
   *
   * @returns What {@link Admission.leave} wants once it is answered, or {@link REFUSED}.
   */
  enter(request: WorkerRequest): number {
    // Until here a request costs two additions; whose it is does not matter yet.
    if (this.#count < STANDING_REQUESTS) {
      this.#count += 1;
      this.#overSinceMs = null;
      return UNMARKED;
    }
    const mark = queueMark(request, MARKS);
    if (this.#count < this.#limit) this.#overSinceMs = null;
    else if (!this.#hasLittle(mark) && this.#isStanding(performance.now())) {
      this.#refusals += 1;
      return REFUSED;
    }
    this.#count += 1;
    if (mark === UNMARKED) return mark;
    if (this.#byMark[mark]! === 0) this.#marks += 1;
    this.#byMark[mark]! += 1;
    return mark;
  }

  /** Counts a refusal for a bound that is not this one's. */
  refused(): void {
    this.#refusals += 1;
  }

  /** Whether the queue of a request has less than its share of the backlog; false while there is next to none. */
  hasLittle(request: WorkerRequest): boolean {
    return this.#count >= STANDING_REQUESTS && this.#hasLittle(queueMark(request, MARKS));
  }

  /** A request was answered. @param mark - What {@link Admission.enter} gave for it. */
  leave(mark: number): void {
    this.#count -= 1;
    this.#answered += 1;
    if (mark === UNMARKED) return;
    this.#byMark[mark]! -= 1;
    if (this.#byMark[mark]! === 0) this.#marks -= 1;
  }

  /** Reads the rate of answers; to be called when some came. */
  tick(nowMs: number): void {
    const passedMs = nowMs - this.#readAtMs;
    if (passedMs < RATE_INTERVAL_MS) return;
    this.#readAtMs = nowMs;
    const perMs = this.#answered / passedMs;
    this.#answered = 0;
    // After a silence the old rate says nothing any more.
    const share = passedMs > 20 * RATE_INTERVAL_MS ? 1 : RATE_SHARE;
    this.#perMs += (perMs - this.#perMs) * share;
    this.#limit = Math.max(STANDING_REQUESTS, Math.ceil(this.#perMs * this.#waitMaxMs));
  }

  #hasLittle(mark: number): boolean {
    return mark !== UNMARKED && this.#byMark[mark]! < this.#limit / (2 * (this.#marks + 1));
  }

  #isStanding(nowMs: number): boolean {
    this.#overSinceMs ??= nowMs;
    const isStanding = nowMs - this.#overSinceMs > BURST_MS || nowMs - this.#refusedAtMs < CALM_MS;
    if (isStanding) this.#refusedAtMs = nowMs;
    return isStanding;
  }
}
