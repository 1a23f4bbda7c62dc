/**
 * The body of a call that wakes parked pops.
 *
 * @module
 */

import { Type } from "typebox";
import { Value } from "typebox/value";
import { Name, NonEmptyName, nullable } from "./api/shapes.ts";
import type { DecodedBody } from "./body.ts";
import { fieldError, QueenError } from "./errors.ts";
import { checkName, isRecord } from "./fields.ts";

/** What is accepted. */
export const NotifyBody = Type.Object(
  { queue: NonEmptyName, partition: Type.Optional(nullable(Name)) },
  { title: "NotifyRequest" },
);

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
