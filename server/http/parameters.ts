/**
 * Parameters of path and query, read as clients of every generation send them.
 *
 * @module
 */

import { fieldError } from "../../schema/wire/errors.ts";
import { NAME_LENGTH_MAX } from "../../schema/wire/limits.ts";

/** Query of a request, decoded where it is looked at. A name that is given twice keeps its first value. */
export class Query {
  readonly #values: ReadonlyMap<string, string> | null;

  constructor(url: string) {
    const at = url.indexOf("?");
    this.#values = at === -1 ? null : parseQuery(url, at + 1);
  }

  /**
   * The value.
   *
   * @returns Null when absent or empty.
   * @throws QueenError `FIELD_INVALID` when it is not percent-encoded UTF-8.
   */
  text(name: string): string | null {
    const value = this.#values?.get(name) || null;
    return value === null ? null : decode(value.replaceAll("+", " "), name);
  }

  /**
   * A name.
   *
   * @returns Null when absent or empty.
   * @throws QueenError `FIELD_INVALID` when it is over 255 characters or cannot be stored.
   */
  name(name: string): string | null {
    const value = this.text(name);
    return value === null ? null : checkName(name, value);
  }

  /**
   * An integer: the leading digits, the default when there are none, clamped to `min` and `max`.
   */
  integer(name: string, defaultValue: number, min: number, max: number): number {
    const digits = /^\s*([+-]?\d+)/.exec(this.text(name) ?? "")?.[1];
    return Math.min(max, Math.max(min, digits === undefined ? defaultValue : Number(digits)));
  }

  /** Exactly `true` or `1` is true, absent or empty the default, and anything else false. */
  flag(name: string, defaultValue = false): boolean {
    const value = this.text(name);
    return value === null ? defaultValue : value === "true" || value === "1";
  }
}

function parseQuery(url: string, start: number): Map<string, string> {
  const values = new Map<string, string>();
  const hashAt = url.indexOf("#", start);
  const end = hashAt === -1 ? url.length : hashAt;
  let at = start;
  while (at < end) {
    let next = url.indexOf("&", at);
    if (next === -1 || next > end) next = end;
    let equals = url.indexOf("=", at);
    if (equals === -1 || equals > next) equals = next;
    const name = url.slice(at, equals);
    if (!values.has(name)) values.set(name, url.slice(equals + 1, next));
    at = next + 1;
  }
  return values;
}

/**
 * Decodes percent-encoded text.
 *
 * @param name - Of the parameter, for the message.
 * @throws QueenError `FIELD_INVALID` when it is not percent-encoded UTF-8.
 */
export function decode(text: string, name: string): string {
  if (!text.includes("%")) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    throw fieldError(`${name} is not valid percent-encoded UTF-8`);
  }
}

/**
 * Checks a name that PostgreSQL must be able to store.
 *
 * @param label - Of the parameter, for the message.
 * @returns The value.
 * @throws QueenError `FIELD_INVALID` when it is over 255 characters, has a NUL or a lone surrogate.
 */
export function checkName(label: string, value: string): string {
  if (value.length > NAME_LENGTH_MAX) throw fieldError(`${label} is longer than ${NAME_LENGTH_MAX} characters`);
  if (value.includes("\0")) throw fieldError(`${label} contains a NUL character`);
  if (!value.isWellFormed()) throw fieldError(`${label} is not valid Unicode`);
  return value;
}
