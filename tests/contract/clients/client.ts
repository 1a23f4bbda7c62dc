/**
 * What the published clients have in common on the wire, and where they differ.
 *
 * @module
 */
import type { Api } from "../../support/api.ts";
import type { Answer, Http } from "../../support/http.ts";

/** What a client makes of an answer before its caller sees it. */
export type Reading = (answer: Answer) => Answer["json"];

/** How one published client talks. Its name is that of its language. */
export interface Dialect {
  name: string;
  /** What its caller gets to see of an answer. */
  read: Reading;
  /** Tries in all after 5xx and broken connections, when there is one address. */
  attempts: number;
  /** Headers of every request, those of a GET included. */
  headers: Record<string, string>;
  /** What is sent for an empty object: text, or no body at all. */
  emptyBody: string | undefined;
  /** How names are put into the path of an admin call. */
  encode(name: string): string;
}

/** Reads as JavaScript, Python and PHP do: 204 and no body are null, 4xx and 5xx throw with the error text. */
export const plainReading: Reading = (answer) => {
  if (answer.status >= 400) throw new Error(answer.json?.error ?? `HTTP ${answer.status}`);
  return answer.status === 204 || answer.text === "" ? null : answer.json;
};

/** Reads as Go does: everything is a map, arrays under `data`; any other value is an error. */
export const goReading: Reading = (answer) => {
  if (answer.status >= 400) throw new Error(answer.json?.error ?? `HTTP ${answer.status}`);
  if (answer.status === 204) return {};
  if (Array.isArray(answer.json)) return { data: answer.json };
  if (typeof answer.json !== "object" || answer.json === null) throw new Error(`cannot decode ${answer.text}`);
  return answer.json;
};

/** The JavaScript client (client-v2). */
export const JAVASCRIPT: Dialect = {
  name: "JavaScript",
  headers: { "Content-Type": "application/json" },
  emptyBody: "{}",
  encode: encodeURIComponent,
  read: plainReading,
  attempts: 3,
};

/** The Python client. httpx drops an empty dict: no body, but the header stays. Names are quoted, `/` is not. */
export const PYTHON: Dialect = {
  name: "Python",
  headers: { "Content-Type": "application/json", "User-Agent": "python-httpx/0.27" },
  emptyBody: undefined,
  encode: (name) => encodeURIComponent(name).replaceAll("%2F", "/"),
  read: plainReading,
  attempts: 3,
};

/** The Go client. */
export const GO: Dialect = {
  name: "Go",
  headers: { "Content-Type": "application/json", Accept: "application/json", "User-Agent": "Go-http-client/1.1" },
  emptyBody: "{}",
  encode: encodeURIComponent,
  read: goReading,
  attempts: 4,
};

/** The PHP client. `urlencode()`: a space becomes a plus sign; an empty array is `[]`. */
export const PHP: Dialect = {
  name: "PHP",
  headers: { "Content-Type": "application/json", "User-Agent": "GuzzleHttp/7" },
  emptyBody: "[]",
  encode: (name) => encodeURIComponent(name).replaceAll("%20", "+"),
  read: plainReading,
  attempts: 3,
};

/** All of them. */
export const DIALECTS: readonly Dialect[] = [JAVASCRIPT, PYTHON, GO, PHP];

/** A client as its users see it: calls by path, answers as the client reads them. */
export class Client {
  readonly #http: Http;
  readonly #dialect: Dialect;
  readonly #read: Reading;

  constructor(api: Api, dialect: Dialect) {
    this.#http = api.http;
    this.#dialect = dialect;
    this.#read = dialect.read;
  }

  /** Of its language. */
  get name(): string {
    return this.#dialect.name;
  }

  /** A POST; an object without keys is sent as the dialect sends it. */
  async post(path: string, body: object): Promise<Answer["json"]> {
    const raw = Object.keys(body).length === 0 ? this.#dialect.emptyBody : JSON.stringify(body);
    return this.#read(await this.#http.postRaw(path, raw, this.#dialect.headers));
  }

  async get(path: string): Promise<Answer["json"]> {
    return this.#read(await this.#http.get(path, this.#dialect.headers));
  }

  async del(path: string): Promise<Answer["json"]> {
    return this.#read(await this.#http.call("DELETE", path, { headers: this.#dialect.headers }));
  }

  /** A name as the client puts it into a path. */
  encode(name: string): string {
    return this.#dialect.encode(name);
  }
}

/** The nine options that JavaScript, Python and PHP always send, at their defaults. */
export const NINE_OPTIONS = {
  leaseTime: 300,
  retryLimit: 3,
  delayedProcessing: 0,
  windowBuffer: 0,
  maxSize: 0,
  retentionSeconds: 0,
  completedRetentionSeconds: 0,
  encryptionEnabled: false,
  priority: 0,
};
