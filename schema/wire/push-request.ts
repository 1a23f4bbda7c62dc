/**
 * The request of a push (wire contract, section 6), also as part of a transaction.
 *
 * @module
 */

import { type DecodedBody, decodeBody } from "./body.ts";
import { encodeCbor } from "./cbor.ts";
import { fieldError, QueenError } from "./errors.ts";
import { checkName, isRecord, isUuid } from "./fields.ts";
import type { BodyFormat } from "./format.ts";
import { decodeText, eachElement, eachMember, skipSpace, skipValue } from "./json.ts";
import { DEFAULT_PARTITION } from "./limits.ts";
import type { PayloadText, PushItem } from "./push-item.ts";
import { scanPush } from "./push-scan.ts";

function optionalText(value: unknown, message: string): string | null {
  if (value === undefined) return null;
  if (typeof value !== "string") throw fieldError(message);
  return value === "" ? null : value;
}

/** Names already found good in this request: most items repeat the name before them. */
interface Checked {
  queue: string | null;
  partition: string | null;
}

/**
 * Reads the fields of one item, in the order the contract checks them: partition, queue, transactionId, traceId.
 *
 * @throws {@link QueenError} `FIELD_INVALID`.
 */
function readItem(value: unknown, payload: PayloadText, checked: Checked): PushItem {
  if (!isRecord(value)) throw fieldError("Each item of items must be an object");
  const partition = value.partition === undefined ? DEFAULT_PARTITION : value.partition;
  if (typeof partition !== "string") throw fieldError("Partition must be a string");
  const queue = value.queue;
  if (typeof queue !== "string") throw fieldError("Queue must be a string");
  if (partition !== checked.partition) {
    checkName(partition, "partition");
    checked.partition = partition;
  }
  if (queue !== checked.queue) {
    checkName(queue, "queue");
    checked.queue = queue;
  }
  const transactionId = optionalText(value.transactionId, "TransactionId must be a string");
  if (transactionId !== null) checkName(transactionId, "transactionId");
  const traceId = optionalText(value.traceId, "TraceId must be a string");
  if (traceId !== null && !isUuid(traceId)) throw fieldError("traceId must be a UUID");
  return { queue, partition, transactionId, traceId, payload };
}

/**
 * The text of the first of `fields` that the object starting at `start` has, and where the object ends; a field that
 * stands twice counts with its last value, as in JSON.parse.
 */
function fieldText(text: string, start: number, fields: readonly string[]): { found: string | null; end: number } {
  let found: string | null = null;
  let rank = fields.length;
  const end = eachMember(text, start, (key, valueAt) => {
    const valueEnd = skipValue(text, valueAt);
    const place = fields.indexOf(key);
    if (place >= 0 && place <= rank) {
      found = text.slice(valueAt, valueEnd);
      rank = place;
    }
    return valueEnd;
  });
  return { found, end };
}

const PAYLOAD = ["payload"];
const PAYLOAD_OR_DATA = ["payload", "data"];

/** The payload texts of the items array that starts at `at`, null for an item without one; and where the array ends. */
function payloadTexts(text: string, at: number): { payloads: (string | null)[]; end: number } {
  const payloads: (string | null)[] = [];
  const end = eachElement(text, at, (_, start) => {
    if (text.charCodeAt(start) !== 123) {
      payloads.push(null);
      return skipValue(text, start);
    }
    const { found, end } = fieldText(text, start, PAYLOAD);
    payloads.push(found);
    return end;
  });
  return { payloads, end };
}

/** The payload text of a push operation without `items`: its `payload`, or else its `data`; null without either. */
export function readPayloadText(text: string, start: number): string | null {
  return fieldText(text, start, PAYLOAD_OR_DATA).found;
}

/** Reads a push operation without `items`. `payload` is its text, null when it has none or came as CBOR. */
export function readSingleItem(operation: Record<string, unknown>, payload: string | null, absent: string): PushItem {
  const checked: Checked = { queue: null, partition: null };
  if (payload !== null) return readItem(operation, payload, checked);
  const value = operation.payload ?? operation.data;
  return readItem(operation, value === undefined ? absent : encodeCbor(value), checked);
}

/**
 * Reads items that stand as an array at a place of a JSON text, or came as CBOR values.
 *
 * @param at - Where the array starts in `text`; not looked at without a text.
 * @param absent - What a missing payload counts as, as JSON text.
 */
export function readItems(values: readonly unknown[], text: string | null, at: number, absent = "null"): PushItem[] {
  if (text !== null) return joinItems(values, payloadTexts(text, at).payloads, absent);
  const checked: Checked = { queue: null, partition: null };
  return values.map((value) => {
    const payload = isRecord(value) ? value.payload : undefined;
    return readItem(value, encodeCbor(payload === undefined ? JSON.parse(absent) : payload), checked);
  });
}

function joinItems(values: readonly unknown[], payloads: readonly (string | null)[], absent: string): PushItem[] {
  const checked: Checked = { queue: null, partition: null };
  return values.map((value, index) => readItem(value, payloads[index] ?? absent, checked));
}

/** Where the value of a member of the top-level object starts; -1 without one. The last one counts, as in JSON.parse. */
export function topMemberAt(text: string, name: string): number {
  let at = -1;
  eachMember(text, skipSpace(text, 0), (key, start) => {
    if (key === name) at = start;
    return skipValue(text, start);
  });
  return at;
}

/** The common case: `items` is the one and only member, so that nothing is walked twice. */
const ITEMS_FIRST = /^\s*\{\s*"items"\s*:\s*/;
const ONLY_CLOSED = /^\s*\}\s*$/;

/**
 * Reads the body of a push.
 *
 * @returns The items in order; empty for `items: []`.
 * @throws {@link QueenError} `ITEMS_REQUIRED`, `FIELD_INVALID` or `BODY_TOO_DEEP`.
 */
export function readPushRequest(body: DecodedBody): PushItem[] {
  const { value, text } = body;
  if (!isRecord(value) || !Array.isArray(value.items)) throw new QueenError("ITEMS_REQUIRED");
  if (text === null) return readItems(value.items, null, 0);
  const first = ITEMS_FIRST.exec(text);
  if (first !== null && text[first[0].length] === "[") {
    const { payloads, end } = payloadTexts(text, first[0].length);
    if (ONLY_CLOSED.test(text.slice(end))) return joinItems(value.items, payloads, "null");
  }
  return readItems(value.items, text, topMemberAt(text, "items"));
}

/**
 * Reads the body of a push as it arrived.
 *
 * @returns As {@link readPushRequest}.
 * @throws {@link QueenError} As {@link decodeBody} and {@link readPushRequest}.
 */
export function readPushBody(body: string | ArrayBuffer | null, format: BodyFormat): PushItem[] {
  if (format === "cbor" || body === null) return readPushRequest(decodeBody(body, format));
  const text = decodeText(body);
  return scanPush(text) ?? readPushRequest(decodeBody(text, format, true));
}
