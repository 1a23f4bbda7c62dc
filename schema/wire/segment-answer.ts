/**
 * The answer of a pop as stored segments, unchanged: for clients that want the log itself. The framing is described in
 * `docs/protocol.md`; this module is both its encoder and the decoder that clients may use.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { zstdDecompressSync } from "node:zlib";
import { cborValueToJson, decodeCbor } from "./cbor.ts";

export { SEGMENTS_TYPE } from "./format.ts";

import { readUuid, writeUuid } from "./ids.ts";
import { FORMAT_CBOR, FORMAT_ZSTD, MESSAGE_END, sliceCborBody, sliceJsonBody } from "./segment.ts";

/** A segment as it is stored, never encrypted. */
export interface PackedSegment {
  /** Offset of its first message in its partition. */
  firstOffset: number;
  messageCount: number;
  /** ISO 8601 with microseconds; of all its messages. */
  createdAt: string;
  /** Id of the first message; the others count up from it. */
  idBase: string;
  /** Bit 0: CBOR, else JSON; bit 1: zstd. */
  format: number;
  body: Uint8Array;
}

/** What was claimed of one partition: the offsets `[firstOffset, endOffset)` less `skip`. */
export interface PackedPartition {
  partitionId: string;
  partition: string;
  firstOffset: number;
  endOffset: number;
  /** Offsets that are not delivered, as pairs `[from, to)`, flat and ascending. */
  skip: readonly number[];
  /** Ascending. The first and the last may reach beyond what was claimed. */
  segments: readonly PackedSegment[];
}

/** A whole answer. */
export interface SegmentAnswer {
  queue: string;
  group: string;
  /** Empty with automatic acknowledgement. */
  leaseId: string;
  partitions: readonly PackedPartition[];
}

const MAGIC = Buffer.from("QSEG", "latin1");
const VERSION = 1;
const HEAD_BYTES = 8;
const PARTITION_BYTES = 8 + 8 + 4 + 4;
const SEGMENT_BYTES = 8 + 4 + 8 + 16 + 1 + 4;
const KNOWN_FORMATS = FORMAT_CBOR | FORMAT_ZSTD;

/** Writes one answer into memory of the right size. */
class Writer {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: ArrayBuffer) {
    this.#bytes = Buffer.from(bytes);
  }

  raw(bytes: Uint8Array): void {
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  u8(value: number): void {
    this.#bytes[this.#at] = value;
    this.#at += 1;
  }

  u32(value: number): void {
    this.#at = this.#bytes.writeUInt32LE(value, this.#at);
  }

  /** A whole number below 2^53. */
  u64(value: number): void {
    this.u32(value % 0x1_0000_0000);
    this.u32(Math.floor(value / 0x1_0000_0000));
  }

  uuid(text: string): void {
    writeUuid(text, this.#bytes, this.#at);
    this.#at += 16;
  }

  text(bytes: Buffer): void {
    this.#at = this.#bytes.writeUInt16LE(bytes.length, this.#at);
    this.raw(bytes);
  }
}

function microsOf(iso: string): number {
  return Date.parse(`${iso.slice(0, 23)}Z`) * 1000 + Number(iso.slice(23, 26));
}

function isoOf(micros: number): string {
  const ms = Math.floor(micros / 1000);
  return `${new Date(ms).toISOString().slice(0, 23)}${String(micros - ms * 1000).padStart(3, "0")}Z`;
}

/** Encodes an answer, in a buffer of its own. */
export function encodeSegmentAnswer(answer: SegmentAnswer): ArrayBuffer {
  const head = [answer.leaseId, answer.group, answer.queue].map((text) => Buffer.from(text, "utf8"));
  const names = answer.partitions.map(({ partitionId, partition }) =>
    [partitionId, partition].map((text) => Buffer.from(text, "utf8")),
  );
  let size = HEAD_BYTES + 4;
  for (const text of [head, ...names].flat()) size += 2 + text.length;
  for (const { skip, segments } of answer.partitions) {
    size += PARTITION_BYTES + skip.length * 8;
    for (const { body } of segments) size += SEGMENT_BYTES + body.length;
  }
  const bytes = new ArrayBuffer(size);
  const writer = new Writer(bytes);
  writer.raw(MAGIC);
  writer.u32(VERSION);
  for (const text of head) writer.text(text);
  writer.u32(answer.partitions.length);
  for (const [at, partition] of answer.partitions.entries()) {
    for (const text of names[at]!) writer.text(text);
    writer.u64(partition.firstOffset);
    writer.u64(partition.endOffset);
    writer.u32(partition.skip.length / 2);
    for (const offset of partition.skip) writer.u64(offset);
    writer.u32(partition.segments.length);
    for (const segment of partition.segments) {
      writer.u64(segment.firstOffset);
      writer.u32(segment.messageCount);
      writer.u64(microsOf(segment.createdAt));
      writer.uuid(segment.idBase);
      writer.u8(segment.format);
      writer.u32(segment.body.length);
      writer.raw(segment.body);
    }
  }
  return bytes;
}

/** Reads one answer. Reading beyond its end throws. */
class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get atEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  raw(length: number): Buffer {
    if (this.#at + length > this.#bytes.length) throw new Error("The answer is cut short");
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  u8(): number {
    return this.raw(1)[0]!;
  }

  u32(): number {
    return this.raw(4).readUInt32LE(0);
  }

  u64(): number {
    const bytes = this.raw(8);
    return bytes.readUInt32LE(0) + bytes.readUInt32LE(4) * 0x1_0000_0000;
  }

  text(): string {
    return this.raw(this.raw(2).readUInt16LE(0)).toString("utf8");
  }

  list<Item>(item: () => Item): Item[] {
    const items: Item[] = [];
    for (let left = this.u32(); left > 0; left -= 1) items.push(item());
    return items;
  }
}

/**
 * Decodes an answer. Bodies are not unpacked yet: they are views of `bytes`, which must stay untouched.
 *
 * @throws Error when it is cut short, has something behind it, or is of a version or format this decoder does not know.
 */
export function decodeSegmentAnswer(bytes: Uint8Array): SegmentAnswer {
  const reader = new Reader(bytes);
  if (!reader.raw(MAGIC.length).equals(MAGIC)) throw new Error("This is no answer of segments");
  const version = reader.u32();
  if (version !== VERSION) throw new Error(`Version ${version} is not known`);
  const [leaseId, group, queue] = [reader.text(), reader.text(), reader.text()];
  const partitions = reader.list(() => ({
    partitionId: reader.text(),
    partition: reader.text(),
    firstOffset: reader.u64(),
    endOffset: reader.u64(),
    skip: reader.list(() => [reader.u64(), reader.u64()]).flat(),
    segments: reader.list(() => readSegment(reader)),
  }));
  if (!reader.atEnd) throw new Error("Something follows the answer");
  return { queue, group, leaseId, partitions };
}

function readSegment(reader: Reader): PackedSegment {
  const [firstOffset, messageCount, micros] = [reader.u64(), reader.u32(), reader.u64()];
  const idBase = readUuid(reader.raw(16), 0);
  const format = reader.u8();
  if ((format & ~KNOWN_FORMATS) !== 0) throw new Error(`Format ${format} is not known`);
  const body = reader.raw(reader.u32());
  return { firstOffset, messageCount, createdAt: isoOf(micros), idBase, format, body };
}

/** The runs `[from, to)` of a segment that are delivered, counted within the segment. */
export function* deliveredRuns(partition: PackedPartition, segment: PackedSegment): Generator<[number, number]> {
  const { firstOffset, messageCount } = segment;
  let from = Math.max(partition.firstOffset, firstOffset);
  const end = Math.min(partition.endOffset, firstOffset + messageCount);
  for (let at = 0; at < partition.skip.length && partition.skip[at]! < end; at += 2) {
    const [skipFrom, skipTo] = [partition.skip[at]!, partition.skip[at + 1]!];
    if (skipTo <= from) continue;
    if (skipFrom > from) yield [from - firstOffset, skipFrom - firstOffset];
    from = skipTo;
  }
  if (end > from) yield [from - firstOffset, end - firstOffset];
}

/** How many messages an answer delivers; nothing is unpacked. */
export function countMessages(answer: SegmentAnswer): number {
  let count = 0;
  for (const partition of answer.partitions) {
    for (const segment of partition.segments) {
      for (const [from, to] of deliveredRuns(partition, segment)) count += to - from;
    }
  }
  return count;
}

/**
 * The body of a segment, decompressed: its messages as `segment.ts` describes them.
 *
 * @throws Error when it is damaged.
 */
export function unpackedBody(segment: PackedSegment): Buffer {
  const { body, format } = segment;
  const bytes = format & FORMAT_ZSTD ? zstdDecompressSync(body) : body;
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** A message as the JSON and CBOR answers of a pop show it. */
export interface SegmentMessage {
  id: string;
  transactionId: string;
  traceId: string | null;
  data: unknown;
  producerSub: string | null;
  createdAt: string;
  partitionId: string;
  partition: string;
  leaseId: string;
  consumerGroup: string;
}

/** What all messages of a segment share. */
function sharedFields(answer: SegmentAnswer, partition: PackedPartition, segment: PackedSegment) {
  return {
    createdAt: segment.createdAt,
    partitionId: partition.partitionId,
    partition: partition.partition,
    leaseId: answer.leaseId,
    consumerGroup: answer.group,
  };
}

/** The fields of each message of a run, as the text of a JSON object that is not closed. */
function* jsonHeads(body: Buffer, count: number, from: number, to: number): Generator<string> {
  const text = sliceJsonBody(body, count, from, to).toString("utf8");
  for (let start = 0; start < text.length; ) {
    const end = text.indexOf(MESSAGE_END, start);
    yield text.slice(start, end);
    start = end + 1;
  }
}

// A map of unknown length: messages are stored without the head of their map.
const CBOR_MAP_OPEN = Buffer.from([0xbf]);
const CBOR_MAP_CLOSE = Buffer.from([0xff]);

function* cborFields(body: Buffer, count: number, from: number, to: number): Generator<Record<string, unknown>> {
  for (const part of sliceCborBody(body, count, from, to)) {
    yield decodeCbor(Buffer.concat([CBOR_MAP_OPEN, part, CBOR_MAP_CLOSE])) as Record<string, unknown>;
  }
}

/**
 * The messages of one segment as JSON texts, payloads byte for byte as they were pushed. The segment is unpacked when the
 * first one is asked for.
 */
export function* segmentTexts(
  answer: SegmentAnswer,
  partition: PackedPartition,
  segment: PackedSegment,
): Generator<string> {
  const tail = `,${JSON.stringify(sharedFields(answer, partition, segment)).slice(1)}`;
  let body: Buffer | null = null;
  for (const [from, to] of deliveredRuns(partition, segment)) {
    body ??= unpackedBody(segment);
    if (segment.format & FORMAT_CBOR) {
      for (const fields of cborFields(body, segment.messageCount, from, to)) {
        yield `${cborValueToJson(fields).slice(0, -1)}${tail}`;
      }
    } else {
      for (const head of jsonHeads(body, segment.messageCount, from, to)) yield head + tail;
    }
  }
}

/**
 * The messages of one segment as values; byte strings of CBOR payloads survive. The segment is unpacked when the first one
 * is asked for.
 */
export function* segmentMessages(
  answer: SegmentAnswer,
  partition: PackedPartition,
  segment: PackedSegment,
): Generator<SegmentMessage> {
  const shared = sharedFields(answer, partition, segment);
  const sharedText = `,${JSON.stringify(shared).slice(1)},`;
  // A function, so that a `$` in a name means nothing.
  const tail = () => sharedText;
  let body: Buffer | null = null;
  for (const [from, to] of deliveredRuns(partition, segment)) {
    body ??= unpackedBody(segment);
    if (segment.format & FORMAT_CBOR) {
      for (const fields of cborFields(body, segment.messageCount, from, to)) {
        yield { ...(fields as unknown as SegmentMessage), ...shared };
      }
    } else {
      // One text for all of a run: parsing message by message costs half as much again.
      const text = sliceJsonBody(body, segment.messageCount, from, to).toString("utf8");
      const list = `[${text.replaceAll(MESSAGE_END, tail).slice(0, -1)}]`;
      yield* JSON.parse(list) as SegmentMessage[];
    }
  }
}

/** All messages of an answer, in the order a consumer handles them. Segments are unpacked one at a time. */
export function* answerMessages(answer: SegmentAnswer): Generator<SegmentMessage> {
  for (const partition of answer.partitions) {
    for (const segment of partition.segments) yield* segmentMessages(answer, partition, segment);
  }
}
