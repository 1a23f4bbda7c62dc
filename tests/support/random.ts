/**
 * Chance that can be repeated: every random choice of a test comes from one printed seed.
 *
 * @module
 */

/** Pseudo-random numbers (sfc32), the same for the same seed on every runtime. */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #d = 1;

  /** @param seed - A whole number below 2^53. */
  constructor(seed: number) {
    this.#a = 0x9e3779b9 ^ seed;
    this.#b = 0x243f6a88 ^ Math.floor(seed / 2 ** 32);
    this.#c = 0xb7e15162;
    for (let round = 0; round < 15; round += 1) this.next();
  }

  /** @returns At least 0, less than 1. */
  next(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#d) | 0;
    this.#d = (this.#d + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (this.#c << 21) | (this.#c >>> 11);
    this.#c = (this.#c + sum) | 0;
    return (sum >>> 0) / 2 ** 32;
  }

  /** @returns A whole number of at least `from` and at most `to`. */
  int(from: number, to: number): number {
    return from + Math.floor(this.next() * (to - from + 1));
  }

  /** @returns True in the given share of cases, 0 to 1. */
  chance(share: number): boolean {
    return this.next() < share;
  }

  /** @returns One of the elements of a list that has some. */
  pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.next() * list.length)]!;
  }

  /** @returns One of the keys, each as often as its weight says. */
  weighted<T extends string>(weights: Readonly<Record<T, number>>): T {
    const entries = Object.entries(weights) as [T, number][];
    let left = this.next() * entries.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [key, weight] of entries) {
      left -= weight;
      if (left < 0) return key;
    }
    return entries.at(-1)![0];
  }

  /** @returns The elements in another order. */
  shuffled<T>(list: readonly T[]): T[] {
    const copy = [...list];
    for (let at = copy.length - 1; at > 0; at -= 1) {
      const other = this.int(0, at);
      [copy[at], copy[other]] = [copy[other]!, copy[at]!];
    }
    return copy;
  }

  /** @returns Another source of chance, so that actors do not depend on each other's order. */
  fork(): Random {
    return new Random(this.int(0, 2 ** 31));
  }
}

/** @returns The seed of this run: `MODEL_SEED`, or one of the clock, which the caller prints. */
export function runSeed(): number {
  const given = Number(process.env.MODEL_SEED);
  return Number.isSafeInteger(given) && process.env.MODEL_SEED ? given : Date.now() % 1_000_000_000;
}

/** @returns How many operations a random test does: `MODEL_OPERATIONS`, or this many. */
export function runOperations(inSuite: number): number {
  const given = Number(process.env.MODEL_OPERATIONS);
  return Number.isSafeInteger(given) && given > 0 ? given : inSuite;
}
