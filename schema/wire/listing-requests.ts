/**
 * Query parameters of listings that are more than text or a number: what is accepted, and what is refused.
 *
 * @module
 */

import { type Static, Type } from "typebox";
import { Value } from "typebox/value";
import { fieldError } from "./errors.ts";
import { parseInstant } from "./instant.ts";

const STATUSES = ["pending", "processing", "completed", "dead_letter"] as const;

/** What became of a message. */
export const MessageStatusQuery = Type.Union(STATUSES.map((status) => Type.Literal(status)));

/**
 * Reads the status a message list asks for.
 *
 * @param text - Null: any.
 * @throws {@link QueenError} `FIELD_INVALID`.
 */
export function readMessageStatus(text: string | null): (typeof STATUSES)[number] | null {
  if (text === null) return null;
  if (!Value.Check(MessageStatusQuery, text)) throw fieldError(`status must be one of ${STATUSES.join(", ")}`);
  return text as (typeof STATUSES)[number];
}

const LAG_SECONDS_DEFAULT = 3600;
/** A hundred years. */
const LAG_SECONDS_MAX = 3_155_760_000;

/** Threshold of the lagging listing, in seconds. */
export const LagSecondsQuery = Type.Number({ minimum: 0, maximum: LAG_SECONDS_MAX, default: LAG_SECONDS_DEFAULT });

/**
 * Reads that threshold.
 *
 * @param text - Null: the default, one hour.
 * @throws {@link QueenError} `FIELD_INVALID`.
 */
export function readLagSeconds(text: string | null): Static<typeof LagSecondsQuery> {
  if (text === null) return LAG_SECONDS_DEFAULT;
  const value = text.trim() === "" ? Number.NaN : Number(text);
  if (!Value.Check(LagSecondsQuery, value)) {
    throw fieldError(`minLagSeconds must be a number from 0 to ${LAG_SECONDS_MAX}`);
  }
  return value;
}

/**
 * Reads where a seek that is only looked at would go.
 *
 * @returns Null for "to the end", else the instant to resume after.
 * @throws {@link QueenError} `FIELD_INVALID`.
 */
export function readSeekQuery(toEnd: boolean, timestamp: string | null): string | null {
  if (toEnd) return null;
  if (timestamp === null) throw fieldError("Must specify either 'toEnd=true' or 'timestamp'");
  const instant = parseInstant(timestamp);
  if (instant === null) throw fieldError(`timestamp is not a timestamp in ISO 8601: ${JSON.stringify(timestamp)}`);
  return instant;
}
