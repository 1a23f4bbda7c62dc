/**
 * Parameters that listings share.
 *
 * @module
 */
import { fieldError } from "../../schema/wire/errors.ts";
import type { Query } from "./parameters.ts";

/** Longest page; more is clamped. */
export const PAGE_LIMIT_MAX = 10_000;
const OFFSET_MAX = 2_147_483_647;

/** Page asked for: `limit` 1 to 10,000, `offset` 0 or more. */
export function pageOf(query: Query, limitDefault: number): { limit: number; offset: number } {
  return {
    limit: query.integer("limit", limitDefault, 1, PAGE_LIMIT_MAX),
    offset: query.integer("offset", 0, 0, OFFSET_MAX),
  };
}

/**
 * A point in time.
 *
 * @returns ISO text in UTC with milliseconds; null when absent or empty.
 * @throws QueenError `FIELD_INVALID` when it is not a timestamp.
 */
export function timestampOf(query: Query, name: string): string | null {
  const text = query.text(name);
  if (text === null) return null;
  const date = new Date(text);
  if (Number.isNaN(date.getTime())) throw fieldError(`${name} is not a timestamp`);
  const instant = date.toISOString();
  // Years beyond 9999 have a sign, and year 0 is none to the database.
  if (!/^(?!0000)\d{4}-/.test(instant)) throw fieldError(`${name} is not a timestamp from the years 1 to 9999`);
  return instant;
}
