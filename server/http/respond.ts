/**
 * From outcomes to HTTP responses: the headers every answer carries, errors, and a worker's answer.
 *
 * @module
 */

import { SEGMENTS_TYPE } from "../../schema/wire/format.ts";
import type { Answer, AnswerFormat, BodyFormat, Refusal, WorkerResponse } from "../pool/pool.ts";
import type { Denied } from "./auth/denied.ts";
import { STREAM_BYTES_MIN, streamOut } from "./stream.ts";

/** On every answer, so that a page of any origin can use the server. */
const CORS = {
  "access-control-allow-origin": "*",
  "access-control-allow-methods": "GET, POST, PUT, DELETE, OPTIONS",
  "access-control-allow-headers": "Content-Type, Authorization",
};
/** How long a browser may remember the pre-flight's answer, in seconds. */
const PREFLIGHT_MAX_AGE_S = "86400";
const JSON_HEADERS = { "content-type": "application/json", ...CORS };
const CBOR_HEADERS = { "content-type": "application/cbor", ...CORS };
const SEGMENTS_HEADERS = { "content-type": SEGMENTS_TYPE, ...CORS };
// The contract wants a Content-Type on every answer, also where there is no body.
const JSON_OK: ResponseInit = { status: 200, headers: JSON_HEADERS };
const JSON_CREATED: ResponseInit = { status: 201, headers: JSON_HEADERS };
const CBOR_OK: ResponseInit = { status: 200, headers: CBOR_HEADERS };
const SEGMENTS_OK: ResponseInit = { status: 200, headers: SEGMENTS_HEADERS };
const NO_CONTENT: ResponseInit = { status: 204, headers: JSON_HEADERS };

/**
 * The answer to a worker's outcome, or to a refusal, in the format asked for.
 *
 * @param varies - Whether another client could have got it compressed, or this one uncompressed.
 */
export function toResponse(answer: Answer, format: BodyFormat, varies = false): Response {
  if (answer.error !== undefined) return refusalResponse(answer, format);
  const { status, body } = answer;
  if (body === null || status === 204)
    return status === 204 ? emptyResponse() : new Response(null, plainInit(status, format));
  const init = varies
    ? variedInit(answer, answer.format ?? format)
    : answer.retryAfterS === undefined
      ? initFor(status, answer.format ?? format)
      : retryInit(answer.status, format, answer.retryAfterS);
  const isShort = (typeof body === "string" ? body.length : body.byteLength) < STREAM_BYTES_MIN;
  if (!isShort) return new Response(streamOut(typeof body === "string" ? bytesOf(body) : body), init);
  return new Response(body, init);
}

function bytesOf(text: string): ArrayBuffer {
  return new TextEncoder().encode(text).buffer as ArrayBuffer;
}

/** 204: nothing to say, and no body to say it with. */
export function emptyResponse(): Response {
  return new Response(null, NO_CONTENT);
}

/** Answer to a pre-flight request. */
export function preflightResponse(): Response {
  return new Response(null, {
    status: 204,
    headers: { ...JSON_HEADERS, "access-control-max-age": PREFLIGHT_MAX_AGE_S },
  });
}

/** 200 or another status with a JSON value. */
export function jsonResponse(value: unknown, status = 200): Response {
  return new Response(JSON.stringify(value), initFor(status, "json"));
}

/**
 * An error as clients read it: `{"error": message}`.
 *
 * @param headers - Added to those of every answer.
 */
export function errorResponse(
  status: number,
  message: string,
  format: BodyFormat,
  headers?: Record<string, string>,
): Response {
  const init =
    headers === undefined ? initFor(status, format) : { status, headers: { ...headersFor(format), ...headers } };
  return new Response(format === "cbor" ? cborError(message) : JSON.stringify({ error: message }), init);
}

/**
 * The answer to a request that was not let through. Its body was not read: the connection is closed, so that nothing of
 * it can be taken for another request.
 */
export function deniedResponse({ status, message }: Denied, request: Request, binary: boolean): Response {
  const headers: Record<string, string> = {};
  if (status === 401) headers["www-authenticate"] = "Bearer";
  if (request.body !== null) headers.connection = "close";
  return errorResponse(status, message, errorFormatOf(request, binary), headers);
}

/**
 * How to say that a request cannot be answered: CBOR where that was asked for, by header or path, and otherwise JSON,
 * whatever else the headers say: published clients are careless with them.
 */
export function errorFormatOf(request: Request, binary: boolean): BodyFormat {
  return binary || request.headers.get("accept")?.includes("application/cbor") ? "cbor" : "json";
}

function refusalResponse(refusal: Refusal, format: BodyFormat): Response {
  if (refusal.status === 204) return emptyResponse();
  const headers = refusal.retryAfterS === undefined ? undefined : { "retry-after": String(refusal.retryAfterS) };
  return errorResponse(refusal.status, refusal.error, format, headers);
}

function initFor(status: number, format: AnswerFormat): ResponseInit {
  if (format === "segments") return SEGMENTS_OK;
  if (status === 200) return format === "json" ? JSON_OK : CBOR_OK;
  if (status === 201 && format === "json") return JSON_CREATED;
  return plainInit(status, format);
}

function plainInit(status: number, format: BodyFormat): ResponseInit {
  return { status, headers: headersFor(format) };
}

function retryInit(status: number, format: BodyFormat, retryAfterS: number): ResponseInit {
  return { status, headers: { ...headersFor(format), "retry-after": String(retryAfterS) } };
}

function variedInit({ status, coding, retryAfterS }: WorkerResponse, format: AnswerFormat): ResponseInit {
  const headers: Record<string, string> = { ...headersFor(format), vary: "Accept-Encoding" };
  if (coding !== undefined) headers["content-encoding"] = coding;
  if (retryAfterS !== undefined) headers["retry-after"] = String(retryAfterS);
  return { status, headers };
}

function headersFor(format: AnswerFormat): Record<string, string> {
  if (format === "segments") return SEGMENTS_HEADERS;
  return format === "json" ? JSON_HEADERS : CBOR_HEADERS;
}

/** `{"error": message}` in CBOR: a map of one pair of texts, simple enough to do without the codec the workers have. */
function cborError(message: string): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder().encode(message);
  const head = [0xa1, 0x65, 0x65, 0x72, 0x72, 0x6f, 0x72];
  if (text.length < 24) head.push(0x60 + text.length);
  else if (text.length < 256) head.push(0x78, text.length);
  else head.push(0x79, text.length >> 8, text.length & 0xff);
  const bytes = new Uint8Array(head.length + text.length);
  bytes.set(head);
  bytes.set(text, head.length);
  return bytes;
}
