/**
 * JSON bodies. `JSON.parse` validates a body and gives its small fields; payloads are cut out of the text as they stand,
 * so that large integers, key order and escapes come back as they were sent, and nothing is serialised again.
 *
 * The cutting functions below walk text that `JSON.parse` has accepted: they do not validate.
 *
 * @module
 */

import { QueenError } from "./errors.ts";
import { DEPTH_MAX } from "./limits.ts";

const QUOTE = 34;
const COMMA = 44;
const COLON = 58;
const OPEN_BRACKET = 91;
const BACKSLASH = 92;
const CLOSE_BRACKET = 93;
const OPEN_BRACE = 123;
const CLOSE_BRACE = 125;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A parsed body and the text it came from. */
export interface JsonBody {
  value: unknown;
  text: string;
}

/**
 * Reads a JSON body.
 *
 * @param body - UTF-8 bytes, or text already decoded.
 * @param walked - Whether the caller walks the whole text with {@link skipValue}, which looks at the depth itself.
 * @throws {@link QueenError} `BODY_NOT_UTF8`, `BODY_INVALID_JSON` or `BODY_TOO_DEEP`.
 */
export function parseJsonBody(body: string | ArrayBuffer, walked = false): JsonBody {
  const text = decodeText(body);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new QueenError("BODY_INVALID_JSON", { detail: describe(error) });
  }
  if (!walked) skipValue(text, skipSpace(text, 0));
  return { value, text };
}

/**
 * The text of a body.
 *
 * @throws {@link QueenError} `BODY_NOT_UTF8`.
 */
export function decodeText(body: string | ArrayBuffer): string {
  if (typeof body === "string") return body;
  try {
    return utf8.decode(body);
  } catch {
    throw new QueenError("BODY_NOT_UTF8");
  }
}

function describe(error: unknown): string {
  const text = error instanceof Error ? error.message : "not JSON";
  return text.replace(/^JSON Parse error: /, "").slice(0, 120);
}

/** Position after the string that opens at `at`; 0 when it never closes. */
function skipString(text: string, at: number): number {
  let end = text.indexOf('"', at + 1);
  while (end > 0) {
    let before = end - 1;
    while (text.charCodeAt(before) === BACKSLASH) before -= 1;
    if ((end - before) % 2 === 1) return end + 1;
    end = text.indexOf('"', end + 1);
  }
  return 0;
}

/** Position of the next character that is not white space, at or after `at`. */
export function skipSpace(text: string, at: number): number {
  let position = at;
  for (;;) {
    const code = text.charCodeAt(position);
    if (code !== 32 && code !== 10 && code !== 13 && code !== 9) return position;
    position += 1;
  }
}

/**
 * Position after the value that starts at `at`.
 *
 * @throws {@link QueenError} `BODY_TOO_DEEP` when it nests deeper than a body may.
 */
export function skipValue(text: string, at: number): number {
  const first = text.charCodeAt(at);
  if (first === QUOTE) return skipString(text, at);
  let position = at;
  if (first !== OPEN_BRACE && first !== OPEN_BRACKET) {
    for (;;) {
      const code = text.charCodeAt(position);
      // NaN at the end of the text compares false with everything.
      if (!(code > 32) || code === COMMA || code === CLOSE_BRACE || code === CLOSE_BRACKET) return position;
      position += 1;
    }
  }
  let depth = 0;
  for (;;) {
    const code = text.charCodeAt(position);
    if (code === QUOTE) {
      position = skipString(text, position);
      continue;
    }
    position += 1;
    if (code === OPEN_BRACE || code === OPEN_BRACKET) {
      depth += 1;
      if (depth > DEPTH_MAX) throw new QueenError("BODY_TOO_DEEP", { max: DEPTH_MAX });
    } else if (code === CLOSE_BRACE || code === CLOSE_BRACKET) {
      depth -= 1;
      if (depth === 0) return position;
    }
  }
}

/**
 * Walks the members of the object that starts at `at`.
 *
 * @param visit - Gets each key and where its value starts; returns where the value ends.
 * @returns Position after the object.
 */
export function eachMember(text: string, at: number, visit: (key: string, start: number) => number): number {
  let position = skipSpace(text, at + 1);
  while (text.charCodeAt(position) !== CLOSE_BRACE) {
    const keyEnd = skipString(text, position);
    const raw = text.slice(position + 1, keyEnd - 1);
    const key = raw.includes("\\") ? (JSON.parse(`"${raw}"`) as string) : raw;
    position = skipSpace(text, keyEnd);
    if (text.charCodeAt(position) === COLON) position = skipSpace(text, position + 1);
    position = skipSpace(text, visit(key, position));
    if (text.charCodeAt(position) === COMMA) position = skipSpace(text, position + 1);
  }
  return position + 1;
}

/**
 * Walks the elements of the array that starts at `at`.
 *
 * @param visit - Gets the index of each element and where it starts; returns where it ends.
 * @returns Position after the array.
 */
export function eachElement(text: string, at: number, visit: (index: number, start: number) => number): number {
  let position = skipSpace(text, at + 1);
  let index = 0;
  while (text.charCodeAt(position) !== CLOSE_BRACKET) {
    position = skipSpace(text, visit(index, position));
    index += 1;
    if (text.charCodeAt(position) === COMMA) position = skipSpace(text, position + 1);
  }
  return position + 1;
}

/** The text of one member of the object that starts at `at`, the last one when it stands twice; null without one. */
export function memberText(text: string, at: number, name: string): string | null {
  let found: string | null = null;
  eachMember(text, at, (key, start) => {
    const end = skipValue(text, start);
    if (key === name) found = text.slice(start, end);
    return end;
  });
  return found;
}
