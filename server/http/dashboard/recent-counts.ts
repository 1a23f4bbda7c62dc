/**
 * How many messages were stored and completed in the last minute, by the second.
 *
 * @module
 */

const SECONDS = 60;

/** See the module's comment. Counts from when it was made or cleared. */
export class RecentCounts {
  #seconds: { at: number; created: number; completed: number }[] = [];

  /** Forgets everything. */
  clear(): void {
    this.#seconds = [];
  }

  /** Adds what just happened. */
  add(created: number, completed: number): void {
    const at = Math.floor(Date.now() / 1000);
    const last = this.#seconds.at(-1);
    if (last?.at === at) {
      last.created += created;
      last.completed += completed;
      return;
    }
    this.#seconds.push({ at, created, completed });
    if (this.#seconds.length > 2 * SECONDS) this.#seconds.splice(0, this.#seconds.length - SECONDS - 1);
  }

  /** Those of the last minute. */
  sum(): { created: number; completed: number } {
    const since = Math.floor(Date.now() / 1000) - SECONDS;
    let created = 0;
    let completed = 0;
    for (const second of this.#seconds) {
      if (second.at <= since) continue;
      created += second.created;
      completed += second.completed;
    }
    return { created, completed };
  }
}
