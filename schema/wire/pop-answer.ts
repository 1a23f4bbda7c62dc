/**
 * The answer of a pop (wire contract, section 7.2), put together from stored bodies without an object per message.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { cborValueToJson, decodeCbor, encodeCbor } from "./cbor.ts";
import type { BodyFormat } from "./format.ts";
import { MESSAGE_END, sliceCborBody, sliceJsonBody } from "./segment.ts";

/** Messages `[from, to)` of one segment, counted within the segment. */
export interface PopPiece {
  body: Buffer;
  cbor: boolean;
  messageCount: number;
  from: number;
  to: number;
  /** Where the messages of a JSON body end, when that is at hand. */
  ends?: Uint32Array | null;
  createdAt: string;
  /** Partition the messages are of. */
  partition: string;
  partitionId: string;
}

/** Everything an answer says. `pieces` are in order and not empty. */
export interface PopAnswer {
  queue: string;
  group: string;
  /** Empty with automatic acknowledgement. */
  leaseId: string;
  partitionsClaimed: number;
  pieces: readonly PopPiece[];
}

/** Size in characters up to which an answer is sent as text. */
const TEXT_ANSWER_LENGTH_MAX = 16 * 1024;

/** UTF-8 text as the latin1 string of its bytes, so that it can be joined with bodies read as latin1. */
function asBytes(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}

/** What follows each message of a piece, as a replacement: `$` has a meaning there. */
function jsonSplice(answer: PopAnswer, piece: PopPiece): string {
  const splice = asBytes(
    `,"createdAt":"${piece.createdAt}","partitionId":"${piece.partitionId}","partition":${JSON.stringify(piece.partition)},"leaseId":"${
      answer.leaseId
    }","consumerGroup":${JSON.stringify(answer.group)}},`,
  );
  return splice.includes("$") ? splice.replaceAll("$", "$$$$") : splice;
}

/** The messages of a CBOR piece as a JSON body. */
function cborPieceAsJson(piece: PopPiece): string {
  let text = "";
  for (const part of sliceCborBody(piece.body, piece.messageCount, piece.from, piece.to)) {
    const message = decodeCbor(Buffer.concat([CBOR_MAP_5, part])) as Record<string, unknown>;
    const members = Object.entries(message).map(([key, value]) => `${JSON.stringify(key)}:${cborValueToJson(value)}`);
    text += `{${members.join(",")}${MESSAGE_END}`;
  }
  return asBytes(text);
}

/**
 * Renders an answer as JSON.
 *
 * @returns Text when it is short, else the bytes in a buffer of its own, ready to be transferred.
 */
export function renderPopJson(answer: PopAnswer): string | ArrayBuffer {
  const first = answer.pieces[0]!;
  let text = asBytes(
    `{"success":true,"queue":${JSON.stringify(answer.queue)},"partition":${JSON.stringify(first.partition)},"partitionId":"${
      first.partitionId
    }","leaseId":"${answer.leaseId}","consumerGroup":${JSON.stringify(answer.group)},"partitionsClaimed":${
      answer.partitionsClaimed
    },"messages":[`,
  );
  const parts: string[] = [text];
  for (const piece of answer.pieces) {
    const body = piece.cbor
      ? cborPieceAsJson(piece)
      : sliceJsonBody(piece.body, piece.messageCount, piece.from, piece.to, piece.ends).toString("latin1");
    parts.push(body.replaceAll(MESSAGE_END, jsonSplice(answer, piece)));
  }
  text = parts.join("");
  // The last splice ends with a comma too many.
  const bytes = Buffer.from(`${text.slice(0, -1)}]}`, "latin1");
  return bytes.length <= TEXT_ANSWER_LENGTH_MAX ? bytes.toString("utf8") : ownBuffer(bytes);
}

function ownBuffer(bytes: Buffer): ArrayBuffer {
  if (bytes.byteOffset === 0 && bytes.byteLength === bytes.buffer.byteLength) return bytes.buffer as ArrayBuffer;
  return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
}

const CBOR_MAP_5 = Buffer.from([0xa5]);
const CBOR_MAP_10 = Buffer.from([0xaa]);

/** Head of a CBOR array or map: RFC 8949, section 3.1. */
function cborHead(major: number, count: number): Buffer {
  if (count < 24) return Buffer.from([(major << 5) | count]);
  if (count < 0x100) return Buffer.from([(major << 5) | 24, count]);
  if (count < 0x10000) return Buffer.from([(major << 5) | 25, count >> 8, count & 0xff]);
  const head = Buffer.alloc(5);
  head[0] = (major << 5) | 26;
  head.writeUInt32BE(count, 1);
  return head;
}

/** Sixteen digits in a row: perhaps an integer beyond 2^53. */
const LONG_NUMBER = /\d{16}/;

/** Parses JSON, keeping integers beyond 2^53 that fit 64 bits, which CBOR can carry, as bigints. */
function parseExactly(text: string): unknown {
  if (!LONG_NUMBER.test(text)) return JSON.parse(text);
  return JSON.parse(text, (_key, value: unknown, context?: { source?: string }) => {
    const source = context?.source;
    if (typeof value !== "number" || Number.isSafeInteger(value) || source === undefined || !/^-?\d+$/.test(source)) {
      return value;
    }
    const exact = BigInt(source);
    return exact >= -(2n ** 63n) && exact < 2n ** 64n ? exact : value;
  });
}

/** The messages of a JSON piece as CBOR parts. */
function jsonPieceAsCbor(piece: PopPiece): Buffer[] {
  const text = sliceJsonBody(piece.body, piece.messageCount, piece.from, piece.to, piece.ends).toString("utf8");
  return text
    .split(MESSAGE_END)
    .slice(0, -1)
    .map((message) => {
      const entries = Object.entries(parseExactly(`${message}}`) as Record<string, unknown>);
      return Buffer.concat(entries.flatMap(([key, value]) => [encodeCbor(key), encodeCbor(value)]));
    });
}

/** Renders an answer as CBOR, in a buffer of its own. */
export function renderPopCbor(answer: PopAnswer): ArrayBuffer {
  const first = answer.pieces[0]!;
  const messages: Buffer[] = [];
  let count = 0;
  for (const piece of answer.pieces) {
    const tail = Buffer.concat(
      Object.entries({
        createdAt: piece.createdAt,
        partitionId: piece.partitionId,
        partition: piece.partition,
        leaseId: answer.leaseId,
        consumerGroup: answer.group,
      }).flatMap(([key, value]) => [encodeCbor(key), encodeCbor(value)]),
    );
    const parts = piece.cbor
      ? sliceCborBody(piece.body, piece.messageCount, piece.from, piece.to)
      : jsonPieceAsCbor(piece);
    for (const part of parts) messages.push(CBOR_MAP_10, part, tail);
    count += parts.length;
  }
  const fields: Record<string, unknown> = {
    success: true,
    queue: answer.queue,
    partition: first.partition,
    partitionId: first.partitionId,
    leaseId: answer.leaseId,
    consumerGroup: answer.group,
    partitionsClaimed: answer.partitionsClaimed,
  };
  const head = Object.entries(fields).flatMap(([key, value]) => [encodeCbor(key), encodeCbor(value)]);
  return ownBuffer(
    Buffer.concat([
      cborHead(5, Object.keys(fields).length + 1),
      ...head,
      encodeCbor("messages"),
      cborHead(4, count),
      ...messages,
    ]),
  );
}

/** Renders an answer in a format. */
export function renderPop(answer: PopAnswer, format: BodyFormat): string | ArrayBuffer {
  return format === "json" ? renderPopJson(answer) : renderPopCbor(answer);
}
