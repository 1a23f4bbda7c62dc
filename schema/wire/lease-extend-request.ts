/**
 * The request that extends a lease (wire contract, section 10).
 *
 * @module
 */

import type { DecodedBody } from "./body.ts";
import { fieldError } from "./errors.ts";
import { isRecord } from "./fields.ts";

/** What an extension without a number means, in seconds. */
export const LEASE_EXTEND_S_DEFAULT = 60;

/** Longest extension, in seconds: 30 days. */
export const LEASE_EXTEND_S_MAX = 2_592_000;

/**
 * Reads the body.
 *
 * @param body - An absent body and `[]` count as `{}`. The number may come as text.
 * @returns Seconds, 0 to {@link LEASE_EXTEND_S_MAX}.
 * @throws {@link QueenError} `FIELD_INVALID` naming `seconds`.
 */
export function readLeaseExtendRequest(body: DecodedBody): number {
  const emptyList = Array.isArray(body.value) && body.value.length === 0;
  if (!isRecord(body.value) && !emptyList) throw fieldError("body must be an object with an integer seconds");
  const value = isRecord(body.value) ? body.value.seconds : undefined;
  if (value === undefined || value === null) return LEASE_EXTEND_S_DEFAULT;
  const seconds = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
  if (typeof seconds !== "number" || !Number.isInteger(seconds) || seconds < 0 || seconds > LEASE_EXTEND_S_MAX) {
    throw fieldError(`seconds must be an integer from 0 to ${LEASE_EXTEND_S_MAX}`);
  }
  return seconds;
}
