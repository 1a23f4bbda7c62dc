/**
 * The body of a call that wakes parked pops.
 *
 * @module
 */

import { Type } from "typebox";
import { Value } from "typebox/value";
import type { DecodedBody } from "./body.ts";
import { fieldError, QueenError } from "./errors.ts";
import { checkName, isRecord } from "./fields.ts";
import { NAME_LENGTH_MAX } from "./limits.ts";

/** What is accepted. */
export const NotifyBody = Type.Object({
  queue: Type.String({ minLength: 1, maxLength: NAME_LENGTH_MAX }),
  partition: Type.Optional(Type.Union([Type.String({ maxLength: NAME_LENGTH_MAX }), Type.Null()])),
});

/**
 * Reads the body.
 *
 * @returns `partition` is null for all of them.
 * @throws {@link QueenError} `QUEUE_REQUIRED`, or `FIELD_INVALID` naming the field.
 */
export function readNotify({ value }: DecodedBody): { queue: string; partition: string | null } {
  if (!isRecord(value) || typeof value.queue !== "string" || value.queue === "") throw new QueenError("QUEUE_REQUIRED");
  checkName(value.queue, "queue");
  if (typeof value.partition === "string") checkName(value.partition, "partition");
  if (!Value.Check(NotifyBody, value)) throw fieldError("partition must be a string");
  return { queue: value.queue, partition: value.partition || null };
}
