/**
 * Ids: how the numbers and keys of the store look to clients, as UUIDs.
 *
 * - Partition id: version 8, `QQQQQQQQ-0000-8000-8000-PPPPPPPPPPPP`: queue id and partition number, so that an
 *   acknowledgement, which names no queue, still finds it.
 * - Lease id: version 8: queue id, group id, the worker that handed it out, and 48 random bits.
 * - Message id: version 7. A segment draws one; its messages count up from it in the last 20 bits, so ids cost nothing to
 *   store. Ids of one worker increase strictly.
 * - Transaction key: 16 bytes that stand for a transaction id. A UUID in canonical lower case stands for itself; any other
 *   text is hashed (SHA-256, first 16 bytes).
 *
 * @module
 */

import { createHash, getRandomValues } from "node:crypto";

const HEX: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

const NIBBLE: readonly string[] = Array.from({ length: 16 }, (_, value) => value.toString(16));

/** Value of a lower-case hex digit by its char code, -1 for anything else. */
const DIGIT = new Int8Array(128).fill(-1);
for (let value = 0; value < 16; value += 1) DIGIT[value.toString(16).charCodeAt(0)] = value;

/**
 * Writes the bytes of a UUID in canonical lower case.
 *
 * @returns False, with `target` partly overwritten, when the text is anything else.
 */
export function writeUuid(text: string, target: Uint8Array, at: number): boolean {
  if (text.length !== 36) return false;
  let byte = at;
  for (let index = 0; index < 36; ) {
    if (index === 8 || index === 13 || index === 18 || index === 23) {
      if (text.charCodeAt(index) !== 45) return false;
      index += 1;
      continue;
    }
    const high = DIGIT[text.charCodeAt(index)] ?? -1;
    const low = DIGIT[text.charCodeAt(index + 1)] ?? -1;
    if (high < 0 || low < 0) return false;
    target[byte] = (high << 4) | low;
    byte += 1;
    index += 2;
  }
  return true;
}

/** The canonical text of the 16 bytes at `at`. */
export function readUuid(bytes: Uint8Array, at: number): string {
  const h = HEX;
  const b = bytes;
  return (
    h[b[at]!]! +
    h[b[at + 1]!]! +
    h[b[at + 2]!]! +
    h[b[at + 3]!]! +
    "-" +
    h[b[at + 4]!]! +
    h[b[at + 5]!]! +
    "-" +
    h[b[at + 6]!]! +
    h[b[at + 7]!]! +
    "-" +
    h[b[at + 8]!]! +
    h[b[at + 9]!]! +
    "-" +
    h[b[at + 10]!]! +
    h[b[at + 11]!]! +
    h[b[at + 12]!]! +
    h[b[at + 13]!]! +
    h[b[at + 14]!]! +
    h[b[at + 15]!]!
  );
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, "0");
}

/** The id clients see for a partition. `partition` 0 stands for the queue itself. */
export function partitionUuid(queueId: number, partition: number): string {
  return `${hex(queueId, 8)}-0000-8000-8000-${hex(partition, 12)}`;
}

/** A partition as the store knows it. */
export interface PartitionRef {
  queueId: number;
  partitionId: number;
}

/**
 * Reads a partition id.
 *
 * @returns Null when the text is not the id of a partition of ours (in whichever case its letters are).
 */
export function parsePartitionUuid(text: string): PartitionRef | null {
  if (text.length !== 36) return null;
  const match = /^([0-9a-f]{8})-0000-8000-8000-([0-9a-f]{12})$/i.exec(text);
  if (!match) return null;
  const queueId = Number.parseInt(match[1]!, 16);
  const partitionId = Number.parseInt(match[2]!, 16);
  if (queueId === 0 || queueId > 0x7fffffff || partitionId === 0) return null;
  return { queueId, partitionId };
}

/**
 * Draws a lease id.
 *
 * @param workerIndex - Worker that remembers the lease; kept modulo 64.
 */
export function newLeaseId(queueId: number, groupId: number, workerIndex: number): string {
  const random = getRandomValues(new Uint8Array(6));
  const g = hex(groupId, 8);
  let tail = "";
  for (const byte of random) tail += HEX[byte];
  return `${hex(queueId, 8)}-${g.slice(0, 4)}-80${g.slice(4, 6)}-${hex(0x80 | (workerIndex & 0x3f), 2)}${g.slice(6)}-${tail}`;
}

/** Queue and group of a lease id, or null when it is none of ours. */
export function parseLeaseId(text: string): { queueId: number; groupId: number } | null {
  const match = /^([0-9a-f]{8})-([0-9a-f]{4})-80([0-9a-f]{2})-[89ab][0-9a-f]([0-9a-f]{2})-[0-9a-f]{12}$/i.exec(text);
  if (!match) return null;
  const queueId = Number.parseInt(match[1]!, 16);
  const groupId = Number.parseInt(match[2]! + match[3]! + match[4]!, 16);
  if (queueId > 0x7fffffff || groupId > 0x7fffffff) return null;
  return { queueId, groupId };
}

let lastMs = 0;
let lastSequence = 0;

/**
 * Draws the message id of a segment's first message: 48 bits of milliseconds, 12 bits of sequence within the
 * millisecond, 42 random bits, and 20 zero bits to count in.
 *
 * @param now - Milliseconds since 1970 of this process's clock.
 */
export function newIdBase(now: number): Uint8Array {
  if (now > lastMs) {
    lastMs = now;
    lastSequence = 0;
  } else if (lastSequence < 0xfff) {
    lastSequence += 1;
  } else {
    // The sequence is used up, or the clock stands behind: borrow from the next millisecond.
    lastMs += 1;
    lastSequence = 0;
  }
  const bytes = getRandomValues(new Uint8Array(16));
  bytes[0] = lastMs / 2 ** 40;
  bytes[1] = lastMs / 2 ** 32;
  bytes[2] = lastMs / 2 ** 24;
  bytes[3] = lastMs / 2 ** 16;
  bytes[4] = lastMs / 2 ** 8;
  bytes[5] = lastMs;
  bytes[6] = 0x70 | (lastSequence >> 8);
  bytes[7] = lastSequence;
  bytes[8] = 0x80 | (bytes[8]! & 0x3f);
  bytes[13] = bytes[13]! & 0xf0;
  bytes[14] = 0;
  bytes[15] = 0;
  return bytes;
}

/** The id of the `index`-th message of a segment; `idBase` as canonical text, `index` below 2^20. */
export function messageId(idBase: string, index: number): string {
  return idBase.slice(0, 31) + messageIdTail(index);
}

/** The last five digits of a message id: its place in its segment. */
export function messageIdTail(index: number): string {
  return NIBBLE[index >> 16]! + HEX[(index >> 8) & 0xff]! + HEX[index & 0xff]!;
}

/** What a transaction id is, for finding duplicates. */
export const KeyKind = { timeOrdered: 0, other: 1 } as const;
/** One of the values of {@link KeyKind}. */
export type KeyKind = (typeof KeyKind)[keyof typeof KeyKind];

/**
 * Writes the 16-byte key of a transaction id.
 *
 * @returns `timeOrdered` for a UUID of version 7 in canonical lower case, else `other`.
 */
export function writeTransactionKey(text: string, target: Uint8Array, at: number): KeyKind {
  if (writeUuid(text, target, at)) {
    return (target[at + 6]! & 0xf0) === 0x70 && (target[at + 8]! & 0xc0) === 0x80 ? KeyKind.timeOrdered : KeyKind.other;
  }
  target.set(createHash("sha256").update(text).digest().subarray(0, 16), at);
  return KeyKind.other;
}

/** Compares 16 bytes, as PostgreSQL compares uuids. Negative, 0 or positive. */
export function compareKeys(a: Uint8Array, aAt: number, b: Uint8Array, bAt: number): number {
  for (let index = 0; index < 16; index += 1) {
    const difference = a[aAt + index]! - b[bAt + index]!;
    if (difference !== 0) return difference;
  }
  return 0;
}

let idMs = 0;
let idSequence = 0;

/** Draws a time-ordered transaction id for a message that came without one. Strictly increasing within a worker. */
export function newTransactionId(now: number): string {
  if (now > idMs) {
    idMs = now;
    idSequence = 0;
  } else if (idSequence < 0xfff) {
    idSequence += 1;
  } else {
    idMs += 1;
    idSequence = 0;
  }
  const ms = hex(idMs, 12);
  const random = getRandomValues(new Uint8Array(8));
  let tail = "";
  for (let index = 2; index < 8; index += 1) tail += HEX[random[index]!];
  return `${ms.slice(0, 8)}-${ms.slice(8)}-7${hex(idSequence, 3)}-${hex(0x80 | (random[0]! & 0x3f), 2)}${HEX[random[1]!]}-${tail}`;
}
