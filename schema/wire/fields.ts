/**
 * Checks of single fields, shared by the hand-written readers of hot requests.
 *
 * @module
 */

import { fieldError } from "./errors.ts";
import { NAME_LENGTH_MAX } from "./limits.ts";

/**
 * Checks a name: at most {@link NAME_LENGTH_MAX} UTF-16 code units, no NUL, no lone surrogate.
 *
 * @param field - How the message calls the field.
 * @throws {@link QueenError} `FIELD_INVALID`.
 */
export function checkName(value: string, field: string): void {
  if (value.length > NAME_LENGTH_MAX) {
    throw fieldError(`${field} must be at most ${NAME_LENGTH_MAX} characters, got ${value.length}`);
  }
  if (value.includes("\0")) throw fieldError(`${field} must not contain a NUL character`);
  if (!value.isWellFormed()) throw fieldError(`${field} must be valid Unicode text, got a lone surrogate`);
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Whether a text is a UUID in the usual form, of any version and case. */
export function isUuid(text: string): boolean {
  return UUID.test(text);
}

/** Whether a value is an object with named members, as JSON and CBOR decode them. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);
}
