/**
 * A worker of the pool: decodes requests, calls the engine's verb, encodes answers.
 *
 * States: waiting for `start` → opening → serving → stopping → stopped. What arrives while opening is kept; after `stop`
 * nothing new is expected, parked pops are answered, and `stopped` is the last message.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { type AckResult, renderAckAnswer } from "../schema/wire/ack-answer.ts";
import { readAckBatchRequest, readAckRequest } from "../schema/wire/ack-request.ts";
import { encodeCbor } from "../schema/wire/cbor.ts";
import { codedBody } from "../schema/wire/content-coding.ts";
import { QueenError } from "../schema/wire/errors.ts";
import type { BodyFormat, ContentCoding } from "../schema/wire/format.ts";
import { renderJson, withoutRawJson } from "../schema/wire/json-render.ts";
import { readLeaseAckRequest } from "../schema/wire/lease-ack-request.ts";
import { renderPop } from "../schema/wire/pop-answer.ts";
import { type PushResult, pushResultValue, renderPushAnswer } from "../schema/wire/push-answer.ts";
import { readPushBody } from "../schema/wire/push-request.ts";
import { encodeSegmentAnswer } from "../schema/wire/segment-answer.ts";
import { readTransactionRequest } from "../schema/wire/transaction-request.ts";
import type { Answer } from "./engine/context.ts";
import { countPop } from "./engine/count-work.ts";
import { type Engine, openEngine } from "./engine/engine.ts";
import { tellPopped } from "./engine/event-details.ts";
import { extend } from "./engine/extend.ts";
import { octoberPop } from "./engine/october/pop.ts";
import { octoberPush } from "./engine/october/push.ts";
import type { PopCall } from "./engine/pop.ts";
import { transact } from "./engine/transact.ts";
import { startHeartbeat } from "./heartbeat.ts";
import type { HotOperations } from "./protocol/hot.ts";
import {
  fromParcel,
  type OperationName,
  type RouterMessage,
  TEXT_BODY_BYTES_MAX,
  toParcel,
  type WorkerMessage,
  type WorkerRequest,
  type WorkerResponse,
} from "./protocol.ts";
import { isAway, isConflict, isTimeout } from "./storage/failures.ts";
import { dashboardVerbs } from "./verbs/dashboard.ts";
import { groupVerbs } from "./verbs/groups.ts";
import { listingVerbs } from "./verbs/listings.ts";
import { maintenanceVerbs } from "./verbs/maintenance.ts";
import { messageVerbs } from "./verbs/messages.ts";
import { octoberVerbs } from "./verbs/october.ts";
import { queueVerbs } from "./verbs/queues.ts";
import { sampleVerbs } from "./verbs/samples.ts";
import { streamVerbs } from "./verbs/streams.ts";
import { systemVerbs } from "./verbs/system.ts";
import { bodyOf, optionalBodyOf, type Verb, type Verbs } from "./verbs/verb.ts";

declare const self: {
  onmessage: ((event: MessageEvent<RouterMessage | string>) => void) | null;
  postMessage(message: WorkerMessage | string, transfer?: Transferable[]): void;
};

/** Answer of a verb, already encoded or still a value. */
type Encoded = Pick<WorkerResponse, "status" | "format" | "body" | "coding">;

let engine: Engine | null = null;
let opening: Promise<void> = Promise.resolve();
const pops = new Map<number, PopCall>();
let underWay = 0;
let whenIdle: (() => void) | null = null;

let responses: WorkerResponse[] = [];
let transfer: Transferable[] = [];
let posting = false;

function send(message: WorkerMessage): void {
  self.postMessage(message);
}

/** Answers of one turn of the event loop travel together. */
function respond(id: number, answer: Encoded & { retryAfterS?: number }): void {
  responses.push({ id, ...answer });
  if (answer.body instanceof ArrayBuffer) transfer.push(answer.body);
  if (posting) return;
  posting = true;
  setImmediate(flush);
}

function flush(): void {
  posting = false;
  if (responses.length > 0) {
    self.postMessage(toParcel<WorkerMessage>({ kind: "responses", responses }, responses), transfer);
  }
  responses = [];
  transfer = [];
}

/** Long text leaves as bytes, so that the router need not encode it. */
function textBody(text: string): string | ArrayBuffer {
  if (text.length <= TEXT_BODY_BYTES_MAX) return text;
  const bytes = Buffer.from(text, "utf8");
  return ownBuffer(bytes);
}

function ownBuffer(bytes: Buffer): ArrayBuffer {
  if (bytes.byteOffset === 0 && bytes.byteLength === bytes.buffer.byteLength) return bytes.buffer as ArrayBuffer;
  return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
}

function encode(answer: Answer, format: BodyFormat): Encoded {
  if (answer.value === null) return { status: answer.status, format: null, body: null };
  const body =
    format === "json" ? textBody(renderJson(answer.value)) : ownBuffer(encodeCbor(withoutRawJson(answer.value)));
  return { status: answer.status, format, body };
}

/** An answer that was rendered as JSON text; null: there is nothing to say. */
function encodeText(text: string | null, format: BodyFormat): Encoded {
  if (text === null) return { status: 204, format: null, body: null };
  if (format === "json") return { status: 200, format, body: textBody(text) };
  return encode({ status: 200, value: JSON.parse(text) }, format);
}

function encodeAcks(results: AckResult[], format: BodyFormat): Encoded {
  if (format === "cbor") return encode({ status: 200, value: results }, "cbor");
  return { status: 200, format: "json", body: textBody(renderAckAnswer(results)) };
}

/** Null: the answer comes from worker 0, once it has spooled what the database did not take. */
async function push(engine: Engine, request: WorkerRequest & { operation: "push" }): Promise<Encoded | null> {
  const items = readPushBody(request.body, request.bodyFormat);
  const cbor = request.bodyFormat === "cbor";
  if (request.params.october) {
    engine.spooler?.refuseWhileBuffering();
    const answer = await octoberPush(engine.context, engine.pusher, items, cbor, request.params.producerSub);
    return encode(answer, request.answerFormat);
  }
  if (items.length === 0) return encodePush([], request.answerFormat);
  const { results, diversion } = await engine.door.push(items, cbor, request.params.producerSub);
  const answer = encodePush(results, request.answerFormat);
  if (diversion === null) return answer;
  const body = ownBuffer(diversion.bytes);
  self.postMessage({ kind: "divert", params: diversion.params, body, answer: { id: request.id, ...answer } }, [body]);
  return null;
}

function encodePush(results: PushResult[], format: BodyFormat): Encoded {
  if (format === "json") return { status: 201, format, body: textBody(renderPushAnswer(results)) };
  return encode({ status: 201, value: results.map(pushResultValue) }, format);
}

async function pop(engine: Engine, request: WorkerRequest & { operation: "pop" }): Promise<Encoded> {
  const call: PopCall = { cancelled: false, stop: null };
  pops.set(request.id, call);
  try {
    if (request.params.october) return encodeText(await octoberPop(engine, request.params, call), request.answerFormat);
    const answer = await engine.popper.pop(request.params, call);
    if (!call.cancelled) countPop(engine.context, request.params, answer);
    if (!answer) return { status: 204, format: null, body: null };
    if (engine.context.events.listening) tellPopped(engine.context.events, answer);
    if ("partitions" in answer) return { status: 200, format: "segments", body: encodeSegmentAnswer(answer) };
    return { status: 200, format: request.answerFormat, body: renderPop(answer, request.answerFormat) };
  } finally {
    pops.delete(request.id);
  }
}

/** Every operation that is not hot has exactly one verb, or this does not compile. */
const verbs: Verbs<Exclude<OperationName, keyof HotOperations>> = {
  ...queueVerbs,
  ...messageVerbs,
  ...groupVerbs,
  ...listingVerbs,
  ...streamVerbs,
  ...octoberVerbs,
  ...dashboardVerbs,
  ...maintenanceVerbs,
  ...sampleVerbs,
  ...systemVerbs,
};

/** The one place where operations meet verbs. */
async function carryOut(engine: Engine, request: WorkerRequest): Promise<Encoded | null> {
  const { context } = engine;
  const encoded = async (answer: Promise<Answer>) => encode(await answer, request.answerFormat);
  switch (request.operation) {
    case "push":
      return await push(engine, request);
    case "pop":
      return await pop(engine, request);
    case "ack": {
      return encodeAcks(await engine.acker.ack([readAckRequest(bodyOf(request))], true), request.answerFormat);
    }
    case "ackBatch": {
      const items = readAckBatchRequest(bodyOf(request));
      return encodeAcks(items.length === 0 ? [] : await engine.acker.ack(items, false), request.answerFormat);
    }
    case "transaction": {
      const operations = readTransactionRequest(bodyOf(request));
      if (operations.some(({ type }) => type === "push")) engine.spooler?.refuseWhileBuffering();
      return await encoded(transact(context, engine, operations, request.bodyFormat === "cbor"));
    }
    case "leaseExtend":
      return await encoded(extend(context, request.params.leaseId, optionalBodyOf(request)));
    case "leaseAcknowledge": {
      const said = readLeaseAckRequest(optionalBodyOf(request));
      return await encoded(engine.leaseAcker.acknowledge(request.params.leaseId, said));
    }
    default: {
      // The request's parameters belong to its operation; the union cannot express that for a looked-up verb.
      const verb = verbs[request.operation] as Verb<OperationName>;
      return await encoded(verb({ engine, context, params: request.params, request }));
    }
  }
}

function failure(error: unknown, request: WorkerRequest): Encoded & { retryAfterS?: number } {
  const known =
    error instanceof QueenError
      ? error
      : // What others or the clock rolled back for good is as good as not asked for: the client may try again.
        isAway(error) || isConflict(error) || isTimeout(error)
        ? new QueenError("DATABASE_UNAVAILABLE", {}, { cause: error })
        : new QueenError("INTERNAL", {}, { cause: error });
  if (known.status >= 500) {
    const cause = known.cause ?? known;
    const detail = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
    send({
      kind: "log",
      level: "error",
      event: "request_failed",
      fields: { request: request.id, operation: request.operation, error: detail },
    });
  }
  const answer = encode({ status: known.status, value: { error: known.message } }, request.answerFormat);
  return known.status === 503 ? { ...answer, retryAfterS: 1 } : answer;
}

/** The answer compressed. Segments are compressed already. */
async function coded(answer: Encoded, coding: ContentCoding): Promise<Encoded> {
  const body = answer.body === null || answer.format === "segments" ? null : await codedBody(answer.body, coding);
  return body === null ? answer : { ...answer, body, coding };
}

async function handle(request: WorkerRequest): Promise<void> {
  underWay += 1;
  try {
    await opening;
    const answer = await carryOut(engine!, request);
    if (answer !== null)
      respond(request.id, request.coding === undefined ? answer : await coded(answer, request.coding));
  } catch (error) {
    respond(request.id, failure(error, request));
  } finally {
    underWay -= 1;
    if (engine) engine.context.counters.worker.jobsDone += 1;
    if (underWay === 0) whenIdle?.();
  }
}

function cancel(id: number): void {
  const call = pops.get(id);
  if (!call) return;
  call.cancelled = true;
  call.stop?.();
}

async function start(message: Extract<RouterMessage, { kind: "start" }>): Promise<void> {
  const { settings, parked, beats } = message;
  if (beats !== undefined) startHeartbeat(beats, settings.index);
  try {
    engine = await openEngine(settings, parked, send);
    send({ kind: "ready", index: settings.index });
  } catch (error) {
    send({ kind: "failed", index: settings.index, reason: String(error) });
    throw error;
  }
}

async function stop(): Promise<void> {
  const index = engine?.context.settings.index ?? 0;
  engine?.popper.stop();
  engine?.halt();
  if (underWay > 0) await new Promise<void>((resolve) => (whenIdle = resolve));
  flush();
  await engine?.stop();
  send({ kind: "stopped", index });
}

function receive(message: RouterMessage): void {
  switch (message.kind) {
    case "start":
      opening = start(message);
      // Requests that wait for it get the failure; nobody else needs to.
      opening.catch(() => {});
      break;
    case "requests":
      for (const request of message.requests) handle(request);
      break;
    case "cancel":
      for (const id of message.ids) cancel(id);
      break;
    case "wake":
      engine?.wake(message.queueIds, message.partitionIds);
      break;
    case "invalidate":
      engine?.invalidate(message.queueNames);
      break;
    case "listen":
      engine?.listen(message.here, message.elsewhere);
      break;
    case "publish":
      engine?.publish(message.batch);
      break;
    case "observe":
      if (engine) send({ kind: "observation", id: message.id, observation: engine.observe(underWay) });
      break;
    case "stop":
      stop();
      break;
    default: {
      const never: never = message;
      throw new Error(`Unknown message ${JSON.stringify(never)}`);
    }
  }
}

self.onmessage = (event) => receive(fromParcel(event.data));
