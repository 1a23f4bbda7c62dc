/**
 * A worker that speaks the protocol and has no database: it answers what it was asked, or misbehaves when told to.
 *
 * A pop of queue `news` answers what the worker was told beside requests, `big` as many bytes as
 * `subscriptionFrom` says, `parked` the sum of all parked counters. A small body with the word DIE kills the worker, LOOP keeps it busy for ever, STALL is never answered, REFUSE answers
 * 503, STATE and an object make it say that the instance stands so, DIVERT has worker 0 spool the push (which is full with FULL).
 *
 * @module
 */
import { startHeartbeat } from "../../../workers/heartbeat.ts";
import { INSTANCE_STATE_UNKNOWN } from "../../../workers/protocol/maintenance.ts";
import type { RouterMessage, WorkerMessage, WorkerRequest, WorkerResponse } from "../../../workers/protocol.ts";
import { fromParcel, PARKED_SLOTS } from "../../../workers/protocol.ts";

declare const self: {
  onmessage: (event: MessageEvent<RouterMessage | string>) => void;
  postMessage(message: WorkerMessage, transfers?: ArrayBuffer[]): void;
};

let index = -1;
let counters: Int32Array<ArrayBufferLike> = new Int32Array(0);
let responses: WorkerResponse[] = [];
let transfers: ArrayBuffer[] = [];
const parked = new Map<number, ReturnType<typeof setTimeout>>();
const news: unknown[] = [];

function answer(id: number, status: number, body: string | ArrayBuffer | null, retryAfterS?: number): void {
  if (responses.length === 0) setImmediate(post);
  responses.push({
    id,
    status,
    format: body === null ? null : "json",
    body,
    ...(retryAfterS !== undefined && { retryAfterS }),
  });
  if (body instanceof ArrayBuffer) transfers.push(body);
}

function post(): void {
  self.postMessage({ kind: "responses", responses }, transfers);
  responses = [];
  transfers = [];
}

/** Parks a pop as the engine does: counted in this worker's own region, answered empty when its time is up. */
function park(id: number, timeoutMs: number): void {
  const slot = index * PARKED_SLOTS;
  Atomics.add(counters, slot, 1);
  parked.set(
    id,
    setTimeout(() => unpark(id, true), timeoutMs),
  );
}

function unpark(id: number, answered: boolean): void {
  if (!parked.has(id)) return;
  clearTimeout(parked.get(id));
  parked.delete(id);
  Atomics.sub(counters, index * PARKED_SLOTS, 1);
  if (answered) answer(id, 204, null);
}

function pop(request: Extract<WorkerRequest, { operation: "pop" }>, batchPosition: number): void {
  const { id } = request;
  const { queue, wait, timeoutMs, subscriptionFrom } = request.params;
  if (queue === "news") answer(id, 200, JSON.stringify(news));
  else if (queue === "parked") answer(id, 200, JSON.stringify(counters.reduce((sum, count) => sum + count, 0)));
  else if (queue === "big") answer(id, 200, countedBytes(Number(subscriptionFrom)));
  else if (wait) park(id, timeoutMs);
  else echo(request, batchPosition);
}

/** Bytes that show when one is missing or out of place. */
function countedBytes(length: number): ArrayBuffer {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < Math.min(length, 251); at++) bytes[at] = at;
  for (let filled = 251; filled < length; filled *= 2) bytes.copyWithin(filled, 0, filled);
  return bytes.buffer;
}

function echo(request: WorkerRequest, batchPosition: number): void {
  const { operation, params, bodyFormat, answerFormat, body } = request;
  const shown = body instanceof ArrayBuffer ? { bytes: body.byteLength } : body;
  answer(
    request.id,
    200,
    JSON.stringify({ worker: index, operation, params, bodyFormat, answerFormat, body: shown, batchPosition }),
  );
}

function handle(request: WorkerRequest, batchPosition: number): void {
  const text = typeof request.body === "string" ? request.body : "";
  if (text.includes("DIE")) throw new Error("Told to die");
  while (text.includes("LOOP"));
  if (text.includes("STALL")) return;
  if (text.includes("PUSHED")) self.postMessage({ kind: "pushed", queueIds: [7], partitionIds: [8] });
  if (text.includes("CHANGED")) self.postMessage({ kind: "changed", queueNames: ["q"] });
  if (text.includes("LOG")) self.postMessage({ kind: "log", level: "warn", event: "told_to_log", fields: { a: 1 } });
  if (text.includes("STATE")) {
    const said = JSON.parse(text.slice(text.indexOf("STATE") + 5, text.lastIndexOf("}") + 1));
    self.postMessage({ kind: "state", state: { ...INSTANCE_STATE_UNKNOWN, ...said } });
  }
  if (request.operation === "spoolAppend") {
    answer(request.id, request.params.format === 0 ? 503 : 201, null);
    return;
  }
  if (text.includes("DIVERT")) {
    const params = {
      format: text.includes("FULL") ? 0 : 1,
      messageCount: 1,
      rawBytes: 1,
      queues: [],
      repeatable: true,
    };
    const answer: WorkerResponse = { id: request.id, status: 201, format: "json", body: `"diverted by ${index}"` };
    self.postMessage({ kind: "divert", params, body: new ArrayBuffer(8), answer });
    return;
  }
  if (text.includes("REFUSE")) answer(request.id, 503, '{"error":"Server is busy, try again"}', 2);
  else if (request.operation === "health") answer(request.id, 200, '{"database":"connected"}');
  else if (request.operation === "pop") pop(request, batchPosition);
  else echo(request, batchPosition);
}

self.onmessage = ({ data }) => {
  const message = fromParcel(data);
  switch (message.kind) {
    case "start":
      index = message.settings.index;
      counters = new Int32Array(message.parked);
      if (message.beats !== undefined) startHeartbeat(message.beats, index);
      if (message.settings.instanceId === "never-starts")
        self.postMessage({ kind: "failed", index, reason: "Told not to start" });
      else self.postMessage({ kind: "ready", index });
      return;
    case "requests":
      for (const [position, request] of message.requests.entries()) handle(request, position);
      return;
    case "cancel":
      for (const id of message.ids) unpark(id, false);
      news.push({ kind: "cancel", count: message.ids.length });
      return;
    case "wake":
    case "listen":
    case "publish":
    case "invalidate":
      news.push(message);
      return;
    case "observe":
      return;
    case "stop":
      for (const id of [...parked.keys()]) unpark(id, true);
      setImmediate(() => self.postMessage({ kind: "stopped", index }));
      return;
  }
  message satisfies never;
};
