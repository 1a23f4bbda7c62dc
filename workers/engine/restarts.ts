/**
 * How often other instances were started again: an instance that shows itself no longer, and another one of the same name that
 * came after it.
 *
 * @module
 */

/** Names remembered of instances that are gone. */
const GONE_MAX = 1_000;

/** See the module comment. Instants are milliseconds of one clock. */
export class Restarts {
  readonly #alive = new Map<string, { name: string; first: number }>();
  /** By name: how many are gone and were not replaced. */
  readonly #gone = new Map<string, number>();
  #count = 0;

  /** Since the start of this instance. */
  get count(): number {
    return this.#count;
  }

  /** An instance tells its name. Every start of one has another id. */
  seen(id: string, name: string, now: number): void {
    if (this.#alive.has(id)) return;
    this.#alive.set(id, { name, first: now });
    const gone = this.#gone.get(name) ?? 0;
    if (gone === 0) return;
    this.#count += 1;
    if (gone === 1) this.#gone.delete(name);
    else this.#gone.set(name, gone - 1);
  }

  /** An instance shows itself no longer. Its successor may have been quicker than this was noticed. */
  lost(id: string, lastSeen: number): void {
    const lost = this.#alive.get(id);
    if (!lost) return;
    this.#alive.delete(id);
    for (const { name, first } of this.#alive.values()) {
      if (name !== lost.name || first < lastSeen) continue;
      this.#count += 1;
      return;
    }
    const gone = this.#gone.get(lost.name) ?? 0;
    if (gone > 0 || this.#gone.size < GONE_MAX) this.#gone.set(lost.name, gone + 1);
  }
}
