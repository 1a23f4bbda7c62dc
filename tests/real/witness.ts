/**
 * Watches what a consumer group gets, and holds it against what was sent.
 *
 * @module
 */

const EXAMPLES_MAX = 5;

/** Flights are numbered in the order they were pushed; each partition must deliver ascending numbers, each once. */
export class Witness {
  readonly #first: number;
  readonly #end: number;
  readonly #times: Uint8Array;
  readonly #last = new Map<string, number>();
  readonly #problems: string[] = [];
  #problemCount = 0;
  /** Messages seen. */
  count = 0;

  /**
   * Expects the numbers `first` to `end` - 1.
   *
   * @param first - First number.
   * @param end - One past the last number.
   */
  constructor(first: number, end: number) {
    this.#first = first;
    this.#end = end;
    this.#times = new Uint8Array(end);
  }

  /** How many messages are expected. */
  get expected(): number {
    return this.#end - this.#first;
  }

  /** Notes one delivered message. */
  see(partition: string, number: number): void {
    this.count += 1;
    const before = this.#last.get(partition) ?? -1;
    if (number < this.#first || number >= this.#end)
      this.#problem(`flight ${number} was delivered and should not have been`);
    else if (this.#times[number]! > 0) this.#problem(`flight ${number} was delivered twice`);
    else if (number < before) this.#problem(`in partition ${partition} flight ${number} came after ${before}`);
    this.#times[number]! += 1;
    this.#last.set(partition, Math.max(before, number));
  }

  /**
   * Judges what was seen.
   *
   * @returns What is wrong, with a few examples; empty when every flight came exactly once and in order.
   */
  verdict(): string[] {
    const missing: number[] = [];
    for (let number = this.#first; number < this.#end; number++) if (this.#times[number] === 0) missing.push(number);
    const problems = [...this.#problems];
    if (this.#problemCount > EXAMPLES_MAX)
      problems.push(`... and ${this.#problemCount - EXAMPLES_MAX} more like these`);
    if (missing.length > 0)
      problems.push(`${missing.length} flights never came, such as ${missing.slice(0, EXAMPLES_MAX).join(", ")}`);
    return problems;
  }

  #problem(text: string): void {
    this.#problemCount += 1;
    if (this.#problems.length < EXAMPLES_MAX) this.#problems.push(text);
  }
}
