/**
 * One request on its way through a route: decoded on demand, handed to a worker, and answered.
 *
 * @module
 */
import { ERRORS } from "../../schema/wire/errors.ts";
import { CODED_BYTES_MIN, type ContentCoding, SEGMENTS_TYPE } from "../../schema/wire/format.ts";
import type { Config } from "../config.ts";
import type { Observer } from "../observe/observer.ts";
import type { Answer, BodyFormat, LogLine, OperationName, OperationParams, Pool, WorkerRequest } from "../pool/pool.ts";
import type { Guard } from "./auth/guard.ts";
import type { BodyReader } from "./body.ts";
import type { Compression } from "./compression.ts";
import type { SocketHandler } from "./dashboard/socket.ts";
import { checkName, decode, Query } from "./parameters.ts";
import { requestIdOf } from "./request-id.ts";
import { emptyResponse, errorResponse, toResponse } from "./respond.ts";
import { bytesLeaving } from "./stream.ts";

/** What routes share, fixed for the life of the application. */
export interface Services {
  readonly pool: Pool;
  readonly config: Config;
  readonly bodies: BodyReader;
  readonly log: LogLine;
  readonly compression: Compression;
  readonly observer: Observer;
  /** Null when everybody may do everything. */
  readonly guard: Guard | null;
  /** Of this program. */
  readonly version: string;
}

/** What the listener lends to a request. Absent when a test calls the application directly. */
export interface Connection {
  /** Keeps the connection of a request open although nothing will be sent for so many milliseconds. */
  readonly keepOpen: (request: Request, silenceMs: number) => void;
  /** Address of the client of a request that is not answered yet; null when it is not known. */
  readonly addressOf: (request: Request) => string | null;
  /**
   * Makes a WebSocket of a request.
   *
   * @returns What to answer it with; null when the request does not ask for that.
   */
  readonly openSocket: (request: Request, handler: SocketHandler) => Response | null;
}

const CBOR = "application/cbor";
const CBOR_EMPTY_ARRAY = 0x80;
/** How long a pop is held back when answers pile up because clients read too slowly. */
const CONGESTED_HOLD_MS = 1_000;

/** See the module's comment. */
export class Exchange {
  readonly request: Request;
  readonly services: Services;
  /** The `sub` of the verified token; null without one. */
  readonly subject: string | null;
  readonly #connection: Connection | undefined;
  readonly #segments: Readonly<Record<string, number>>;
  readonly #binary: boolean;

  /**
   * @param segments - Where in the path each parameter stands: segments before it.
   * @param binary - The path itself asks for CBOR both ways.
   */
  constructor(
    request: Request,
    services: Services,
    connection: Connection | undefined,
    segments: Readonly<Record<string, number>>,
    binary: boolean,
    subject: string | null,
  ) {
    this.request = request;
    this.services = services;
    this.subject = subject;
    this.#connection = connection;
    this.#segments = segments;
    this.#binary = binary;
  }

  get bodyFormat(): BodyFormat {
    return this.#binary || this.request.headers.get("content-type")?.includes(CBOR) ? "cbor" : "json";
  }

  get answerFormat(): BodyFormat {
    return this.#binary || this.request.headers.get("accept")?.includes(CBOR) ? "cbor" : "json";
  }

  /** Whether a pop is to be answered with the segments its messages are stored in. */
  get wantsSegments(): boolean {
    return !this.#binary && this.request.headers.get("accept")?.includes(SEGMENTS_TYPE) === true;
  }

  /** How a long answer that no worker makes is to be compressed; null: not at all. */
  get coding(): ContentCoding | null {
    return this.services.compression.choose(this.request, () => this.#connection?.addressOf(this.request) ?? null);
  }

  /**
   * A name in the path, percent-decoded.
   *
   * @throws QueenError `FIELD_INVALID` when it is over 255 characters, or no valid UTF-8.
   */
  name(parameter: string): string {
    const segment = pathSegment(this.request.url, this.#segments[parameter]!);
    return checkName(parameter, decode(segment, parameter));
  }

  /** @throws QueenError `FIELD_INVALID` when it is not percent-encoded UTF-8. */
  query(): Query {
    return new Query(this.request.url);
  }

  /**
   * Has a worker carry out an operation whose request has a body.
   *
   * @returns The worker's answer; 400 without asking a worker when the body is empty.
   * @throws QueenError when the body cannot be read.
   */
  async forwardBody<Name extends OperationName>(operation: Name, params: OperationParams[Name]): Promise<Response> {
    const bodyFormat = this.bodyFormat;
    const body = await this.services.bodies.read(this.request, bodyFormat);
    if (body === null) return errorResponse(400, ERRORS.BODY_EMPTY.text, this.answerFormat);
    return this.#send(operation, params, bodyFormat, body);
  }

  /** As {@link Exchange.forwardBody}, where an empty body, and the `[]` of PHP, stand for an object without fields. */
  async forwardOptionalBody<Name extends OperationName>(
    operation: Name,
    params: OperationParams[Name],
  ): Promise<Response> {
    const bodyFormat = this.bodyFormat;
    const body = await this.services.bodies.read(this.request, bodyFormat);
    const isEmptyList =
      typeof body === "string"
        ? body.length < 16 && body.trim() === "[]"
        : body?.byteLength === 1 && new Uint8Array(body)[0] === CBOR_EMPTY_ARRAY;
    return this.#send(operation, params, bodyFormat, isEmptyList ? null : body);
  }

  /** Has a worker carry out an operation without a body. */
  forward<Name extends OperationName>(operation: Name, params: OperationParams[Name]): Promise<Response> {
    return this.#send(operation, params, "json", null);
  }

  /** As {@link Connection.openSocket}; null also where the listener has no sockets. */
  openSocket(handler: SocketHandler): Response | null {
    return this.#connection?.openSocket(this.request, handler) ?? null;
  }

  /** Has a worker carry out a pop, for as long as the client is there to receive its messages. */
  async forwardPop(params: OperationParams["pop"]): Promise<Response> {
    const { config } = this.services;
    // Answers that slow readers have not taken are memory too: no more is fetched until they shrink.
    if (bytesLeaving() > config.workerCount * config.backlog.bytesMax) {
      await new Promise((resolve) =>
        setTimeout(resolve, params.wait ? Math.min(CONGESTED_HOLD_MS, params.timeoutMs) : 0),
      );
      return emptyResponse();
    }
    if (params.wait) this.#connection?.keepOpen(this.request, params.timeoutMs);
    const response = await this.#send("pop", params, "json", null, this.request.signal);
    // Nobody would read, nor cancel, the body.
    return this.request.signal.aborted ? emptyResponse() : response;
  }

  async #send<Name extends OperationName>(
    operation: Name,
    params: OperationParams[Name],
    bodyFormat: BodyFormat,
    body: string | ArrayBuffer | null,
    signal?: AbortSignal,
  ): Promise<Response> {
    const answerFormat = this.answerFormat;
    // `params` belongs to `operation` by the signature above; the union cannot express that for a type parameter.
    const request = { id: 0, operation, params, bodyFormat, answerFormat, body } as WorkerRequest;
    const { compression, pool } = this.services;
    const address = () => this.#connection?.addressOf(this.request) ?? null;
    const coding = compression.choose(this.request, address);
    if (coding !== null) request.coding = coding;
    const answer = await pool.send(request, signal);
    if (answer.status === 500) return this.#failed(request, answer);
    const varies = isLong(answer) && (coding !== null || compression.appliesTo(address));
    return toResponse(answer, answerFormat, varies);
  }

  /** Ties the client's answer to the line its worker logged, which knows the number of the request only. */
  #failed({ id, operation, answerFormat }: WorkerRequest, answer: Answer): Response {
    const requestId = requestIdOf(this.request);
    const { method, url } = this.request;
    const { pathname } = new URL(url);
    this.services.log("error", "request_answered_500", {
      request_id: requestId,
      request: id,
      operation,
      method,
      path: pathname,
    });
    const response = toResponse(answer, answerFormat);
    response.headers.set("x-request-id", requestId);
    return response;
  }
}

/** Whether an answer would be compressed for a client that accepts it. */
function isLong(answer: Answer): boolean {
  if (answer.error !== undefined || answer.body === null || answer.format === "segments") return false;
  if (answer.coding !== undefined) return true;
  const { body } = answer;
  return (typeof body === "string" ? body.length : body.byteLength) >= CODED_BYTES_MIN;
}

/** The text between two slashes of a URL's path, still encoded. */
function pathSegment(url: string, index: number): string {
  let start = url.indexOf("/", url.indexOf("//") + 2) + 1;
  for (let passed = 0; passed < index; passed++) start = url.indexOf("/", start) + 1;
  for (let end = start; end < url.length; end++) {
    const code = url.charCodeAt(end);
    if (code === SLASH || code === QUESTION_MARK || code === HASH) return url.slice(start, end);
  }
  return url.slice(start);
}

const SLASH = 47;
const QUESTION_MARK = 63;
const HASH = 35;
