/**
 * CBOR bodies: the only importer of the CBOR library.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { Decoder, Encoder } from "cbor-x";
import { QueenError } from "./errors.ts";
import { DEPTH_MAX } from "./limits.ts";

const options = {
  useRecords: false,
  mapsAsObjects: true,
  variableMapSize: true,
  tagUint8Array: false,
  largeBigIntToFloat: false,
} as const;
const encoder = new Encoder(options);
const decoder = new Decoder(options);

/**
 * Reads a CBOR body.
 *
 * @throws {@link QueenError} `BODY_INVALID_CBOR` when it is cut short, has something behind it, or is no CBOR;
 * `BODY_TOO_DEEP`.
 */
export function parseCborBody(body: ArrayBuffer): unknown {
  const bytes = new Uint8Array(body);
  let value: unknown;
  try {
    value = decoder.decode(bytes as Buffer);
  } catch (error) {
    const text = error instanceof Error ? error.message : "not CBOR";
    throw new QueenError("BODY_INVALID_CBOR", { detail: text.slice(0, 120) });
  }
  if (nestsDeeper(value, DEPTH_MAX)) throw new QueenError("BODY_TOO_DEEP", { max: DEPTH_MAX });
  return value;
}

function nestsDeeper(value: unknown, left: number): boolean {
  if (value === null || typeof value !== "object" || value instanceof Uint8Array) return false;
  if (left === 0) return true;
  for (const inner of value instanceof Map ? value.values() : Object.values(value)) {
    if (nestsDeeper(inner, left - 1)) return true;
  }
  return false;
}

/** Encodes any value; the result is a copy the caller owns. */
export function encodeCbor(value: unknown): Buffer {
  return Buffer.from(encoder.encode(value));
}

/** Decodes one value that we encoded ourselves. */
export function decodeCbor(bytes: Uint8Array): unknown {
  return decoder.decode(bytes as Buffer);
}

/**
 * The JSON text of a value that came as CBOR: byte strings become base64 text, `undefined` null, dates ISO text, integers
 * beyond 2^53 their digits.
 */
export function cborValueToJson(value: unknown): string {
  if (typeof value === "bigint") return value.toString();
  if (value === null || value === undefined || typeof value === "function" || typeof value === "symbol") return "null";
  if (typeof value !== "object") return JSON.stringify(value) ?? "null";
  if (value instanceof Uint8Array) return JSON.stringify(Buffer.from(value).toString("base64"));
  if (value instanceof Date) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(cborValueToJson).join(",")}]`;
  const members = value instanceof Map ? [...value] : Object.entries(value);
  return `{${members.map(([key, inner]) => `${JSON.stringify(String(key))}:${cborValueToJson(inner)}`).join(",")}}`;
}
