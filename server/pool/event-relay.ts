/**
 * Who is told what happens: listeners of this process, and, by way of worker 0, those of other instances. The workers
 * make events only while there is one.
 *
 * @module
 */
import type { EventBatch } from "../../workers/protocol/events.ts";
import type { RouterMessage, WorkerMessage } from "../../workers/protocol.ts";

/** A worker, or its place. */
interface Receiver {
  post(message: RouterMessage): void;
}

/** See the module's comment. */
export class EventRelay {
  readonly #workers: () => readonly Receiver[];
  #listener: ((batch: EventBatch) => void) | null = null;
  #elsewhere = false;

  /** @param workers - By index. */
  constructor(workers: () => readonly Receiver[]) {
    this.#workers = workers;
  }

  /** Sets who listens in this process; null: nobody does any more. */
  listen(listener: ((batch: EventBatch) => void) | null): void {
    this.#listener = listener;
    this.#tell();
  }

  /** A worker has started: it does not know yet that somebody listens. */
  started(worker: Receiver): void {
    if (this.#listener !== null || this.#elsewhere) worker.post(this.#message());
  }

  /** Takes what a worker says about events. */
  take(message: Extract<WorkerMessage, { kind: "events" | "listeners" }>): void {
    if (message.kind === "listeners") {
      if (this.#elsewhere === message.elsewhere) return;
      this.#elsewhere = message.elsewhere;
      this.#tell();
      return;
    }
    this.#listener?.(message.batch);
    if (this.#elsewhere && !message.remote) this.#workers()[0]?.post({ kind: "publish", batch: message.batch });
  }

  #message(): RouterMessage {
    return { kind: "listen", here: this.#listener !== null, elsewhere: this.#elsewhere };
  }

  #tell(): void {
    for (const worker of this.#workers()) worker.post(this.#message());
  }
}
