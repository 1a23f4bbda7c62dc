/**
 * Counting values by size, cheaply enough for every request.
 *
 * @module
 */

/** What was counted: `counts[i]` values of at most `bounds[i]` and more than the bound before; the last one has no bound. */
export interface HistogramReading {
  counts: number[];
  sum: number;
}

/** A histogram with fixed bounds. */
export class Histogram {
  readonly #bounds: readonly number[];
  #counts: number[];
  #sum = 0;

  /** @param bounds - Upper bounds, ascending. */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = new Array<number>(bounds.length + 1).fill(0);
  }

  /** Counts a value. */
  add(value: number): void {
    let at = 0;
    while (at < this.#bounds.length && value > this.#bounds[at]!) at += 1;
    this.#counts[at]! += 1;
    this.#sum += value;
  }

  /** Adds what another histogram of the same bounds counted. */
  merge(reading: HistogramReading): void {
    for (let at = 0; at < this.#counts.length; at += 1) this.#counts[at]! += reading.counts[at] ?? 0;
    this.#sum += reading.sum;
  }

  /** @returns A copy of everything counted so far. */
  read(): HistogramReading {
    return { counts: [...this.#counts], sum: this.#sum };
  }

  /** @returns Everything counted since the last call, and begins anew. */
  take(): HistogramReading {
    const reading = { counts: this.#counts, sum: this.#sum };
    this.#counts = new Array<number>(this.#bounds.length + 1).fill(0);
    this.#sum = 0;
    return reading;
  }
}
