/**
 * What the actors of a load process share: the figures they fill, the gauge of undelivered messages, and the clock.
 *
 * @module
 */

import type { Checker } from "./checker.ts";
import type { HttpConnection } from "./connection.ts";
import { Histogram } from "./histogram.ts";
import type { LoadSpec, RequestFigures } from "./protocol.ts";
import type { IdClock } from "./push-request.ts";

/** Figures of one kind of request, being filled. */
export class Figures {
  readonly latency = new Histogram();
  messages = 0;
  errors: Record<string, number> = {};

  /**
   * Counts one answered request.
   *
   * @param startedAt - `performance.now()` when it was sent.
   * @param messages - Messages it carried.
   */
  answered(startedAt: number, messages: number): void {
    this.latency.record(performance.now() - startedAt);
    this.messages += messages;
  }

  /**
   * Counts one answer of 4xx or 5xx.
   *
   * @param status - HTTP status.
   */
  refused(status: number): void {
    this.errors[status] = (this.errors[status] ?? 0) + 1;
  }

  /** Starts from nothing again. */
  reset(): void {
    this.latency.reset();
    this.messages = 0;
    this.errors = {};
  }

  /** The figures so far. */
  read(): RequestFigures {
    return {
      requests: this.latency.total,
      messages: this.messages,
      p50Ms: this.latency.quantileMs(0.5),
      p99Ms: this.latency.quantileMs(0.99),
      maxMs: this.latency.maxMs,
      errors: this.errors,
    };
  }
}

/** Messages pushed and delivered by this process, so that producers can be held back and backlog be watched. */
export class Gauge {
  pushed = 0;
  delivered = 0;
  /** Milliseconds producers spent waiting, summed over their connections. */
  waitedMs = 0;
  #waiting: { backlogMax: number; startedAt: number; resume: () => void }[] = [];

  /**
   * Waits until fewer than `backlogMax` messages are undelivered, or {@link release} is called.
   *
   * @param backlogMax - Messages.
   * @returns Null when there is no need to wait, so that the usual case costs no turn of the event loop.
   */
  room(backlogMax: number): Promise<void> | null {
    if (this.pushed - this.delivered < backlogMax) return null;
    return new Promise((resume) => this.#waiting.push({ backlogMax, startedAt: performance.now(), resume }));
  }

  /**
   * Counts delivered messages and lets producers go on.
   *
   * @param messages - How many.
   */
  deliver(messages: number): void {
    this.delivered += messages;
    if (this.#waiting.length === 0) return;
    const backlog = this.pushed - this.delivered;
    this.#waiting = this.#waiting.filter((waiter) => {
      if (backlog >= waiter.backlogMax) return true;
      this.waitedMs += performance.now() - waiter.startedAt;
      waiter.resume();
      return false;
    });
  }

  /** Lets every waiting producer go on. */
  release(): void {
    for (const waiter of this.#waiting) waiter.resume();
    this.#waiting = [];
  }
}

/** The world an actor lives in. */
export interface Stage {
  spec: LoadSpec;
  host: string;
  port: number;
  clock: IdClock;
  gauge: Gauge;
  /** Null when checks are off. */
  checker: Checker | null;
  /** Set when the window has closed: finish what is under way and begin nothing. */
  stopping: boolean;
  /** Times in `performance.now()` at which timed messages were sent, by message number. */
  sentAt: Map<number, number>;
  /** See `LoadFigures`. */
  consumerBusyMs: number[];
  /** See `LoadFigures`. */
  wrong: number;
  /** The figures of this name; made when first asked for. */
  figures(name: string): Figures;
}

/** One running actor. */
export interface RunningActor {
  /** Opens the connections. */
  open(): Promise<void>;
  /** Plays; resolves when the actor's stop rule holds or the window has closed and nothing is under way. */
  play(): Promise<void>;
  /** Closes the connections. */
  close(): void;
}

/** How long an actor waits before it repeats a request that was refused with 503. */
const REFUSED_WAIT_MS = 20;

/**
 * Sends one request and waits for its answer; a 503 is repeated until it is taken, and counted.
 *
 * @param connection - Must be idle.
 * @param request - The whole request.
 * @param keepBytesMax - Longest body kept.
 * @param figures - Counts refusals.
 * @returns Status, length and body of the answer that was not 503.
 * @throws {Error} when the connection failed, or the answer was any other 4xx or 5xx.
 */
export async function exchange(
  connection: HttpConnection,
  request: Uint8Array,
  keepBytesMax: number,
  figures: Figures,
): Promise<{ status: number; length: number; body: Buffer | null }> {
  for (;;) {
    const answer = await new Promise<{ status: number; length: number; body: Buffer | null }>((resolve) => {
      connection.send(request, keepBytesMax, (status, length, body) => resolve({ status, length, body }));
    });
    if (answer.status >= 200 && answer.status < 300) return answer;
    if (answer.status !== 503) {
      const line = Buffer.from(request.subarray(0, 120)).toString("latin1").split("\r\n")[0];
      throw new Error(
        `${line} was answered ${answer.status}: ${answer.body?.toString("utf8", 0, 300) ?? "a long body"}`,
      );
    }
    figures.refused(503);
    await Bun.sleep(REFUSED_WAIT_MS);
  }
}
