/**
 * A batch acknowledgement whose ids are copied straight out of the bytes of a pop answer.
 *
 * @module
 */

import type { PopAnswer } from "./pop-answer.ts";

const ID_CHARS = 36;
const HEAD_ROOM = 256;
const ELEMENT = `{"transactionId":"${"0".repeat(ID_CHARS)}","partitionId":"${"0".repeat(ID_CHARS)}","status":"completed","leaseId":"${"0".repeat(ID_CHARS)}"}`;
const TRANSACTION_AT = ELEMENT.indexOf("0");
const PARTITION_AT = ELEMENT.indexOf("0", TRANSACTION_AT + ID_CHARS);
const LEASE_AT = ELEMENT.indexOf("0", PARTITION_AT + ID_CHARS);

/** See the module. */
export class AckRequest {
  readonly #host: string;
  readonly #prefix: string;
  #bytes: Buffer;
  #capacity = 0;
  #closedAt = -1;

  /**
   * Builds an empty acknowledgement.
   *
   * @param host - Value of the `Host` header.
   * @param group - Consumer group.
   */
  constructor(host: string, group: string) {
    this.#host = host;
    this.#prefix = `{"consumerGroup":"${group}","acknowledgments":[`;
    this.#bytes = this.#build(64);
  }

  /**
   * Acknowledges messages of an answer as completed.
   *
   * @param body - Body of the answer.
   * @param answer - Where the ids are; the answer must hold a lease.
   * @param first - Index of the first message.
   * @param count - Messages acknowledged, 1 or more.
   * @returns The whole request, valid until the next call.
   */
  fill(body: Buffer, answer: PopAnswer, first: number, count: number): Buffer {
    if (count > this.#capacity) this.#bytes = this.#build(count * 2);
    const bytes = this.#bytes;
    if (this.#closedAt >= 0) {
      bytes[this.#closedAt] = 44;
      bytes[this.#closedAt + 1] = 123;
    }
    let at = HEAD_ROOM + this.#prefix.length;
    for (let index = first; index < first + count; index++) {
      const id = answer.idAt[index]!;
      body.copy(bytes, at + TRANSACTION_AT, id, id + ID_CHARS);
      const partition = answer.partitionAt(body, index);
      body.copy(bytes, at + PARTITION_AT, partition, partition + ID_CHARS);
      body.copy(bytes, at + LEASE_AT, answer.leaseAt, answer.leaseAt + ID_CHARS);
      at += ELEMENT.length + 1;
    }
    this.#closedAt = at - 1;
    bytes[at - 1] = 93;
    bytes[at] = 125;
    const length = at + 1 - HEAD_ROOM;
    const head = `POST /api/v1/ack/batch HTTP/1.1\r\nHost: ${this.#host}\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n`;
    bytes.write(head, HEAD_ROOM - head.length, "latin1");
    return bytes.subarray(HEAD_ROOM - head.length, at + 1);
  }

  #build(capacity: number): Buffer {
    this.#capacity = capacity;
    this.#closedAt = -1;
    return Buffer.from(`${" ".repeat(HEAD_ROOM)}${this.#prefix}${`${ELEMENT},`.repeat(capacity)}{`, "latin1");
  }
}
