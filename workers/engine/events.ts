/**
 * Events of one worker, for those who watch: made only while somebody does, gathered, and bounded in number, so that
 * watching never slows the queue down. What is beyond the bound is counted.
 *
 * @module
 */

import type { EventBatch } from "../protocol/events.ts";

/** Events told at a time, and how often: 4,000 a second. */
const EVENTS_MAX = 400;
const GATHER_MS = 100;
/** Longest error text told, in UTF-16 code units. */
const ERROR_LENGTH_MAX = 500;

/** See the module comment. */
export class Events {
  /** Whether anybody watches. Look at it before anything that costs. */
  listening = false;
  readonly #workerId: string;
  readonly #send: (batch: EventBatch) => void;
  #batch: EventBatch = emptyBatch();
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor(workerId: string, send: (batch: EventBatch) => void) {
    this.#workerId = workerId;
    this.#send = send;
  }

  /** How many more events can be told now. */
  get room(): number {
    return this.listening ? EVENTS_MAX - this.#batch.events.length : 0;
  }

  /** Messages were stored. @param idAt - Transaction id of one of them. */
  pushed(queue: string, partition: string, count: number, idAt: (index: number) => string): void {
    const told = Math.min(count, this.room);
    for (let index = 0; index < told; index += 1) {
      this.#add("message.pushed", { queue, partition, transactionId: idAt(index) });
    }
    this.#batch.created += count;
    this.#drop(count - told);
  }

  /** Messages were delivered. `ids` may leave some out: `count` is how many they were. */
  processing(queue: string, messages: readonly { partition: string; transactionId: string }[], count: number): void {
    for (const { partition, transactionId } of messages) {
      this.#add("message.processing", { queue, partition, transactionId, workerId: this.#workerId });
    }
    this.#drop(count - messages.length);
  }

  /** A consumer is done with a message. */
  completed(transactionId: string): void {
    this.#batch.completed += 1;
    if (this.room > 0) this.#add("message.completed", { transactionId });
    else this.#drop(1);
  }

  /** A consumer failed at a message. */
  failed(transactionId: string, error: string | null): void {
    if (this.room > 0) this.#add("message.failed", { transactionId, error: error?.slice(0, ERROR_LENGTH_MAX) ?? null });
    else this.#drop(1);
  }

  /** A queue was configured. */
  configured(queue: string, partition: string): void {
    if (this.room > 0) this.#add("queue.created", { queue, partition });
    else this.#drop(1);
  }

  #add(event: string, data: Record<string, unknown>): void {
    this.#batch.events.push({ event, data, timestamp: new Date().toISOString() });
    this.#arm();
  }

  #drop(count: number): void {
    if (count <= 0 || !this.listening) return;
    this.#batch.dropped += count;
    this.#arm();
  }

  #arm(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      const batch = this.#batch;
      this.#batch = emptyBatch();
      if (this.listening) this.#send(batch);
    }, GATHER_MS);
  }
}

/** A batch without anything. */
export function emptyBatch(): EventBatch {
  return { events: [], dropped: 0, created: 0, completed: 0 };
}
