/**
 * A record of the spool: one push, framed so that a reader can tell whether it is whole.
 *
 * | bytes | |
 * |---|---|
 * | 0–3 | `QSP1`, to find records behind damage |
 * | 4–7 | CRC-32 of everything that follows |
 * | 8–11 | length of the content |
 * | 12–15 | messages in it |
 * | 16–23 | sequence number, growing from record to record |
 * | 24 | format of the content: the bits of a segment's body (CBOR messages, zstd, encrypted) |
 * | 25–27 | zero |
 * | 28–31 | length of the content before it was compressed |
 * | 32– | content: what {@link packPush} made |
 *
 * Numbers are little-endian.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { crc32 } from "node:zlib";
import { decodeCbor, encodeCbor } from "../../schema/wire/cbor.ts";
import type { PayloadText, PushItem } from "../../schema/wire/push-item.ts";
import { FORMAT_CBOR, FORMAT_ENCRYPTED, type KeyRing, packBody, unpackBody } from "../../schema/wire/segment.ts";

/** Bytes before the content. */
export const HEADER_BYTES = 32;
const MAGIC = Buffer.from("QSP1", "latin1");

/** Messages of one push for one partition, in order; the arrays are parallel. */
export interface SpooledUnit {
  queue: string;
  partition: string;
  transactionIds: readonly string[];
  traceIds: readonly (string | null)[];
  payloads: readonly PayloadText[];
}

/** A push on its way into the spool. */
export interface PackedPush {
  format: number;
  bytes: Buffer;
  messageCount: number;
  /** Before compression. */
  rawBytes: number;
}

/** A push as it comes out. Every item has its transaction id. */
export interface SpooledPush {
  cbor: boolean;
  producerSub: string | null;
  items: PushItem[];
}

/** A record found in a file. */
export interface FoundRecord {
  sequence: number;
  messageCount: number;
  format: number;
  rawBytes: number;
  /** Where it starts and ends in the file. */
  start: number;
  end: number;
}

/** What a file holds. */
export interface Scan {
  records: FoundRecord[];
  /** Stretches that are no records and have records behind them. */
  damaged: { start: number; end: number }[];
  /** Where the last record ends; what is behind it was never written as a whole. */
  end: number;
}

type Content = [producerSub: string | null, units: [string, string, string[], (string | null)[], PayloadText[]][]];

/**
 * Makes the content of a record: compressed where that pays, and encrypted when the ring has a key.
 *
 * @param units - At least one message in all.
 */
export function packPush(
  units: readonly SpooledUnit[],
  cbor: boolean,
  producerSub: string | null,
  ring: KeyRing,
): PackedPush {
  const content = [
    producerSub,
    units.map((unit) => [unit.queue, unit.partition, unit.transactionIds, unit.traceIds, unit.payloads]),
  ];
  let messageCount = 0;
  for (const unit of units) messageCount += unit.transactionIds.length;
  const raw = encodeCbor(content);
  const { format, bytes } = packBody(raw, cbor ? "cbor" : "json", ring.usable ? ring : null);
  return { format, bytes, messageCount, rawBytes: raw.length };
}

/**
 * Undoes {@link packPush}.
 *
 * @throws Error when it is encrypted with a key that is not in the ring, or damaged.
 */
export function unpackPush(bytes: Uint8Array, format: number, ring: KeyRing): SpooledPush {
  const [producerSub, units] = decodeCbor(unpackBody(bytes, format, ring)) as Content;
  const items: PushItem[] = [];
  for (const [queue, partition, transactionIds, traceIds, payloads] of units) {
    for (let at = 0; at < transactionIds.length; at += 1) {
      const payload = payloads[at]!;
      items.push({ queue, partition, transactionId: transactionIds[at]!, traceId: traceIds[at]!, payload });
    }
  }
  return { cbor: (format & FORMAT_CBOR) !== 0, producerSub, items };
}

/** Whether the content can be read with the keys of the ring. */
export function isReadable(content: Uint8Array, format: number, ring: KeyRing): boolean {
  return (format & FORMAT_ENCRYPTED) === 0 || ring.knows(content);
}

/** The content of a record of a file. */
export function contentOf(file: Buffer, record: FoundRecord): Buffer {
  return file.subarray(record.start + HEADER_BYTES, record.end);
}

/** The header of a record; the content follows it. */
export function recordHeader(push: PackedPush, sequence: number): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  MAGIC.copy(header, 0);
  header.writeUInt32LE(push.bytes.length, 8);
  header.writeUInt32LE(push.messageCount, 12);
  header.writeBigUInt64LE(BigInt(sequence), 16);
  header.writeUInt8(push.format, 24);
  header.writeUInt32LE(push.rawBytes, 28);
  header.writeUInt32LE(crc32(push.bytes, crc32(header.subarray(8))), 4);
  return header;
}

/** The whole record at `at`, or null when there is none. */
function recordAt(file: Buffer, at: number): FoundRecord | null {
  if (at + HEADER_BYTES > file.length || file.compare(MAGIC, 0, 4, at, at + 4) !== 0) return null;
  const end = at + HEADER_BYTES + file.readUInt32LE(at + 8);
  if (end > file.length || crc32(file.subarray(at + 8, end)) !== file.readUInt32LE(at + 4)) return null;
  return {
    sequence: Number(file.readBigUInt64LE(at + 16)),
    messageCount: file.readUInt32LE(at + 12),
    format: file.readUInt8(at + 24),
    rawBytes: file.readUInt32LE(at + 28),
    start: at,
    end,
  };
}

/** Finds the records of a file, those behind damage included. */
export function scanRecords(file: Buffer): Scan {
  const scan: Scan = { records: [], damaged: [], end: 0 };
  for (let at = 0; at < file.length; ) {
    const record = recordAt(file, at);
    if (record !== null) {
      if (record.start > scan.end) scan.damaged.push({ start: scan.end, end: record.start });
      scan.records.push(record);
      scan.end = record.end;
      at = record.end;
      continue;
    }
    const next = file.indexOf(MAGIC, at + 1);
    if (next < 0) break;
    at = next;
  }
  return scan;
}
