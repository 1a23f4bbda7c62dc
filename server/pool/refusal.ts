/**
 * Answers that the router gives in a worker's place: the backlog is full, or the worker died with the request.
 *
 * @module
 */
import type { WorkerRequest } from "../../workers/protocol.ts";

/** An answer without a worker. `status` 204 has no body, whatever `error` says. */
export interface Refusal {
  readonly status: 204 | 409 | 500 | 503;
  /** One sentence for the client. */
  readonly error: string;
  /** Seconds. */
  readonly retryAfterS?: number;
}

/** An empty pop: the one answer after which every client simply polls again. */
export const EMPTY: Refusal = Object.freeze({ status: 204, error: "No messages" });

const BUSY: Refusal = Object.freeze({ status: 503, error: "Too many requests in flight, try again", retryAfterS: 1 });
const DOWN: Refusal = Object.freeze({ status: 503, error: "No worker is available, try again", retryAfterS: 1 });
const STOPPING: Refusal = Object.freeze({ status: 503, error: "The server is stopping, try again", retryAfterS: 1 });
const RETRYABLE: Refusal = Object.freeze({ status: 500, error: "The request was interrupted, try again" });
const STUCK: Refusal = Object.freeze({ status: 503, error: "The worker did not answer, try again", retryAfterS: 1 });
const UNKNOWN: Refusal = Object.freeze({
  status: 409,
  error: "The request was interrupted and may have taken effect: repeating it could store messages twice",
});

/** Why a request is not handed to a worker. */
export type RefusalReason = "busy" | "down" | "stopping";

/**
 * Answer to a request that no worker has seen.
 *
 * @returns For a pop always {@link EMPTY}: consume loops of published clients end on any 4xx or 5xx.
 */
export function refusalFor(request: WorkerRequest, reason: RefusalReason): Refusal {
  if (request.operation === "pop") return EMPTY;
  if (reason === "busy") return BUSY;
  return reason === "down" ? DOWN : STOPPING;
}

/**
 * Answer to a request whose worker died: it may have taken effect, or not.
 *
 * Clients repeat a request after a 5xx. Everything may be repeated but a push that leaves the choice of transaction ids
 * to the server: it would store its messages twice, so it gets a 4xx, which clients report and never repeat. Whether a
 * large body carries ids is not known any more, since it was handed over unread; it counts as one that does not.
 *
 * @param isStuck - The worker had not answered for long and was ended: what may be repeated gets 503.
 */
export function interruptionFor(request: WorkerRequest, isStuck = false): Refusal {
  if (request.operation === "pop") return EMPTY;
  if (request.operation === "transaction") return UNKNOWN;
  const retryable = isStuck ? STUCK : RETRYABLE;
  if (request.operation === "spoolAppend") return request.params.repeatable ? retryable : UNKNOWN;
  if (request.operation === "push" && !everyItemHasId(request.body)) return UNKNOWN;
  if (request.operation === "streamCycle" && !isRecognised(request.body)) return UNKNOWN;
  return retryable;
}

/**
 * True when the body is small JSON of a cycle that names its lease, by which it is known again, or whose pushed items all
 * carry a transaction id.
 */
function isRecognised(body: WorkerRequest["body"]): boolean {
  const parsed = smallJson(body);
  if (!isRecord(parsed)) return false;
  const { ack, push_items: items } = parsed;
  const hasLease = isRecord(ack) && typeof ack.leaseId === "string" && ack.leaseId !== "";
  return hasLease || allHaveIds(items ?? []);
}

/** True when the body is small JSON whose items all carry a transaction id, so that repeating it is harmless. */
function everyItemHasId(body: WorkerRequest["body"]): boolean {
  const parsed = smallJson(body);
  return isRecord(parsed) && allHaveIds(parsed.items);
}

function allHaveIds(items: unknown): boolean {
  if (!Array.isArray(items)) return false;
  return items.every((item) => isRecord(item) && typeof item.transactionId === "string" && item.transactionId !== "");
}

/** The value of a body that was small enough to be kept; undefined otherwise. */
function smallJson(body: WorkerRequest["body"]): unknown {
  if (typeof body !== "string") return undefined;
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
