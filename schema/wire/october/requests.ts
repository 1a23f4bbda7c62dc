/**
 * Requests of the October 2025 dialect: configure and the acknowledgements.
 *
 * @module
 */

import { errorText, groupOf, textOr } from "../ack-request.ts";
import { type ConfigureRequest, type QueueOptionsValue, readConfigure } from "../admin-requests.ts";
import type { DecodedBody } from "../body.ts";
import { fieldError, QueenError } from "../errors.ts";
import { checkName, isRecord } from "../fields.ts";

/** Says one thing of one message. */
export interface OctoberAckItem {
  transactionId: string;
  status: "completed" | "failed";
  error: string | null;
}

/** Acknowledgements of one request; the group counts for all. */
export interface OctoberAckRequest {
  items: OctoberAckItem[];
  group: string;
}

function readItem(value: unknown, idRequired: () => QueenError): OctoberAckItem {
  if (!isRecord(value)) throw idRequired();
  const { transactionId, status } = value;
  if (typeof transactionId !== "string" || transactionId === "") throw idRequired();
  checkName(transactionId, "transactionId");
  if (status !== "completed" && status !== "failed") throw fieldError("status must be 'completed' or 'failed'");
  return { transactionId, status, error: errorText(value.error) };
}

/**
 * Reads a single acknowledgement.
 *
 * @throws {@link QueenError} `TRANSACTION_ID_REQUIRED`, or `FIELD_INVALID` naming the field.
 */
export function readOctoberAck({ value }: DecodedBody): OctoberAckRequest {
  const item = readItem(value, () => new QueenError("TRANSACTION_ID_REQUIRED"));
  return { items: [item], group: groupOf((value as Record<string, unknown>).consumerGroup) };
}

/**
 * Reads many acknowledgements.
 *
 * @throws {@link QueenError} `ACKNOWLEDGMENTS_REQUIRED`, `ACKNOWLEDGMENT_TRANSACTION_ID`, or `FIELD_INVALID`.
 */
export function readOctoberAckBatch({ value }: DecodedBody): OctoberAckRequest {
  if (!isRecord(value) || !Array.isArray(value.acknowledgments)) throw new QueenError("ACKNOWLEDGMENTS_REQUIRED");
  const group = groupOf(value.consumerGroup);
  const idRequired = () => new QueenError("ACKNOWLEDGMENT_TRANSACTION_ID");
  return { items: value.acknowledgments.map((item: unknown) => readItem(item, idRequired)), group };
}

/** Defaults of the dialect that differ from those of `/api/v1`. */
const MAX_SIZE_DEFAULT = 10_000;
/** Left out, these keep what is stored; their zero counts as given. */
const KEPT: ReadonlySet<string> = new Set(["encryptionEnabled", "maxWaitTimeSeconds"]);

/** A configure request of the dialect. */
export interface OctoberConfigureRequest {
  queue: string;
  /** Null: what is stored stays. */
  namespace: string | null;
  task: string | null;
  /** Echoed, and otherwise without effect. */
  partition: string | null;
  /** As the dialect shows them; those of {@link keeps} are as good as absent. */
  options: QueueOptionsValue;
  /** Options that count as given: all but zero, false and empty ones, an explicit `retryLimit` of 0 excepted. */
  given: ConfigureRequest["given"];
  /** Whether an option left out keeps its stored value. */
  keeps(option: keyof QueueOptionsValue): boolean;
}

function nameOrNull(value: unknown, field: string): string | null {
  const name = textOr(value, field, null);
  if (name !== null) checkName(name, field);
  return name;
}

/** `leaseTime` below zero counts as left out, as its zero does. */
function withoutBadLease(body: DecodedBody): DecodedBody {
  const { value } = body;
  if (!isRecord(value) || !isRecord(value.options)) return body;
  const { leaseTime } = value.options;
  if (typeof leaseTime !== "number" || leaseTime > 0) return body;
  return { value: { ...value, options: { ...value.options, leaseTime: null } }, text: body.text };
}

/**
 * Reads the body of configure.
 *
 * @throws {@link QueenError} `QUEUE_REQUIRED` or `FIELD_INVALID`, naming the field.
 */
export function readOctoberConfigure(body: DecodedBody): OctoberConfigureRequest {
  const { queue, options: sent, given: present } = readConfigure(withoutBadLease(body));
  if (queue === "") throw new QueenError("QUEUE_REQUIRED");
  const value = body.value as Record<string, unknown>;
  const given = new Set<keyof QueueOptionsValue>();
  for (const name of present) {
    if (KEPT.has(name) || name === "retryLimit" || (sent[name] !== 0 && sent[name] !== false)) given.add(name);
  }
  const defaults: Partial<QueueOptionsValue> = {
    ...(!given.has("leaseTime") && { leaseTime: 300 }),
    ...(!given.has("retryDelay") && { retryDelay: 1000 }),
    ...(!given.has("ttl") && { ttl: 3600 }),
    ...(!given.has("maxSize") && { maxSize: MAX_SIZE_DEFAULT }),
  };
  return {
    queue,
    namespace: nameOrNull(value.namespace, "namespace"),
    task: nameOrNull(value.task, "task"),
    partition: nameOrNull(value.partition, "partition"),
    options: { ...sent, ...defaults },
    given,
    keeps: (option) => KEPT.has(option) && !given.has(option),
  };
}
