/**
 * The requests of streaming queries (wire contract, section 16). State values and payloads are cut out of the text as they
 * stand.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { errorText, textOr } from "./ack-request.ts";
import type { DecodedBody } from "./body.ts";
import { cborValueToJson } from "./cbor.ts";
import { fieldError } from "./errors.ts";
import { checkName, isRecord, isUuid } from "./fields.ts";
import { eachElement, eachMember, memberText, skipSpace, skipValue } from "./json.ts";
import { QUEUE_MODE_GROUP } from "./limits.ts";
import type { PushItem } from "./push-item.ts";
import { readItems } from "./push-request.ts";

/** Longest key of a state, in bytes of UTF-8: an index entry holds no more. */
export const STATE_KEY_BYTES_MAX = 2_000;

/** A registration. */
export interface StreamQueryRequest {
  name: string;
  sourceQueue: string;
  sinkQueue: string | null;
  configHash: string;
  reset: boolean;
}

/** A state as it shall be stored. */
export interface StateUpsert {
  key: string;
  /** JSON text. */
  value: string;
  windowEnd: number | null;
}

/** What a cycle says of its source. */
export interface StreamAck {
  transactionId: string;
  /** Null: not checked. */
  leaseId: string | null;
  /** Dead-letters instead of completing. */
  failed: boolean;
  error: string | null;
  /** How many messages it covers, as the client counts. */
  count: number;
}

/** A cycle. */
export interface StreamCycleRequest {
  queryId: string;
  partitionId: string;
  group: string;
  /** The last word on each key: what is stored and what is deleted are disjoint. */
  upserts: StateUpsert[];
  deletes: string[];
  /** As they were sent, keys that stand twice counted twice. */
  stateOpCount: number;
  pushItems: PushItem[];
  ack: StreamAck | null;
  releaseLease: boolean;
  /** Why the cycle must fail, although its fields are of the right types; null when nothing speaks against it. */
  refusal: string | null;
}

/** Which states are wanted. */
export interface StreamStateRequest {
  queryId: string;
  partitionId: string;
  /** Null: any. */
  keys: string[] | null;
  /** Literal; empty: any. */
  keyPrefix: string;
  /** Milliseconds since 1970; null: any. */
  ripeAtOrBefore: number | null;
}

function recordOf(body: DecodedBody): Record<string, unknown> {
  if (!isRecord(body.value)) throw fieldError("request body must be a JSON object");
  return body.value;
}

function requiredText(value: unknown, field: string): string {
  if (typeof value !== "string" || value === "") throw fieldError(`${field} is required`);
  checkName(value, field);
  return value;
}

function requiredUuid(value: unknown, field: string): string {
  const text = requiredText(value, field);
  if (!isUuid(text)) throw fieldError(`${field} must be a UUID`);
  return text.toLowerCase();
}

function flagOr(value: unknown, field: string, absent: boolean): boolean {
  if (value === undefined || value === null) return absent;
  if (typeof value !== "boolean") throw fieldError(`${field} must be a boolean`);
  return value;
}

function listOr(value: unknown, field: string): readonly unknown[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw fieldError(`${field} must be an array`);
  return value;
}

/**
 * Reads a registration.
 *
 * @throws QueenError `FIELD_INVALID`, naming the field.
 */
export function readStreamQuery(body: DecodedBody): StreamQueryRequest {
  const value = recordOf(body);
  const name = requiredText(value.name, "name");
  const sourceQueue = requiredText(value.source_queue, "source_queue");
  const configHash = requiredText(value.config_hash, "config_hash");
  const sinkQueue = textOr(value.sink_queue, "sink_queue", null);
  if (sinkQueue !== null) checkName(sinkQueue, "sink_queue");
  return {
    name,
    sourceQueue,
    sinkQueue: sinkQueue === "" ? null : sinkQueue,
    configHash,
    reset: flagOr(value.reset, "reset", false),
  };
}

/** Where the values of two members of the top-level object start; -1 without one. The last one counts. */
function placesOf(text: string): { stateOps: number; pushItems: number } {
  const at = { stateOps: -1, pushItems: -1 };
  eachMember(text, skipSpace(text, 0), (key, start) => {
    if (key === "state_ops") at.stateOps = start;
    else if (key === "push_items") at.pushItems = start;
    return skipValue(text, start);
  });
  return at;
}

function stateKey(value: unknown, field: string): string {
  if (typeof value !== "string") throw fieldError(`${field} must be a string`);
  if (value.includes("\0")) throw fieldError(`${field} must not contain a NUL character`);
  if (!value.isWellFormed()) throw fieldError(`${field} must be valid Unicode text, got a lone surrogate`);
  const bytes = Buffer.byteLength(value);
  if (bytes > STATE_KEY_BYTES_MAX) {
    throw fieldError(`${field} must be at most ${STATE_KEY_BYTES_MAX} bytes of UTF-8, got ${bytes}`);
  }
  return value;
}

function windowEndOf(value: unknown): number | null {
  const end = isRecord(value) ? value.windowEnd : undefined;
  return typeof end === "number" || typeof end === "bigint" ? Number(end) : null;
}

/** The JSON texts of the values, null where there is none. */
function valueTexts(ops: readonly unknown[], text: string | null, at: number): (string | null)[] {
  const texts: (string | null)[] = [];
  if (text === null) {
    return ops.map((op) => (isRecord(op) && op.value !== undefined ? cborValueToJson(op.value) : null));
  }
  if (at < 0 || ops.length === 0) return texts;
  eachElement(text, at, (_, start) => {
    texts.push(text.charCodeAt(start) === 123 ? memberText(text, start, "value") : null);
    return skipValue(text, start);
  });
  return texts;
}

type StateChanges = Pick<StreamCycleRequest, "upserts" | "deletes" | "stateOpCount" | "refusal">;

function readStateOps(ops: readonly unknown[], text: string | null, at: number): StateChanges {
  const texts = valueTexts(ops, text, at);
  const last = new Map<string, StateUpsert | null>();
  for (const [index, op] of ops.entries()) {
    if (!isRecord(op)) throw fieldError(`state_ops[${index}] must be an object`);
    const { type, value } = op;
    if (type !== "upsert" && type !== "delete") {
      const shown = typeof type === "string" ? type.slice(0, 100).toWellFormed() : "null";
      return { upserts: [], deletes: [], stateOpCount: 0, refusal: `Unknown state_op type: ${shown}` };
    }
    const key = stateKey(op.key, `state_ops[${index}].key`);
    last.set(key, type === "delete" ? null : { key, value: texts[index] ?? "{}", windowEnd: windowEndOf(value) });
  }
  return {
    upserts: [...last.values()].filter((op) => op !== null),
    deletes: [...last].flatMap(([key, op]) => (op === null ? [key] : [])),
    stateOpCount: ops.length,
    refusal: null,
  };
}

/** Clients of other languages send null for what they leave out. */
function withoutNulls(item: unknown): unknown {
  if (!isRecord(item)) return item;
  const { partition, transactionId, traceId, ...rest } = item;
  return {
    ...rest,
    ...(partition !== null && { partition }),
    ...(transactionId !== null && { transactionId }),
    ...(traceId !== null && { traceId }),
  };
}

function readAck(value: unknown): { ack: StreamAck | null; refusal: string | null } {
  if (value === undefined || value === null) return { ack: null, refusal: null };
  if (!isRecord(value)) throw fieldError("ack must be an object");
  const transactionId = textOr(value.transactionId, "ack.transactionId", "");
  if (transactionId === "") return { ack: null, refusal: "ack.transactionId is required" };
  checkName(transactionId, "ack.transactionId");
  const leaseId = textOr(value.leaseId, "ack.leaseId", null);
  const status = textOr(value.status, "ack.status", "completed");
  const error = errorText(value.error);
  const count = value.count ?? 1;
  if (typeof count !== "number" || !Number.isSafeInteger(count) || count < 0) {
    throw fieldError("ack.count must be an integer of 0 or more");
  }
  const failed = status === "failed" || status === "dlq";
  if (!failed && status !== "completed" && status !== "success") {
    return { ack: null, refusal: `Unknown ack.status: ${status.slice(0, 100).toWellFormed()}` };
  }
  return { ack: { transactionId, leaseId: leaseId === "" ? null : leaseId, failed, error, count }, refusal: null };
}

/**
 * Reads a cycle.
 *
 * @throws QueenError `FIELD_INVALID`, naming the field.
 */
export function readStreamCycle(body: DecodedBody): StreamCycleRequest {
  const value = recordOf(body);
  const queryId = requiredUuid(value.query_id, "query_id");
  const partitionId = requiredUuid(value.partition_id, "partition_id");
  const group = textOr(value.consumer_group, "consumer_group", QUEUE_MODE_GROUP);
  checkName(group, "consumer_group");
  const at = body.text === null ? { stateOps: -1, pushItems: -1 } : placesOf(body.text);
  const state = readStateOps(listOr(value.state_ops, "state_ops"), body.text, at.stateOps);
  const items = listOr(value.push_items, "push_items").map(withoutNulls);
  const { ack, refusal } = readAck(value.ack);
  return {
    queryId,
    partitionId,
    group: group === "" ? QUEUE_MODE_GROUP : group,
    ...state,
    pushItems: items.length === 0 ? [] : readItems(items, body.text, at.pushItems),
    ack,
    releaseLease: flagOr(value.release_lease, "release_lease", true),
    refusal: state.refusal ?? refusal,
  };
}

/**
 * Reads a request for states.
 *
 * @throws QueenError `FIELD_INVALID`, naming the field.
 */
export function readStreamState(body: DecodedBody): StreamStateRequest {
  const value = recordOf(body);
  const queryId = requiredUuid(value.query_id, "query_id");
  const partitionId = requiredUuid(value.partition_id, "partition_id");
  const keys = listOr(value.keys, "keys").map((key, index) => stateKey(key, `keys[${index}]`));
  const ripe = value.ripe_at_or_before ?? null;
  if (ripe !== null && typeof ripe !== "number" && typeof ripe !== "bigint") {
    throw fieldError("ripe_at_or_before must be a number");
  }
  return {
    queryId,
    partitionId,
    keys: keys.length === 0 ? null : keys,
    keyPrefix: stateKey(value.key_prefix ?? "", "key_prefix"),
    ripeAtOrBefore: ripe === null ? null : Number(ripe),
  };
}
