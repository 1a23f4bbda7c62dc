/**
 * How long requests took, by operation, from the hand-over to the pool to the answer.
 *
 * @module
 */
import { Histogram, type HistogramReading } from "../../workers/protocol/histogram.ts";

/** Upper bounds, in seconds. */
export const DURATION_BOUNDS_S = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
] as const;

/** Requests of one operation since the start. */
export interface OperationReading extends HistogramReading {
  operation: string;
  /** Answers with a status of 500 or more. */
  failures: number;
}

/** See the module comment. */
export class Durations {
  readonly #byOperation = new Map<string, { histogram: Histogram; failures: number }>();

  /** Counts a request that was answered. @param seconds - How long it took. */
  add(operation: string, seconds: number, status: number): void {
    let entry = this.#byOperation.get(operation);
    if (entry === undefined) {
      entry = { histogram: new Histogram(DURATION_BOUNDS_S), failures: 0 };
      this.#byOperation.set(operation, entry);
    }
    entry.histogram.add(seconds);
    if (status >= 500) entry.failures += 1;
  }

  /** @returns Everything counted so far; a pop that may wait is the operation `popWait`. */
  read(): OperationReading[] {
    return [...this.#byOperation].map(([operation, { histogram, failures }]) => ({
      operation,
      failures,
      ...histogram.read(),
    }));
  }
}
