/**
 * Latencies in buckets that are at most 1.6 % wide, so that a million samples cost a fixed 20 kB.
 *
 * @module
 */

const STEPS_PER_DOUBLING = 64;
const BUCKETS = STEPS_PER_DOUBLING * 36;

/** Counts samples in microseconds, 1 µs to about 19 hours. */
export class Histogram {
  readonly #counts = new Float64Array(BUCKETS);
  #total = 0;
  #maxUs = 0;

  /** Samples recorded since the last {@link reset}. */
  get total(): number {
    return this.#total;
  }

  /** Longest sample in milliseconds. */
  get maxMs(): number {
    return this.#maxUs / 1000;
  }

  /**
   * Records one sample.
   *
   * @param ms - Latency in milliseconds.
   */
  record(ms: number): void {
    const us = ms * 1000;
    const bucket = us <= 1 ? 0 : Math.min(BUCKETS - 1, Math.floor(Math.log2(us) * STEPS_PER_DOUBLING));
    this.#counts[bucket]!++;
    this.#total++;
    if (us > this.#maxUs) this.#maxUs = us;
  }

  /**
   * Reads a quantile.
   *
   * @param share - 0 to 1; 0.5 is the median.
   * @returns Milliseconds, the middle of the bucket that holds it; 0 without samples.
   */
  quantileMs(share: number): number {
    const wanted = Math.max(1, Math.ceil(this.#total * share));
    let seen = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      seen += this.#counts[bucket]!;
      if (seen >= wanted) return 2 ** ((bucket + 0.5) / STEPS_PER_DOUBLING) / 1000;
    }
    return 0;
  }

  /** Forgets all samples. */
  reset(): void {
    this.#counts.fill(0);
    this.#total = 0;
    this.#maxUs = 0;
  }
}
