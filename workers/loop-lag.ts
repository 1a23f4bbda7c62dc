/**
 * How late a thread's event loop is: a timer that should come at fixed times measures how much after them it does.
 *
 * @module
 */

/** How often the timer is due, in milliseconds. Often enough that a loop blocked for a while is noticed, and nearly free. */
const INTERVAL_MS = 250;

/** What was measured since it was last asked for. */
export interface LagReading {
  /** Milliseconds over all measurements. */
  sumMs: number;
  maxMs: number;
  count: number;
}

/** Measures from {@link LoopLag.start} to {@link LoopLag.stop}. */
export class LoopLag {
  #reading: LagReading = { sumMs: 0, maxMs: 0, count: 0 };
  #timer: ReturnType<typeof setTimeout> | undefined;
  #dueAt = 0;

  /** Begins. Legal once. */
  start(): void {
    this.#dueAt = performance.now() + INTERVAL_MS;
    this.#timer = setTimeout(this.#tick, INTERVAL_MS);
  }

  /** Ends. Legal at any time. */
  stop(): void {
    clearTimeout(this.#timer);
  }

  /** @returns What was measured since the call before. A loop that is late right now shows in the next reading. */
  take(): LagReading {
    const reading = this.#reading;
    this.#reading = { sumMs: 0, maxMs: 0, count: 0 };
    return reading;
  }

  readonly #tick = (): void => {
    const now = performance.now();
    const lateMs = Math.max(0, now - this.#dueAt);
    this.#reading.sumMs += lateMs;
    this.#reading.maxMs = Math.max(this.#reading.maxMs, lateMs);
    this.#reading.count += 1;
    this.#dueAt = now + INTERVAL_MS;
    this.#timer = setTimeout(this.#tick, INTERVAL_MS);
  };
}
