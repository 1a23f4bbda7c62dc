/**
 * The requests of acknowledgements (wire contract, section 8).
 *
 * @module
 */

import type { DecodedBody } from "./body.ts";
import { fieldError, QueenError } from "./errors.ts";
import { checkName, isRecord } from "./fields.ts";
import { QUEUE_MODE_GROUP } from "./limits.ts";

/** One acknowledgement. */
export interface AckItem {
  transactionId: string;
  partitionId: string;
  status: string;
  group: string;
  /** Null: not checked. */
  leaseId: string | null;
  error: string | null;
}

/** Longest error text that is kept, in UTF-16 code units; the rest is cut off. */
const ERROR_LENGTH_MAX = 10_000;

/** A text, or `absent` for a field that is absent or null. */
export function textOr<T>(value: unknown, field: string, absent: T): string | T {
  if (value === undefined || value === null) return absent;
  if (typeof value !== "string") throw fieldError(`${field} must be a string`);
  return value;
}

/** The text of a failure, cut to what is kept. */
export function errorText(value: unknown): string | null {
  const text = textOr(value, "error", null);
  if (text === null) return null;
  return text.slice(0, ERROR_LENGTH_MAX).replaceAll("\0", "\uFFFD").toWellFormed();
}

/** A consumer group, checked. */
export function groupOf(value: unknown): string {
  const group = textOr(value, "consumerGroup", QUEUE_MODE_GROUP);
  checkName(group, "consumerGroup");
  return group === "" ? QUEUE_MODE_GROUP : group;
}

function leaseOf(value: unknown): string | null {
  const lease = textOr(value, "leaseId", null);
  return lease === "" ? null : lease;
}

/** Reads what all acknowledgements share. `transactionId` and `partitionId` were checked by the caller. */
function readFields(value: Record<string, unknown>, group: string): AckItem {
  checkName(value.transactionId as string, "transactionId");
  return {
    transactionId: value.transactionId as string,
    partitionId: value.partitionId as string,
    status: textOr(value.status, "status", "completed"),
    group,
    leaseId: leaseOf(value.leaseId),
    error: errorText(value.error),
  };
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}

/** Reads a single acknowledgement; also one operation of a transaction. */
export function readAck(value: unknown): AckItem {
  if (!isRecord(value) || !isText(value.transactionId)) throw new QueenError("TRANSACTION_ID_REQUIRED");
  if (!isText(value.partitionId)) throw new QueenError("PARTITION_ID_REQUIRED");
  return readFields(value, groupOf(value.consumerGroup));
}

/** Reads the body of a single acknowledgement. */
export function readAckRequest(body: DecodedBody): AckItem {
  return readAck(body.value);
}

/** Reads the body of a batch; the group of the request counts for all items. */
export function readAckBatchRequest(body: DecodedBody): AckItem[] {
  const { value } = body;
  if (!isRecord(value) || !Array.isArray(value.acknowledgments)) throw new QueenError("ACKNOWLEDGMENTS_REQUIRED");
  const group = groupOf(value.consumerGroup);
  return value.acknowledgments.map((item: unknown) => {
    if (!isRecord(item) || !isText(item.transactionId)) throw new QueenError("ACKNOWLEDGMENT_TRANSACTION_ID");
    if (!isText(item.partitionId)) throw new QueenError("ACKNOWLEDGMENT_PARTITION_ID");
    return readFields(item, group);
  });
}
