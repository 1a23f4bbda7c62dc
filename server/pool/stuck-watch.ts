/**
 * Notices workers whose event loop stands still: their heartbeat stops although the router's own loop runs.
 *
 * Silence is counted in looks of the router, not by the clock. A look that comes late counts no more than one that is in
 * time, so that a laptop that slept, a process that was stopped, or a machine that is too busy to let the router run makes
 * nobody look stuck. A worker whose loop is merely slow beats now and then, which is enough.
 *
 * @module
 */

/** Longest pause between looks, in milliseconds. */
const LOOK_MS_MAX = 1_000;
/** Looks without a heartbeat, at the least, that make a worker stuck. */
const LOOKS_MIN = 5;

/** What {@link StuckWatch} needs. */
export interface StuckWatchOptions {
  /** Workers watched; each has a counter. */
  count: number;
  /** Silence that makes a worker stuck, in milliseconds; 0: nobody is watched. */
  stuckMs: number;
  /** Called with the worker's index and how long it was silent; again only after it, or its successor, has beaten. */
  onStuck: (index: number, silentMs: number) => void;
}

/** See the module comment. */
export class StuckWatch {
  /** Counters for the workers to count up (`workers/heartbeat.ts`). */
  readonly beats: SharedArrayBuffer;
  readonly #counters: Int32Array;
  readonly #seen: Int32Array;
  /** Looks without a beat since the last one; -1: the worker has not begun to beat. */
  readonly #silentLooks: number[];
  readonly #lookMs: number;
  readonly #options: StuckWatchOptions;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(options: StuckWatchOptions) {
    this.#options = options;
    this.#lookMs = Math.min(LOOK_MS_MAX, Math.ceil(options.stuckMs / LOOKS_MIN));
    this.beats = new SharedArrayBuffer(options.count * Int32Array.BYTES_PER_ELEMENT);
    this.#counters = new Int32Array(this.beats);
    this.#seen = new Int32Array(options.count);
    this.#silentLooks = Array.from({ length: options.count }, () => -1);
  }

  /** Begins. Legal once. */
  start(): void {
    if (this.#options.stuckMs > 0) this.#timer = setInterval(() => this.look(), this.#lookMs);
  }

  /** Ends. Legal at any time. */
  stop(): void {
    clearInterval(this.#timer);
  }

  /** A worker is replaced: its successor counts from when it begins to beat. */
  forget(index: number): void {
    this.#seen[index] = Atomics.load(this.#counters, index);
    this.#silentLooks[index] = -1;
  }

  /** Looks at all counters once; done by the timer. */
  look(): void {
    const { stuckMs, onStuck } = this.#options;
    for (const [index, silentLooks] of this.#silentLooks.entries()) {
      const beats = Atomics.load(this.#counters, index);
      if (beats !== this.#seen[index]) {
        this.#seen[index] = beats;
        this.#silentLooks[index] = 0;
      } else if (silentLooks >= 0) {
        const silentMs = (silentLooks + 1) * this.#lookMs;
        this.#silentLooks[index] = silentMs >= stuckMs ? -1 : silentLooks + 1;
        if (silentMs >= stuckMs) onStuck(index, silentMs);
      }
    }
  }
}
