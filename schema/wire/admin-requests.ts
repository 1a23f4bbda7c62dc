/**
 * Bodies of the administrative requests: what is accepted, what is refused, and with which words.
 *
 * @module
 */

import { type Static, type TSchema, Type } from "typebox";
import { Value } from "typebox/value";
import type { DecodedBody } from "./body.ts";
import { cborValueToJson } from "./cbor.ts";
import { fieldError, QueenError } from "./errors.ts";
import { checkName, isRecord } from "./fields.ts";
import { parseInstant } from "./instant.ts";
import { memberText, skipSpace } from "./json.ts";
import { NAME_LENGTH_MAX } from "./limits.ts";

const INT32_MAX = 2_147_483_647;
/** Most names one trace event carries. */
const TRACE_NAMES_MAX = 100;

function integer(min: number, defaultValue: number, unit: string) {
  return Type.Integer({ minimum: min, maximum: INT32_MAX, default: defaultValue, description: unit });
}
const flag = () => Type.Boolean({ default: false });

/** Options of a queue, by the names clients use. */
export const QueueOptionsBody = Type.Object({
  leaseTime: integer(0, 300, "Seconds; 0 counts as 60."),
  retryLimit: integer(0, 3, "Redeliveries before a message is dead-lettered."),
  retryDelay: integer(0, 1000, "Milliseconds before a failed message is delivered again, when given."),
  maxSize: integer(0, 0, "Messages; 0 is no limit."),
  ttl: integer(0, 3600, "Seconds a message lives, when given; 0 is no limit."),
  deadLetterQueue: flag(),
  dlqAfterMaxRetries: flag(),
  priority: integer(-INT32_MAX, 0, "Larger goes first in a pop of a namespace or task."),
  delayedProcessing: integer(0, 0, "Seconds before a message is delivered."),
  windowBuffer: integer(0, 0, "Seconds a partition must be quiet before it is delivered."),
  retentionSeconds: integer(0, 0, "Seconds; 0 is off."),
  completedRetentionSeconds: integer(0, 0, "Seconds; 0 is off."),
  retentionEnabled: flag(),
  encryptionEnabled: flag(),
  maxWaitTimeSeconds: integer(0, 0, "Seconds; 0 is off."),
});

/** Effective options, as configure answers them. */
export type QueueOptionsValue = Static<typeof QueueOptionsBody>;
type OptionName = keyof QueueOptionsValue;

/** Names of all options, in the order of the contract. */
export const OPTION_NAMES = Object.keys(QueueOptionsBody.properties) as OptionName[];

/** A configure request. `given` tells which options the client sent. */
export interface ConfigureRequest {
  queue: string;
  namespace: string;
  task: string;
  options: QueueOptionsValue;
  given: ReadonlySet<OptionName>;
}

/** Clients of 0.15 may send numbers and booleans as text, which its database cast. */
function castText(value: unknown): unknown {
  if (typeof value !== "string") return value;
  const text = value.trim();
  if (/^[+-]?\d{1,15}$/.test(text)) return Number(text);
  if (/^(true|false)$/i.test(text)) return text.toLowerCase() === "true";
  return value;
}

function describe(schema: TSchema): string {
  const { type, minimum, maximum } = schema as { type?: string; minimum?: number; maximum?: number };
  return type === "integer" ? `an integer from ${minimum} to ${maximum}` : `a ${type}`;
}

/** A bad value as a message shows it; objects and arrays, which may be deep, by their kind only. */
function shown(value: unknown): string {
  if (typeof value === "object" && value !== null) return Array.isArray(value) ? "an array" : "an object";
  const text = typeof value === "string" ? JSON.stringify(value.slice(0, 60)) : String(value);
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}

function readOptions(value: unknown): Pick<ConfigureRequest, "options" | "given"> {
  // PHP sends an empty object as [].
  if (value === undefined || value === null || (Array.isArray(value) && value.length === 0)) {
    return { options: Value.Create(QueueOptionsBody), given: new Set() };
  }
  if (!isRecord(value)) throw fieldError(`options must be an object, got ${shown(value)}`);
  const options: Record<string, unknown> = Value.Create(QueueOptionsBody);
  const given = new Set<OptionName>();
  for (const name of OPTION_NAMES) {
    const sent = value[name];
    if (sent === undefined || sent === null) continue;
    const schema = QueueOptionsBody.properties[name];
    const cast = castText(sent);
    if (!Value.Check(schema, cast)) throw fieldError(`options.${name} must be ${describe(schema)}, got ${shown(sent)}`);
    options[name] = cast;
    given.add(name);
  }
  return { options: options as QueueOptionsValue, given };
}

/** A name that is ignored unless it is text. */
function lenientName(value: unknown, field: string): string {
  if (typeof value !== "string") return "";
  checkName(value, field);
  return value;
}

function objectOf(body: DecodedBody, required: () => QueenError): Record<string, unknown> {
  if (!isRecord(body.value)) throw required();
  return body.value;
}

/**
 * Reads the body of configure.
 *
 * @throws {@link QueenError} `QUEUE_REQUIRED` or `FIELD_INVALID`, naming the field.
 */
export function readConfigure(body: DecodedBody): ConfigureRequest {
  const value = objectOf(body, () => new QueenError("QUEUE_REQUIRED"));
  if (typeof value.queue !== "string") throw new QueenError("QUEUE_REQUIRED");
  checkName(value.queue, "queue");
  return {
    queue: value.queue,
    namespace: lenientName(value.namespace, "namespace"),
    task: lenientName(value.task, "task"),
    ...readOptions(value.options),
  };
}

function instantOf(value: unknown, field: string): string {
  if (typeof value !== "string") throw fieldError(`${field} must be a timestamp in ISO 8601, got ${shown(value)}`);
  const instant = parseInstant(value);
  if (instant === null) throw fieldError(`${field} is not a timestamp in ISO 8601: ${shown(value)}`);
  return instant;
}

/**
 * Reads the body of a subscription update.
 *
 * @returns `sent` is the text to echo, `instant` what it means.
 * @throws {@link QueenError} `FIELD_INVALID`.
 */
export function readSubscription(body: DecodedBody): { sent: string; instant: string } {
  const missing = () => fieldError("Missing subscriptionTimestamp in request body");
  const { subscriptionTimestamp } = objectOf(body, missing);
  if (subscriptionTimestamp === undefined || subscriptionTimestamp === null) throw missing();
  const instant = instantOf(subscriptionTimestamp, "subscriptionTimestamp");
  return { sent: subscriptionTimestamp as string, instant };
}

/**
 * Reads the body of a seek.
 *
 * @returns Null for "to the end", else the instant to resume after.
 * @throws {@link QueenError} `FIELD_INVALID`.
 */
export function readSeek(body: DecodedBody): string | null {
  const missing = () => fieldError("Must specify either 'toEnd': true or 'timestamp'");
  const { toEnd, timestamp } = objectOf(body, missing);
  if (toEnd !== undefined && toEnd !== null && typeof toEnd !== "boolean") {
    throw fieldError(`toEnd must be a boolean, got ${shown(toEnd)}`);
  }
  if (toEnd === true) return null;
  if (timestamp === undefined || timestamp === null) throw missing();
  return instantOf(timestamp, "timestamp");
}

/** A trace event as it was sent. */
export interface TraceRequest {
  transactionId: string;
  partitionId: string;
  /** JSON text. */
  data: string;
  consumerGroup: string | null;
  eventType: string;
  names: string[];
}

function optionalText(value: unknown, field: string): string | null {
  if (value === undefined || value === null) return null;
  if (typeof value !== "string") throw fieldError(`${field} must be a string, got ${shown(value)}`);
  checkName(value, field);
  return value;
}

function readTraceNames(value: unknown): string[] {
  if (value === undefined || value === null) return [];
  const names = Array.isArray(value) ? value : [value];
  if (names.length > TRACE_NAMES_MAX) {
    throw fieldError(`traceNames must hold at most ${TRACE_NAMES_MAX} names, got ${names.length}`);
  }
  const read = names.map((name) => {
    if (typeof name !== "string") throw fieldError(`traceNames must be strings, got ${shown(name)}`);
    checkName(name, "traceNames");
    return name;
  });
  return [...new Set(read.filter((name) => name !== ""))];
}

/**
 * Reads the body of a trace event.
 *
 * @throws {@link QueenError} `FIELD_INVALID`, or `BODY_TOO_DEEP` for the data.
 */
export function readTrace(body: DecodedBody): TraceRequest {
  const missing = () => fieldError("transactionId and partitionId are required");
  const value = objectOf(body, missing);
  const { transactionId, partitionId } = value;
  if (typeof transactionId !== "string" || typeof partitionId !== "string") throw missing();
  if (transactionId === "" || partitionId === "") throw missing();
  checkName(transactionId, "transactionId");
  if (value.data === undefined) throw fieldError("data is required");
  const data =
    body.text === null ? cborValueToJson(value.data) : memberText(body.text, skipSpace(body.text, 0), "data");
  return {
    transactionId,
    partitionId: partitionId.slice(0, NAME_LENGTH_MAX),
    data: data!,
    consumerGroup: optionalText(value.consumerGroup, "consumerGroup"),
    eventType: optionalText(value.eventType, "eventType") || "info",
    names: readTraceNames(value.traceNames),
  };
}
