/**
 * The request that switches maintenance on or off (wire contract, section 15.4).
 *
 * @module
 */

import type { DecodedBody } from "./body.ts";
import { fieldError } from "./errors.ts";
import { isRecord } from "./fields.ts";

/**
 * Reads `{"enabled": boolean}`.
 *
 * @throws QueenError `FIELD_INVALID`.
 */
export function readEnabled({ value }: DecodedBody): boolean {
  if (!isRecord(value) || typeof value.enabled !== "boolean") throw fieldError("enabled (boolean) is required");
  return value.enabled;
}
