/**
 * Things in the order of their last use, as a doubly linked list: every step takes the same time however many there are. A
 * `Map` as such a list does not: its iterator walks over everything that was deleted at the front since the table was last
 * rebuilt.
 *
 * @module
 */

/** A place in a {@link Recency}. */
export interface Place<T> {
  readonly value: T;
  older: Place<T> | null;
  newer: Place<T> | null;
  /** Whether it is in its list. */
  listed: boolean;
}

/** Makes a place that is in no list yet. */
export function placeOf<T>(value: T): Place<T> {
  return { value, older: null, newer: null, listed: false };
}

/** See the module comment. */
export class Recency<T> {
  #oldest: Place<T> | null = null;
  #newest: Place<T> | null = null;

  /** What was used longest ago; null when there is nothing. */
  get oldest(): T | null {
    return this.#oldest === null ? null : this.#oldest.value;
  }

  /** Marks a place, in this list or in none, as the one used last. */
  touch(place: Place<T>): void {
    if (this.#newest === place) return;
    this.remove(place);
    place.older = this.#newest;
    place.listed = true;
    if (this.#newest === null) this.#oldest = place;
    else this.#newest.newer = place;
    this.#newest = place;
  }

  /** Takes a place out; without effect when it is in no list. */
  remove(place: Place<T>): void {
    if (!place.listed) return;
    if (place.older === null) this.#oldest = place.newer;
    else place.older.newer = place.newer;
    if (place.newer === null) this.#newest = place.older;
    else place.newer.older = place.older;
    place.older = null;
    place.newer = null;
    place.listed = false;
  }
}
