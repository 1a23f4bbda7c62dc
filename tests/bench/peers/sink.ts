/**
 * Where taken messages end: counts them, and checks that none comes twice, none is missing and, within each key, none
 * overtakes another. It is on in every run, also in the measured ones.
 *
 * @module
 */

import type { Payload } from "./messages.ts";

/** See the module. */
export class Sink {
  /** Messages after which it is satisfied. */
  readonly wanted: number;
  readonly #keys: number;
  readonly #seen: Uint8Array;
  readonly #lastOfKey: Int32Array;
  readonly #finished = Promise.withResolvers<void>();
  #distinct = 0;
  /** Messages whose acknowledgement was answered. */
  acked = 0;
  doubled = 0;
  disordered = 0;
  /** Set when nothing more is to be taken. */
  done = false;

  /**
   * Makes an empty sink.
   *
   * @param wanted - Messages after which it is satisfied.
   * @param keys - Ordering keys; message `i` has key `i` modulo their number.
   */
  constructor(wanted: number, keys: number) {
    this.wanted = wanted;
    this.#keys = keys;
    this.#seen = new Uint8Array(wanted);
    this.#lastOfKey = new Int32Array(keys).fill(-1);
  }

  /** Resolves when every message was acknowledged, or {@link cut} was called. */
  get finished(): Promise<void> {
    return this.#finished.promise;
  }

  /** Messages that never came. */
  get missing(): number {
    return this.wanted - this.#distinct;
  }

  /**
   * Notes a message that was taken.
   *
   * @param payload - As it arrived.
   * @throws {Error} when it is none of this run.
   */
  take(payload: Payload): void {
    const index = Number(payload.seq);
    if (!(index < this.wanted)) throw new Error(`message ${payload.seq} is none of this run`);
    if (this.#seen[index] === 1) this.doubled++;
    else this.#distinct++;
    this.#seen[index] = 1;
    const key = index % this.#keys;
    if (index < this.#lastOfKey[key]!) this.disordered++;
    this.#lastOfKey[key] = index;
  }

  /**
   * Counts answered acknowledgements.
   *
   * @param messages - How many.
   */
  acknowledge(messages: number): void {
    this.acked += messages;
    if (this.acked >= this.wanted) this.cut();
  }

  /** Ends the taking now. */
  cut(): void {
    this.done = true;
    this.#finished.resolve();
  }
}

/**
 * Runs consumers that fetch and acknowledge in turn until a sink is satisfied.
 *
 * @param consumers - How many at once.
 * @param sink - Collects.
 * @param step - Fetches once, acknowledges, and gives the messages it got.
 * @param emptyWaitMs - Pause after a step that got nothing.
 */
export async function takeInTurns(
  consumers: number,
  sink: Sink,
  step: (consumer: number) => Promise<number>,
  emptyWaitMs: number,
): Promise<void> {
  const consume = async (_: unknown, consumer: number) => {
    while (!sink.done) {
      const messages = await step(consumer);
      if (messages > 0) sink.acknowledge(messages);
      else if (!sink.done && emptyWaitMs > 0) await Promise.race([Bun.sleep(emptyWaitMs), sink.finished]);
    }
  };
  await Promise.race([Promise.all(Array.from({ length: consumers }, consume)), sink.finished]);
}
