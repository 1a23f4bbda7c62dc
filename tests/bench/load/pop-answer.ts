/**
 * Finds the messages of a pop answer without parsing it. Messages of one load all have the same length, so the next
 * transaction id is looked for where the last distance puts it, and searched for only when it is not there.
 *
 * @module
 */

const ID_MARK = Buffer.from('"transactionId":"');
const PARTITION_MARK = Buffer.from('"partitionId":"');
const LEASE_MARK = Buffer.from('"leaseId":"');
const MESSAGES_MARK = Buffer.from('"messages":[');
/** First and last four bytes of the mark, compared before a search is begun. */
const ID_MARK_FIRST = ID_MARK.readUInt32LE(0);
/** What surrounds the messages holds numbers, such as that of claimed partitions, which may be some digits longer. */
const SURROUND_SLACK_BYTES = 8;
const ID_MARK_LAST = ID_MARK.readUInt32LE(ID_MARK.length - 4);

/** Where the messages of one answer are. Reused for every answer of one connection. */
export class PopAnswer {
  /** Offsets of the 36 characters of each transaction id; only the first {@link count} are of this answer. */
  idAt = new Uint32Array(1024);
  count = 0;
  /** Offset of the lease id inside the body, or -1 when there is none. */
  leaseAt = -1;
  /** Distance between two messages of the last answer with several, 0 before there was one. */
  stride = 0;
  /** Distance from a transaction id to the partition id of the same message. */
  partitionDelta = 0;

  /**
   * Reads an answer.
   *
   * @param body - The whole body of a pop answer with status 200.
   * @returns Number of messages.
   */
  read(body: Buffer): number {
    this.count = 0;
    const list = body.indexOf(MESSAGES_MARK);
    if (list < 0) return 0;
    const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
    let from = list + MESSAGES_MARK.length;
    let last = -1;
    for (;;) {
      const guess = last + this.stride - ID_MARK.length;
      let at = last >= 0 && this.stride > 0 && isIdMark(view, guess) ? guess : body.indexOf(ID_MARK, from);
      if (at < 0) break;
      at += ID_MARK.length;
      if (last >= 0) this.stride = at - last;
      last = at;
      from = at + 36;
      if (this.count === this.idAt.length) this.idAt = grown(this.idAt);
      this.idAt[this.count++] = at;
    }
    if (this.count > 0) this.#learn(body, list);
    return this.count;
  }

  /**
   * Finds the partition id of a message.
   *
   * @param body - The body that was read.
   * @param index - Message, 0 to {@link count} - 1.
   * @returns Offset of its 36 characters.
   */
  partitionAt(body: Buffer, index: number): number {
    const id = this.idAt[index]!;
    const at = id + this.partitionDelta;
    if (body[at - 1] === 34 && body[at + 36] === 34) return at;
    const mark = this.partitionDelta > 0 ? body.indexOf(PARTITION_MARK, id) : body.lastIndexOf(PARTITION_MARK, id);
    return mark + PARTITION_MARK.length;
  }

  #learn(body: Buffer, list: number): void {
    const lease = body.indexOf(LEASE_MARK);
    this.leaseAt = lease < 0 || body[lease + LEASE_MARK.length] === 34 ? -1 : lease + LEASE_MARK.length;
    const first = this.idAt[0]!;
    const known = first + this.partitionDelta - PARTITION_MARK.length;
    if (this.partitionDelta !== 0 && body.indexOf(PARTITION_MARK, Math.max(0, known)) === known) return;
    // The partition id of a message stands before or after its transaction id, as the server orders its keys.
    let at = body.indexOf(PARTITION_MARK, list);
    const second = this.count > 1 ? this.idAt[1]! : body.length;
    if (at < 0 || at > second) at = body.indexOf(PARTITION_MARK, first);
    this.partitionDelta = at + PARTITION_MARK.length - first;
  }
}

function isIdMark(view: DataView, at: number): boolean {
  if (at < 0 || at + 53 > view.byteLength) return false;
  return view.getUint32(at, true) === ID_MARK_FIRST && view.getUint32(at + 13, true) === ID_MARK_LAST;
}

function grown(offsets: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(offsets.length * 4);
  larger.set(offsets);
  return larger;
}

/**
 * Counts the messages of answers that are too long to keep, from their length alone. What surrounds the messages and
 * what one message takes is learned from answers that were read.
 */
export class AnswerLength {
  #stride = 0;
  #surround = 0;

  /**
   * Learns from an answer that was read.
   *
   * @param length - Length of its body in bytes.
   * @param count - Messages in it; two or more teach something.
   * @param stride - Distance between two of them in bytes.
   */
  learn(length: number, count: number, stride: number): void {
    if (count < 2) return;
    this.#stride = stride;
    this.#surround = length - count * stride;
  }

  /** Whether {@link count} can be asked. */
  get known(): boolean {
    return this.#stride > 0;
  }

  /**
   * Counts by length.
   *
   * @param length - Length of a body in bytes.
   * @returns Messages in it.
   * @throws {Error} when the length is not a whole number of messages: some differ in length, and counts would be wrong.
   */
  count(length: number): number {
    const count = Math.round((length - this.#surround) / this.#stride);
    if (Math.abs(length - this.#surround - count * this.#stride) > SURROUND_SLACK_BYTES)
      throw new Error(`an answer of ${length} bytes is not a whole number of messages of ${this.#stride} bytes`);
    return count;
  }
}
