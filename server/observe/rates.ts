/**
 * How much was done since the start, and how fast lately.
 *
 * @module
 */
import type { OperationReading, Pool } from "../pool/pool.ts";

/** How far back the rate looks. */
const WINDOW_MS = 60_000;
/** What the server asks of itself. */
const OWN_OPERATIONS: ReadonlySet<string> = new Set(["sampleRecord", "metricsRead"]);
/** Kinds of requests, and the operations that belong to each. Waiting pops are left out: they take as long as they wait. */
const KINDS: Readonly<Record<string, ReadonlySet<string>>> = {
  push: new Set(["push"]),
  pop: new Set(["pop"]),
  ack: new Set(["ack", "ackBatch", "leaseAcknowledge", "octoberAck", "octoberAckBatch"]),
};

interface Reading {
  atMs: number;
  requests: number;
  messages: number;
}

/** Requests of one kind between two looks. */
export interface KindReading {
  count: number;
  /** Mean, in microseconds; 0 without requests. */
  latencyUs: number;
}

/** See the module comment. */
export class Rates {
  readonly #pool: Pool;
  readonly #totals: { pushMessages: number; popMessages: number };
  #readings: Reading[] = [];
  #kinds = new Map<string, { count: number; seconds: number }>();

  constructor(pool: Pool, totals: { pushMessages: number; popMessages: number }) {
    this.#pool = pool;
    this.#totals = totals;
  }

  /** @returns Requests answered by operation, without those of the server itself. */
  operations(): OperationReading[] {
    return this.#pool.durations().filter(({ operation }) => !OWN_OPERATIONS.has(operation));
  }

  /** @returns Totals since the start. Messages count when they are pushed and when they are popped. */
  totals(): { requests: number; messages: number } {
    let requests = 0;
    for (const { counts } of this.operations()) for (const count of counts) requests += count;
    return { requests, messages: this.#totals.pushMessages + this.#totals.popMessages };
  }

  /** @returns A second, over the last minute or as long as there is something to compare with. */
  perSecond(): { requests: number; messages: number } {
    const oldest = this.#readings[0];
    if (!oldest) return { requests: 0, messages: 0 };
    const { requests, messages } = this.totals();
    const seconds = Math.max(1, (Date.now() - oldest.atMs) / 1000);
    return { requests: (requests - oldest.requests) / seconds, messages: (messages - oldest.messages) / seconds };
  }

  /** Notes where the totals stand. @returns What happened since the call before, by kind. */
  take(): Record<string, KindReading> {
    const now = Date.now();
    this.#readings.push({ atMs: now, ...this.totals() });
    this.#readings = this.#readings.filter(({ atMs }) => now - atMs <= WINDOW_MS);
    return Object.fromEntries(Object.keys(KINDS).map((kind) => [kind, this.#takeKind(kind)]));
  }

  #takeKind(kind: string): KindReading {
    const now = this.kind(kind);
    const before = this.#kinds.get(kind) ?? { count: 0, seconds: 0 };
    this.#kinds.set(kind, now);
    const count = now.count - before.count;
    return { count, latencyUs: count === 0 ? 0 : ((now.seconds - before.seconds) / count) * 1e6 };
  }

  /** @returns Requests of a kind since the start, and how long they took together. */
  kind(kind: string): { count: number; seconds: number } {
    const reading = { count: 0, seconds: 0 };
    for (const { operation, counts, sum } of this.#pool.durations()) {
      if (!KINDS[kind]?.has(operation)) continue;
      for (const count of counts) reading.count += count;
      reading.seconds += sum;
    }
    return reading;
  }
}
