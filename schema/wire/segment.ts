/**
 * The body of a segment: its messages, one after another, in the format they arrived in, ready to be handed out.
 *
 * A message lacks the fields that are only known when it is popped; those are the same for all messages of a segment in
 * one answer and are spliced in behind each one.
 *
 * - JSON: the text of an object that is not closed yet, `{"id":…,"transactionId":…,"traceId":…,"data":…,"producerSub":…`,
 *   then the byte 0x01, which stands nowhere in valid JSON. The splice replaces that byte.
 * - CBOR: a table of lengths (4 bytes each, little-endian), then for each message the keys and values of a map without
 *   its head. The splice follows each.
 *
 * `format` bits: 0 CBOR, 1 zstd, 2 encrypted (AES-256-GCM over what bits 0 and 1 say: 4 bytes key name, 16 bytes
 * initialisation vector, 16 bytes tag, then the text).
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { createCipheriv, createDecipheriv, createHash, randomBytes } from "node:crypto";
import type { BodyFormat } from "./format.ts";
import { COMPRESS_BYTES_MIN } from "./limits.ts";
import { compress, decompress } from "./zstd.ts";

/** Bits of a segment's `format`. */
export const FORMAT_CBOR = 1;
/** See {@link FORMAT_CBOR}. */
export const FORMAT_ZSTD = 2;
/** See {@link FORMAT_CBOR}. */
export const FORMAT_ENCRYPTED = 4;

/** The byte that ends a JSON message. */
export const MESSAGE_END = "\u0001";
const MESSAGE_END_BYTE = 1;

/** Keys that bodies are encrypted with, by their names. The first one given encrypts. */
export class KeyRing {
  readonly #current: { name: Buffer; key: Buffer } | null;
  readonly #byName = new Map<string, Buffer>();

  /** @param keys - 64 hex digits each; may be empty. */
  constructor(keys: readonly string[]) {
    const entries = keys.map((text) => {
      const key = Buffer.from(text, "hex");
      return { name: createHash("sha256").update("queen key name").update(key).digest().subarray(0, 4), key };
    });
    this.#current = entries[0] ?? null;
    for (const { name, key } of entries) this.#byName.set(name.toString("hex"), key);
  }

  /** Whether anything can be encrypted. */
  get usable(): boolean {
    return this.#current !== null;
  }

  /** Whether {@link KeyRing.decrypt} has the key for what {@link KeyRing.encrypt} made, at any time. */
  knows(stored: Uint8Array): boolean {
    return this.#byName.has(Buffer.from(stored.subarray(0, 4)).toString("hex"));
  }

  /** @throws Error when there is no key. */
  encrypt(plain: Uint8Array): Buffer {
    if (!this.#current) throw new Error("No encryption key");
    const iv = randomBytes(16);
    const cipher = createCipheriv("aes-256-gcm", this.#current.key, iv);
    const text = Buffer.concat([cipher.update(plain), cipher.final()]);
    return Buffer.concat([this.#current.name, iv, cipher.getAuthTag(), text]);
  }

  /** @throws Error when the key is not in the ring or the text was tampered with. */
  decrypt(stored: Uint8Array): Buffer {
    const bytes = Buffer.from(stored.buffer, stored.byteOffset, stored.byteLength);
    const key = this.#byName.get(bytes.subarray(0, 4).toString("hex"));
    if (!key) throw new Error("The key that encrypted this segment is not configured");
    const decipher = createDecipheriv("aes-256-gcm", key, bytes.subarray(4, 20));
    decipher.setAuthTag(bytes.subarray(20, 36));
    return Buffer.concat([decipher.update(bytes.subarray(36)), decipher.final()]);
  }
}

/** A body as it is stored. */
export interface PackedBody {
  format: number;
  bytes: Buffer;
}

/** Compresses a body where that pays, and encrypts it with `ring` when given. */
export function packBody(body: Uint8Array, format: BodyFormat, ring: KeyRing | null): PackedBody {
  let bits = format === "cbor" ? FORMAT_CBOR : 0;
  let bytes: Buffer = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  if (bytes.length >= COMPRESS_BYTES_MIN) {
    const compressed = compress(bytes);
    if (compressed.length < bytes.length) {
      bytes = compressed;
      bits |= FORMAT_ZSTD;
    }
  }
  if (ring) {
    bytes = ring.encrypt(bytes);
    bits |= FORMAT_ENCRYPTED;
  }
  return { format: bits, bytes };
}

/**
 * Undoes {@link packBody}.
 *
 * @throws Error when the body is encrypted with a key that is not in the ring, or damaged.
 */
export function unpackBody(stored: Uint8Array, format: number, ring: KeyRing): Buffer {
  let bytes: Uint8Array = stored;
  if (format & FORMAT_ENCRYPTED) bytes = ring.decrypt(bytes);
  if (format & FORMAT_ZSTD) bytes = decompress(bytes);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** The format of the messages inside. */
export function bodyFormatOf(format: number): BodyFormat {
  return format & FORMAT_CBOR ? "cbor" : "json";
}

/** The fields of one message of a JSON body, as JSON text; but for `id`, which stands between quotes of its own. */
export interface JsonMessage {
  id: string;
  transactionId: string;
  traceId: string;
  payload: string;
  producerSub: string;
}

/** Adds the parts of one message of a JSON body, to be joined. */
export function pushJsonMessage(parts: string[], message: JsonMessage): void {
  parts.push(
    '{"id":"',
    message.id,
    '","transactionId":',
    message.transactionId,
    ',"traceId":',
    message.traceId,
    ',"data":',
    message.payload,
    ',"producerSub":',
    message.producerSub,
    MESSAGE_END,
  );
}

/** Where each message of an unpacked JSON body of `count` messages ends, in order: positions in the body. */
export function jsonMessageEnds(body: Buffer, count: number): Uint32Array {
  const ends = new Uint32Array(count);
  let end = 0;
  for (let index = 0; index < count; index += 1) {
    end = body.indexOf(MESSAGE_END_BYTE, end) + 1;
    ends[index] = end;
  }
  return ends;
}

/**
 * The bytes of messages `[from, to)` of an unpacked JSON body, each still followed by {@link MESSAGE_END}. `from` and
 * `to` count within the segment; the body holds at least `to` messages.
 *
 * @param ends - What {@link jsonMessageEnds} says of the body, when it is at hand; looked for otherwise.
 */
export function sliceJsonBody(
  body: Buffer,
  count: number,
  from: number,
  to: number,
  ends: Uint32Array | null = null,
): Buffer {
  if (from === 0 && to === count) return body;
  if (ends) return body.subarray(from === 0 ? 0 : ends[from - 1], to === 0 ? 0 : ends[to - 1]);
  let start = 0;
  for (let index = 0; index < from; index += 1) start = body.indexOf(MESSAGE_END_BYTE, start) + 1;
  if (to === count) return body.subarray(start);
  let end = start;
  for (let index = from; index < to; index += 1) end = body.indexOf(MESSAGE_END_BYTE, end) + 1;
  return body.subarray(start, end);
}

/** Joins the parts of CBOR messages into a body. */
export function cborBody(messages: readonly Uint8Array[]): Buffer {
  const table = Buffer.allocUnsafe(messages.length * 4);
  for (let index = 0; index < messages.length; index += 1) table.writeUInt32LE(messages[index]!.length, index * 4);
  return Buffer.concat([table, ...messages]);
}

/** The parts of messages `[from, to)` of an unpacked CBOR body of `count` messages, in order. */
export function sliceCborBody(body: Buffer, count: number, from: number, to: number): Buffer[] {
  let at = count * 4;
  const parts: Buffer[] = [];
  for (let index = 0; index < to; index += 1) {
    const length = body.readUInt32LE(index * 4);
    if (index >= from) parts.push(body.subarray(at, at + length));
    at += length;
  }
  return parts;
}
