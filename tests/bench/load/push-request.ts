/**
 * A push request built once and stamped afresh before each use: transaction ids are version 7 UUIDs, new for every
 * message and ascending in item order, as published clients make them.
 *
 * @module
 */

import { buildPayload, SEQUENCE_DIGITS, SEQUENCE_MARK } from "./payloads.ts";

/** Characters of a UUID that change from request to request: `tttttttt-tttt-7ccc`. */
const STAMP_CHARS = 18;
const ID_MARK = '"transactionId":"';

/** Gives every request of this process a (millisecond, counter) pair of its own. */
export class IdClock {
  #ms = 0;
  #counter = 0;
  readonly stamp = new DataView(new ArrayBuffer(STAMP_CHARS));

  /** Moves {@link stamp} to the next pair, later than every pair before. */
  advance(): void {
    const now = Date.now();
    if (now > this.#ms) {
      this.#ms = now;
      this.#counter = 0;
    } else if (++this.#counter > 0xfff) {
      this.#ms++;
      this.#counter = 0;
    }
    const time = this.#ms.toString(16).padStart(12, "0");
    const text = `${time.slice(0, 8)}-${time.slice(8)}-7${this.#counter.toString(16).padStart(3, "0")}`;
    for (let index = 0; index < STAMP_CHARS; index++) this.stamp.setUint8(index, text.charCodeAt(index));
  }
}

/** What a {@link PushRequest} is made of. `partitions` are filled in turn: item `i` goes to partition `i` modulo their number. */
export interface PushRequestShape {
  host: string;
  queue: string;
  partitions: string[];
  perRequest: number;
  /** At most 8 characters. */
  producer: string;
  payloadBytes: number;
  /** Place of the first message among all; see {@link buildPayload}. */
  firstIndex: number;
  random: () => number;
}

/** See the module. */
export class PushRequest {
  readonly bytes: Buffer;
  readonly producer: string;
  readonly messages: number;
  /** Number of the next message of this producer. */
  nextSequence = 0;
  readonly #view: DataView;
  readonly #idAt: Uint32Array;
  readonly #sequenceAt: Uint32Array;

  /**
   * Builds the request; nothing in it is fresh before the first {@link stamp}.
   *
   * @param shape - Items are numbered in order; at most 16,384 of them.
   */
  constructor(shape: PushRequestShape) {
    this.producer = shape.producer.padStart(8, "0");
    this.messages = shape.perRequest;
    const items: string[] = [];
    for (let index = 0; index < shape.perRequest; index++) {
      const variant = (0x8000 | index).toString(16);
      const tail = crypto.getRandomValues(Buffer.alloc(6)).toString("hex");
      const partition = shape.partitions[index % shape.partitions.length]!;
      const payload = buildPayload(shape.random, shape.producer, shape.payloadBytes, shape.firstIndex + index);
      items.push(
        `{"queue":"${shape.queue}","partition":"${partition}",${ID_MARK}${"0".repeat(STAMP_CHARS)}-${variant}-${tail}","payload":${payload}}`,
      );
    }
    const body = `{"items":[${items.join(",")}]}`;
    this.bytes = Buffer.from(
      `POST /api/v1/push HTTP/1.1\r\nHost: ${shape.host}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      "latin1",
    );
    this.#view = new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.byteLength);
    this.#idAt = offsetsAfter(this.bytes, ID_MARK, shape.perRequest);
    this.#sequenceAt = offsetsAfter(this.bytes, SEQUENCE_MARK, shape.perRequest);
  }

  /**
   * Gives every message a new transaction id.
   *
   * @param clock - The id clock of this process.
   */
  stamp(clock: IdClock): void {
    clock.advance();
    const { stamp } = clock;
    const [a, b, c, d, e] = [
      stamp.getUint32(0),
      stamp.getUint32(4),
      stamp.getUint32(8),
      stamp.getUint32(12),
      stamp.getUint16(16),
    ];
    for (let index = 0; index < this.#idAt.length; index++) {
      const at = this.#idAt[index]!;
      this.#view.setUint32(at, a);
      this.#view.setUint32(at + 4, b);
      this.#view.setUint32(at + 8, c);
      this.#view.setUint32(at + 12, d);
      this.#view.setUint16(at + 16, e);
    }
  }

  /** Writes consecutive numbers into the payloads and moves {@link nextSequence} past them. */
  number(): void {
    for (let index = 0; index < this.#sequenceAt.length; index++) {
      const at = this.#sequenceAt[index]!;
      let rest = this.nextSequence++;
      for (let digit = SEQUENCE_DIGITS - 1; digit >= 0; digit--) {
        this.bytes[at + digit] = 48 + (rest % 10);
        rest = Math.floor(rest / 10);
      }
    }
  }
}

function offsetsAfter(bytes: Buffer, mark: string, count: number): Uint32Array {
  const offsets = new Uint32Array(count);
  const wanted = Buffer.from(mark);
  let from = 0;
  for (let index = 0; index < count; index++) {
    const at = bytes.indexOf(wanted, from);
    if (at < 0) throw new Error(`${mark} appears fewer than ${count} times`);
    from = at + wanted.length;
    offsets[index] = from;
  }
  return offsets;
}
