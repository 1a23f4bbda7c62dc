/**
 * Rendering answers that carry payloads: JSON text that was stored comes back unchanged, without being parsed.
 *
 * @module
 */

import { cborValueToJson } from "./cbor.ts";

/** JSON text that stands for a value inside an answer. */
export class RawJson {
  readonly text: string;

  /** @param text - Valid JSON, without white space around it. */
  constructor(text: string) {
    this.text = text;
  }
}

/** Most ids and names need no escaping, and finding that out is cheaper than asking JSON.stringify. */
const PLAIN = /^[\w.:-]*$/;

/** The JSON text of a string. */
export function quoted(text: string): string {
  return PLAIN.test(text) ? `"${text}"` : JSON.stringify(text);
}

function isPlain(value: object): value is Record<string, unknown> {
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/**
 * The JSON text of an answer. {@link RawJson} is spliced in as it stands, values that came as CBOR become JSON as
 * {@link cborValueToJson} has it, and members that are `undefined` are left out.
 */
export function renderJson(value: unknown): string {
  if (value === null || typeof value !== "object") return cborValueToJson(value);
  if (value instanceof RawJson) return value.text;
  if (Array.isArray(value)) return `[${value.map(renderJson).join(",")}]`;
  if (!isPlain(value)) return cborValueToJson(value);
  const members: string[] = [];
  for (const [key, inner] of Object.entries(value)) {
    if (inner !== undefined) members.push(`${JSON.stringify(key)}:${renderJson(inner)}`);
  }
  return `{${members.join(",")}}`;
}

/** The same answer for an encoder that knows nothing of {@link RawJson}: each is parsed. Shares what holds none. */
export function withoutRawJson(value: unknown): unknown {
  if (value === null || typeof value !== "object") return value;
  if (value instanceof RawJson) return JSON.parse(value.text);
  if (Array.isArray(value)) return value.map(withoutRawJson);
  if (!isPlain(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withoutRawJson(inner)]));
}
