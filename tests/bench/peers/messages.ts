/**
 * The messages of a run: the same objects for every peer, which each client serialises in its own way.
 *
 * @module
 */

import { buildPayload, SEQUENCE_DIGITS, seededRandom } from "../load/payloads.ts";

/** A payload as it arrives. */
export interface Payload {
  /** Number of the message, as text of fixed length. */
  seq: string;
  [field: string]: unknown;
}

/** See the module. */
export class Messages {
  readonly payloads: Payload[];
  readonly #keys: number;

  /**
   * Builds messages.
   *
   * @param count - How many; at most 10^8.
   * @param keys - Ordering keys; message `i` has key `i` modulo their number.
   * @param bytes - Length of each payload as JSON text.
   * @param seed - For their content.
   */
  constructor(count: number, keys: number, bytes: number, seed: number) {
    const random = seededRandom(seed);
    this.#keys = keys;
    this.payloads = Array.from({ length: count }, (_, index) => {
      const payload = JSON.parse(buildPayload(random, "peer", bytes, index)) as Payload;
      payload.seq = String(index).padStart(SEQUENCE_DIGITS, "0");
      return payload;
    });
  }

  /**
   * Names the key of a message.
   *
   * @param index - Number of the message.
   * @returns `k0`, `k1`, ...
   */
  key(index: number): string {
    return `k${index % this.#keys}`;
  }

  /**
   * Shares messages out among producers, so that all messages of a key have the same producer.
   *
   * @param producers - How many; at most as many as keys are used.
   * @param perPush - Messages in one push.
   * @returns By producer: its pushes, in order.
   */
  shareOut(producers: number, perPush: number): number[][][] {
    const shares: number[][] = Array.from({ length: Math.min(producers, this.#keys) }, () => []);
    for (let index = 0; index < this.payloads.length; index++)
      shares[(index % this.#keys) % shares.length]!.push(index);
    return shares.map((share) =>
      Array.from({ length: Math.ceil(share.length / perPush) }, (_, at) =>
        share.slice(at * perPush, (at + 1) * perPush),
      ),
    );
  }
}
