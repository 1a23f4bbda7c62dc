/**
 * The fast way to read a push: one walk over the text that validates it and cuts out names and payloads, without making
 * objects of them.
 *
 * It takes on only what producers usually send: no escapes and no line breaks anywhere, `items` alone at the top, fields
 * of the right type. Whatever else comes it gives up on, and the caller reads the body with `JSON.parse`, which also
 * finds the words for what is wrong. So this must never accept what JSON or the contract does not; it may refuse more.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc8259} for the grammar.
 * @module
 */

import { isUuid } from "./fields.ts";
import { DEFAULT_PARTITION, DEPTH_MAX, NAME_LENGTH_MAX } from "./limits.ts";
import type { PushItem } from "./push-item.ts";

const SPACE = 32;
const QUOTE = 34;
const PLUS = 43;
const COMMA = 44;
const MINUS = 45;
const POINT = 46;
const ZERO = 48;
const NINE = 57;
const COLON = 58;
const UPPER_E = 69;
const OPEN_BRACKET = 91;
const CLOSE_BRACKET = 93;
const LOWER_E = 101;
const OPEN_BRACE = 123;
const CLOSE_BRACE = 125;

/** Characters that end the fast way: escapes, and control characters (line breaks included). */
const SPECIAL = /[\\\p{Cc}]/u;

/** Thrown to give up; caught in {@link scanPush}. Made once, so that giving up costs no stack trace. */
const GIVE_UP = new Error("Not the usual form");

/** Which bracket is open at each depth. One walk at a time uses it. */
const open = new Uint8Array(DEPTH_MAX + 1);

function skipSpaces(text: string, at: number): number {
  let position = at;
  while (text.charCodeAt(position) === SPACE) position += 1;
  return position;
}

/** Position after the string that opens at `at`. */
function stringEnd(text: string, at: number): number {
  if (text.charCodeAt(at) !== QUOTE) throw GIVE_UP;
  const end = text.indexOf('"', at + 1);
  if (end < 0) throw GIVE_UP;
  return end + 1;
}

/** Position of the value after the key that opens at `at`. */
function valueAfterKey(text: string, at: number): number {
  const colon = skipSpaces(text, stringEnd(text, at));
  if (text.charCodeAt(colon) !== COLON) throw GIVE_UP;
  return skipSpaces(text, colon + 1);
}

/** Position after one or more digits. */
function digitsEnd(text: string, at: number): number {
  let position = at;
  let code = text.charCodeAt(position);
  if (!(code >= ZERO && code <= NINE)) throw GIVE_UP;
  while (code >= ZERO && code <= NINE) {
    position += 1;
    code = text.charCodeAt(position);
  }
  return position;
}

function numberEnd(text: string, at: number): number {
  let position = text.charCodeAt(at) === MINUS ? at + 1 : at;
  position = text.charCodeAt(position) === ZERO ? position + 1 : digitsEnd(text, position);
  if (text.charCodeAt(position) === POINT) position = digitsEnd(text, position + 1);
  const code = text.charCodeAt(position);
  if (code === LOWER_E || code === UPPER_E) {
    const sign = text.charCodeAt(position + 1);
    position = digitsEnd(text, sign === PLUS || sign === MINUS ? position + 2 : position + 1);
  }
  return position;
}

function literalEnd(text: string, at: number): number {
  for (const word of ["null", "true", "false"]) if (text.startsWith(word, at)) return at + word.length;
  throw GIVE_UP;
}

/** Position after the value that starts at `at`. */
function valueEnd(text: string, at: number): number {
  let depth = 0;
  let position = at;
  for (;;) {
    const code = text.charCodeAt(position);
    if (code === QUOTE) position = stringEnd(text, position);
    else if (code === OPEN_BRACE || code === OPEN_BRACKET) {
      if (depth === DEPTH_MAX) throw GIVE_UP;
      position = skipSpaces(text, position + 1);
      const close = code === OPEN_BRACE ? CLOSE_BRACE : CLOSE_BRACKET;
      if (text.charCodeAt(position) === close) position += 1;
      else {
        depth += 1;
        open[depth] = close;
        if (code === OPEN_BRACE) position = valueAfterKey(text, position);
        continue;
      }
    } else if (code === MINUS || (code >= ZERO && code <= NINE)) position = numberEnd(text, position);
    else position = literalEnd(text, position);
    // Behind a value: close what ends here, or go on to the next one.
    for (;;) {
      if (depth === 0) return position;
      position = skipSpaces(text, position);
      const next = text.charCodeAt(position);
      if (next === COMMA) {
        position = skipSpaces(text, position + 1);
        if (open[depth] === CLOSE_BRACE) position = valueAfterKey(text, position);
        break;
      }
      if (next !== open[depth]) throw GIVE_UP;
      depth -= 1;
      position += 1;
    }
  }
}

/** The content of the string that starts at `at`, as the name of something. */
function name(text: string, at: number, end: number): string {
  if (text.charCodeAt(at) !== QUOTE || end - at - 2 > NAME_LENGTH_MAX) throw GIVE_UP;
  return text.slice(at + 1, end - 1);
}

/** Reads the item that starts at `at`; returns where it ends. */
function scanItem(text: string, at: number, items: PushItem[]): number {
  if (text.charCodeAt(at) !== OPEN_BRACE) throw GIVE_UP;
  let queue: string | null = null;
  let partition = DEFAULT_PARTITION;
  let transactionId: string | null = null;
  let traceId: string | null = null;
  let payload = "null";
  let position = skipSpaces(text, at + 1);
  for (;;) {
    const keyEnd = stringEnd(text, position);
    const colon = skipSpaces(text, keyEnd);
    if (text.charCodeAt(colon) !== COLON) throw GIVE_UP;
    const start = skipSpaces(text, colon + 1);
    const end = valueEnd(text, start);
    // The known keys differ in length, but for two.
    switch (keyEnd - position) {
      case 7:
        if (text.startsWith('"queue"', position)) queue = name(text, start, end);
        break;
      case 9:
        if (text.startsWith('"payload"', position)) payload = text.slice(start, end);
        else if (text.startsWith('"traceId"', position)) traceId = name(text, start, end) || null;
        break;
      case 11:
        if (text.startsWith('"partition"', position)) partition = name(text, start, end);
        break;
      case 15:
        if (text.startsWith('"transactionId"', position)) transactionId = name(text, start, end) || null;
        break;
    }
    position = skipSpaces(text, end);
    const code = text.charCodeAt(position);
    position += 1;
    if (code === CLOSE_BRACE) break;
    if (code !== COMMA) throw GIVE_UP;
    position = skipSpaces(text, position);
  }
  if (queue === null || (traceId !== null && !isUuid(traceId))) throw GIVE_UP;
  items.push({ queue, partition, transactionId, traceId, payload });
  return position;
}

function scan(text: string): PushItem[] {
  let position = skipSpaces(text, 0);
  if (text.charCodeAt(position) !== OPEN_BRACE) throw GIVE_UP;
  position = skipSpaces(text, position + 1);
  if (!text.startsWith('"items"', position)) throw GIVE_UP;
  position = valueAfterKey(text, position);
  if (text.charCodeAt(position) !== OPEN_BRACKET) throw GIVE_UP;
  const items: PushItem[] = [];
  position = skipSpaces(text, position + 1);
  for (;;) {
    position = skipSpaces(text, scanItem(text, position, items));
    const code = text.charCodeAt(position);
    position = skipSpaces(text, position + 1);
    if (code === CLOSE_BRACKET) break;
    if (code !== COMMA) throw GIVE_UP;
  }
  if (text.charCodeAt(position) !== CLOSE_BRACE) throw GIVE_UP;
  if (skipSpaces(text, position + 1) !== text.length) throw GIVE_UP;
  return items;
}

/**
 * Reads the text of a push.
 *
 * @param text - Well-formed UTF-16, as decoding UTF-8 gives it.
 * @returns The items in order, one or more; null when the text is not of the usual form, be it wrong or just unusual.
 */
export function scanPush(text: string): PushItem[] | null {
  if (SPECIAL.test(text)) return null;
  try {
    return scan(text);
  } catch (error) {
    if (error === GIVE_UP) return null;
    throw error;
  }
}
