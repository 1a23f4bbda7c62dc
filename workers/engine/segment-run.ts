/**
 * The segments of one partition that are remembered, by offset.
 *
 * @module
 */

/** A run of offsets. */
interface Spanning {
  readonly firstOffset: number;
  readonly messageCount: number;
}

/** Room at the front that is given back once it is at least this much, and more than half. */
const SLACK = 64;

/**
 * An array in order of offsets. New ones come at its end and old ones go from its front, both in constant time; elsewhere
 * the rest is moved. Segments of a partition do not overlap.
 */
export class SegmentRun<T extends Spanning> {
  readonly #items: (T | undefined)[] = [];
  /** Index of the first one. */
  #from = 0;

  /** How many there are. */
  get size(): number {
    return this.#items.length - this.#from;
  }

  /** The one that holds an offset, or null. */
  holding(offset: number): T | null {
    const item = this.#items[this.#indexOf(offset) - 1];
    return item !== undefined && offset < item.firstOffset + item.messageCount ? item : null;
  }

  /** Adds one. @returns False when one with the same first offset is there already. */
  add(item: T): boolean {
    const index = this.#indexOf(item.firstOffset);
    if (index > this.#from && this.#items[index - 1]!.firstOffset === item.firstOffset) return false;
    if (index === this.#items.length) this.#items.push(item);
    else this.#items.splice(index, 0, item);
    return true;
  }

  /** Takes out the one that begins at an offset, if there is one. */
  delete(firstOffset: number): void {
    const index = this.#indexOf(firstOffset) - 1;
    if (index < this.#from || this.#items[index]!.firstOffset !== firstOffset) return;
    if (index > this.#from) {
      this.#items.splice(index, 1);
      return;
    }
    this.#items[index] = undefined;
    this.#from += 1;
    if (this.#from < SLACK || this.#from * 2 < this.#items.length) return;
    this.#items.splice(0, this.#from);
    this.#from = 0;
  }

  /** Index after the last one that begins at or before an offset. */
  #indexOf(offset: number): number {
    // Consumers mostly read what was added last.
    const last = this.#items.length - 1;
    if (last < this.#from || this.#items[last]!.firstOffset <= offset) return last + 1;
    let low = this.#from;
    let high = last;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#items[middle]!.firstOffset <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
