/**
 * Work that many may ask for at once, and that is done once for all who asked before it began.
 *
 * @module
 */

/** See the module comment. */
export class Coalesced {
  readonly #work: () => Promise<void>;
  #running: Promise<void> | null = null;
  #next: Promise<void> | null = null;

  /** @param work - Never runs twice at once. */
  constructor(work: () => Promise<void>) {
    this.#work = work;
  }

  /** @returns When a run that began after this call is over. Rejects as that run does. */
  run(): Promise<void> {
    if (this.#running === null) return this.#start();
    this.#next ??= this.#running.then(
      () => this.#follow(),
      () => this.#follow(),
    );
    return this.#next;
  }

  #start(): Promise<void> {
    this.#running = this.#work().finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  #follow(): Promise<void> {
    this.#next = null;
    return this.#start();
  }
}
