/**
 * Which worker gets a request. Pure, and only a matter of speed: any worker can carry out any request.
 *
 * Small requests of one queue meet in one worker, so that they share its flushes (group commit). Large bodies cost
 * parsing, so they spread by partition, and away from a worker that is much busier than the others. An acknowledgement
 * goes to the worker that handed the messages out and still remembers them.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { leaseWorkerIndex, type WorkerRequest } from "../../workers/protocol.ts";

/** A push body under this many bytes is steered by its queue alone. */
export const SMALL_BODY_BYTES_MAX = 16 * 1024;
/** A pop of fewer messages is steered by its queue alone. */
export const SMALL_BATCH_MAX = 100;
/** How far into a body the first item is looked for. */
const LOOK_BYTES_MAX = 2048;
/** A worker this far ahead of the least loaded one, in bytes in flight, is passed over for large bodies. */
const IMBALANCE_BYTES_MAX = 4 * 1024 * 1024;

/** What the choice looks at, one per worker, by index. */
export interface Load {
  /** False while the worker is being replaced. */
  readonly alive: boolean;
  /** Requests without an answer, parked polls not counted. */
  readonly requestCount: number;
  /** Bytes of the bodies of those requests. */
  readonly byteCount: number;
}

/**
 * Chooses the worker for a request.
 *
 * @param request - Its body is looked at (first 2 KiB), never parsed.
 * @param loads - One per worker, at least one.
 * @returns An index into `loads` of a worker that is alive, or -1 when none is.
 */
export function spread(request: WorkerRequest, loads: readonly Load[]): number {
  const wanted = loads.length === 1 ? 0 : preferredIndex(request, loads);
  if (wanted !== -1 && loads[wanted]!.alive) return wanted;
  return leastLoaded(loads);
}

function preferredIndex(request: WorkerRequest, loads: readonly Load[]): number {
  switch (request.operation) {
    case "push":
    case "transaction":
      return pushIndex(request.body, loads);
    case "pop": {
      const { queue, partition, batch } = request.params;
      if (queue === undefined) return hash(request.params.namespace ?? request.params.task ?? "") % loads.length;
      if (batch < SMALL_BATCH_MAX) return hash(queue) % loads.length;
      return partition === undefined ? -1 : hash(partition, hash(queue)) % loads.length;
    }
    case "ack":
    case "ackBatch":
    case "streamCycle":
      return ackIndex(lookAt(request.body), loads.length);
    case "leaseExtend":
    case "leaseAcknowledge":
      return leaseIndex(request.params.leaseId, loads.length);
    case "maintenanceGet":
    case "maintenanceSet":
    case "popMaintenanceGet":
    case "popMaintenanceSet":
    case "bufferStatus":
    case "spoolAppend":
      return 0;
    default:
      return -1;
  }
}

function pushIndex(body: WorkerRequest["body"], loads: readonly Load[]): number {
  const text = lookAt(body);
  const queue = textField(text, "queue");
  if (queue === null) return -1;
  if (bodySize(body) < SMALL_BODY_BYTES_MAX) return hash(queue) % loads.length;
  const index = hash(textField(text, "partition") ?? "", hash(queue)) % loads.length;
  let fewest = Number.POSITIVE_INFINITY;
  for (const load of loads) if (load.alive && load.byteCount < fewest) fewest = load.byteCount;
  return loads[index]!.byteCount - fewest > IMBALANCE_BYTES_MAX ? -1 : index;
}

function ackIndex(text: string, workerCount: number): number {
  const index = leaseIndex(textField(text, "leaseId") ?? "", workerCount);
  if (index !== -1) return index;
  const partitionId = textField(text, "partitionId");
  return partitionId === null ? -1 : hash(partitionId) % workerCount;
}

function leaseIndex(leaseId: string, workerCount: number): number {
  const index = leaseWorkerIndex(leaseId);
  return index === null || index >= workerCount ? -1 : index;
}

function leastLoaded(loads: readonly Load[]): number {
  let best = -1;
  for (let index = 0; index < loads.length; index++) {
    const load = loads[index]!;
    if (!load.alive) continue;
    if (best === -1) best = index;
    const other = loads[best]!;
    if (load.byteCount < other.byteCount) best = index;
    else if (load.byteCount === other.byteCount && load.requestCount < other.requestCount) best = index;
  }
  return best;
}

/**
 * Which queue a request is for, as far as can be told without parsing it.
 *
 * @param marks - How many values there are; a power of two.
 * @returns A number under `marks` that is the same for all requests of one queue and kind; -1 when the request names none.
 */
export function queueMark(request: WorkerRequest, marks: number): number {
  const name = queueText(request);
  return name === null ? -1 : hash(name) & (marks - 1);
}

function queueText(request: WorkerRequest): string | null {
  switch (request.operation) {
    case "push":
    case "transaction":
      return textField(lookAt(request.body), "queue");
    case "pop": {
      const { queue, namespace, task } = request.params;
      return queue ?? namespace ?? task ?? null;
    }
    // Ids of leases and partitions begin with eight digits that are the queue's.
    case "leaseExtend":
    case "leaseAcknowledge":
      return request.params.leaseId.slice(0, 8);
    case "ack":
    case "ackBatch":
    case "streamCycle": {
      const text = lookAt(request.body);
      return (textField(text, "partitionId") ?? textField(text, "leaseId"))?.slice(0, 8) ?? null;
    }
    default:
      return null;
  }
}

/** Size of a body in bytes; for text its UTF-16 length, which is as good for the purpose. */
export function bodySize(body: WorkerRequest["body"]): number {
  if (body === null) return 0;
  return typeof body === "string" ? body.length : body.byteLength;
}

/** The start of a body as text: bytes map to characters one to one, so that names compare but do not display. */
function lookAt(body: WorkerRequest["body"]): string {
  if (body === null) return "";
  if (typeof body === "string") return body;
  return Buffer.from(body, 0, Math.min(body.byteLength, LOOK_BYTES_MAX)).toString("latin1");
}

/**
 * The raw text of the first JSON string field of a name, escapes left as they are. A match inside another string does
 * no harm: it only picks another worker.
 *
 * @returns The text, or null when it is not found in the first 2 KiB.
 */
function textField(text: string, name: string): string | null {
  const key = `"${name}"`;
  let at = text.indexOf(key);
  if (at === -1 || at > LOOK_BYTES_MAX) return null;
  at = skipSpace(text, at + key.length);
  if (text.charCodeAt(at) !== COLON) return null;
  at = skipSpace(text, at + 1);
  if (text.charCodeAt(at) !== QUOTE) return null;
  const end = text.indexOf('"', at + 1);
  return end === -1 ? null : text.slice(at + 1, end);
}

const COLON = 58;
const QUOTE = 34;

function skipSpace(text: string, from: number): number {
  let at = from;
  for (let code = text.charCodeAt(at); code === 32 || (code >= 9 && code <= 13); ) code = text.charCodeAt(++at);
  return at;
}

/** FNV-1a over UTF-16 code units, low bits mixed (FNV's lowest bit is a mere parity); unsigned 32 bits. */
function hash(text: string, seed = 0x811c9dc5): number {
  let value = seed;
  for (let index = 0; index < text.length; index++) value = Math.imul(value ^ text.charCodeAt(index), 0x01000193);
  value = Math.imul(value ^ (value >>> 15), 0x2c1b3c6d);
  return (value ^ (value >>> 13)) >>> 0;
}
