/**
 * The request that answers for everything under a lease.
 *
 * @module
 */

import { errorText, groupOf, textOr } from "./ack-request.ts";
import type { DecodedBody } from "./body.ts";
import { fieldError } from "./errors.ts";
import { isRecord } from "./fields.ts";

/** What may be said of a whole lease. */
export type LeaseAckStatus = "completed" | "failed" | "dlq" | "retry";

/** A request as it was read. */
export interface LeaseAckRequest {
  /** Null: whatever group the lease is of. */
  group: string | null;
  status: LeaseAckStatus;
  error: string | null;
}

const STATUSES: Readonly<Record<string, LeaseAckStatus>> = {
  completed: "completed",
  success: "completed",
  failed: "failed",
  dlq: "dlq",
  retry: "retry",
};

/**
 * Reads the body.
 *
 * @param body - Every field is optional; an absent body and `[]` count as `{}`.
 * @throws {@link QueenError} `FIELD_INVALID` naming the field.
 */
export function readLeaseAckRequest(body: DecodedBody): LeaseAckRequest {
  const emptyList = Array.isArray(body.value) && body.value.length === 0;
  if (!isRecord(body.value) && !emptyList) throw fieldError("body must be an object");
  const fields = isRecord(body.value) ? body.value : {};
  const text = textOr(fields.status, "status", "completed");
  const status = Object.hasOwn(STATUSES, text) ? STATUSES[text] : undefined;
  if (status === undefined) throw fieldError(`status must be one of ${Object.keys(STATUSES).join(", ")}`);
  const named = fields.consumerGroup !== undefined && fields.consumerGroup !== null;
  return { group: named ? groupOf(fields.consumerGroup) : null, status, error: errorText(fields.error) };
}
