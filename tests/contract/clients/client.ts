/**
 * What the published clients have in common on the wire, and where they differ.
 *
 * @module
 */
import type { Api } from "../../support/api.ts";
import type { Answer, Http } from "../../support/http.ts";

/** What a client makes of an answer before its caller sees it. */
export type Reading = (answer: Answer) => Answer["json"];

/** How one published client talks. */
export interface Dialect {
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

/** A client as its users see it: calls by path, answers as the client reads them. */
export class Client {
  readonly #http: Http;
  readonly #dialect: Dialect;
  readonly #read: Reading;

  constructor(api: Api, dialect: Dialect, read: Reading) {
    this.#http = api.http;
    this.#dialect = dialect;
    this.#read = read;
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
