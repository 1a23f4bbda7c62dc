/**
 * A small HTTP client that shows exactly what came over the wire.
 *
 * @module
 */
import { Decoder, Encoder } from "cbor-x";
import { checkDocumented } from "./documented.ts";

const encoder = new Encoder({ useRecords: false, mapsAsObjects: true, variableMapSize: true });
const decoder = new Decoder({ useRecords: false, mapsAsObjects: true });

/** An answer. `body` is untyped: tests state the shape they expect. */
export interface Answer {
  status: number;
  headers: Headers;
  /** Body as text; empty when there was none. For a CBOR answer, meaningless. */
  text: string;
  bytes: Uint8Array;
  /** Decoded by the Content-Type of the answer; `undefined` when the body is empty or neither JSON nor CBOR. */
  // biome-ignore lint/suspicious/noExplicitAny: the wire is untyped; every test asserts the shape it needs.
  json: any;
}

/** What may go into a request besides method and path. */
export interface Call {
  /** Sent as it is. */
  raw?: string | Uint8Array;
  /** Sent as JSON text. */
  json?: unknown;
  /** Sent as CBOR, and CBOR is asked for. */
  cbor?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

/** @returns The value as CBOR, maps with text keys. */
export function toCbor(value: unknown): Uint8Array {
  return new Uint8Array(encoder.encode(value));
}

/** @returns The value that CBOR bytes hold. */
export function fromCbor(bytes: Uint8Array): unknown {
  return decoder.decode(bytes);
}

/** Client of one server. */
export class Http {
  /** Base address without a trailing slash. */
  url: string;
  readonly #documented: boolean;

  /** @param documented - Whether every answer must be what the OpenAPI document says; false for servers that only echo. */
  constructor(url: string, documented = true) {
    this.url = url;
    this.#documented = documented;
  }

  /** Sends one request; HTTP errors are answers, only a broken connection, or an answer that is not as documented, throws. */
  async call(method: string, path: string, call: Call = {}): Promise<Answer> {
    const headers: Record<string, string> = {};
    let body: string | Uint8Array | undefined = call.raw;
    if ("json" in call) {
      body = JSON.stringify(call.json);
      headers["content-type"] = "application/json";
    } else if ("cbor" in call) {
      body = toCbor(call.cbor);
      headers["content-type"] = "application/cbor";
      headers.accept = "application/cbor";
    }
    const response = await fetch(this.url + path, {
      method,
      headers: { ...headers, ...call.headers },
      ...(body === undefined ? {} : { body: body as BodyInit }),
      ...(call.signal === undefined ? {} : { signal: call.signal }),
    });
    const answer = toAnswer(response.status, response.headers, new Uint8Array(await response.arrayBuffer()));
    if (this.#documented) checkDocumented(method, path, answer);
    return answer;
  }

  get(path: string, headers: Record<string, string> = {}): Promise<Answer> {
    return this.call("GET", path, { headers });
  }

  post(path: string, json: unknown): Promise<Answer> {
    return this.call("POST", path, { json });
  }

  /** A POST without any body, or with this one as it is. */
  postRaw(path: string, raw?: string | Uint8Array, headers: Record<string, string> = {}): Promise<Answer> {
    return this.call("POST", path, raw === undefined ? { headers } : { raw, headers });
  }

  postCbor(path: string, cbor: unknown): Promise<Answer> {
    return this.call("POST", path, { cbor });
  }

  getCbor(path: string): Promise<Answer> {
    return this.call("GET", path, { headers: { accept: "application/cbor" } });
  }

  del(path: string): Promise<Answer> {
    return this.call("DELETE", path);
  }
}

/** @returns The answer with its body decoded by its Content-Type. */
export function toAnswer(status: number, headers: Headers, bytes: Uint8Array): Answer {
  const type = headers.get("content-type") ?? "";
  const text = new TextDecoder().decode(bytes);
  let json: unknown;
  if (bytes.length > 0 && type.startsWith("application/json")) json = JSON.parse(text);
  if (bytes.length > 0 && type.startsWith("application/cbor")) json = fromCbor(bytes);
  return { status, headers, text, bytes, json };
}
