/**
 * The HTTP client of the command line: the public API and nothing else.
 *
 * @module
 */
import { setTimeout as sleep } from "node:timers/promises";
import { CliError, Exit } from "./exit.ts";
import { harmless } from "./output.ts";

/** Where a server is, when nobody says. */
export const URL_DEFAULT = "http://localhost:6632";
const TIMEOUT_MS = 60_000;
const ATTEMPTS = 4;
const PAUSE_MS = 300;

/** Any JSON object of the API; commands name the fields they read. */
// biome-ignore lint/suspicious/noExplicitAny: the fields are those of the OpenAPI document, which tests hold answers against.
export type Json = any;

/** Settings of a request. */
export interface RequestSettings {
  /** JSON text of the body. */
  readonly body?: string;
  /** True when it may be sent again after a failure that leaves its fate open. */
  readonly again?: boolean;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
}

/** An answer with its status. */
export interface ClientAnswer {
  readonly status: number;
  readonly json: Json;
}

/** Calls on one server. */
export class Client {
  readonly url: string;
  readonly #token: string | null;

  /**
   * @param url - As typed; a path at its end is kept.
   * @throws {@link CliError} `usage` when it is no HTTP address.
   */
  constructor(url: string, token: string | null) {
    this.url = baseUrl(url);
    this.#token = token;
  }

  /** @returns The JSON of a 2xx answer; null when it has no body. */
  async get(path: string, query: Query = {}, settings: RequestSettings = {}): Promise<Json> {
    return (await this.call("GET", path + queryText(query), { again: true, ...settings })).json;
  }

  /** As {@link Client.get}, for a POST. Sent again only when `again` says so. */
  async post(path: string, body: unknown, settings: RequestSettings = {}): Promise<Json> {
    return (await this.call("POST", path, { body: JSON.stringify(body), ...settings })).json;
  }

  /** As {@link Client.get}, for a DELETE. */
  async delete(path: string, query: Query = {}): Promise<Json> {
    return (await this.call("DELETE", path + queryText(query), { again: true })).json;
  }

  /** @returns The text of a page that is not JSON. */
  async text(path: string): Promise<string> {
    const response = await this.#fetch("GET", path, {});
    if (!response.ok) throw new CliError(`${this.url}${path} answered ${response.status}`);
    return await response.text();
  }

  /**
   * Sends a request, again after 500, 503 and lost connections if it may be.
   *
   * @returns An answer below 300.
   * @throws {@link CliError} with what the server said: `denied` for 401 and 403, `unreachable` when there is none or its
   *   database is away, else `failed`.
   */
  async call(method: string, path: string, settings: RequestSettings): Promise<ClientAnswer> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#once(method, path, settings);
      } catch (error) {
        const passing = error instanceof PassingError;
        if (!passing || !settings.again || attempt >= ATTEMPTS || settings.signal?.aborted) throw error;
        await sleep(Math.max(PAUSE_MS * attempt, error.waitMs));
      }
    }
  }

  async #once(method: string, path: string, settings: RequestSettings): Promise<ClientAnswer> {
    const response = await this.#fetch(method, path, settings);
    const text = await this.#body(response);
    const json = parse(text);
    if (response.ok) {
      if (json === undefined) throw new CliError(`${this.url} does not answer as a Queen server does`);
      return { status: response.status, json };
    }
    const said = harmless(typeof json?.error === "string" ? json.error : `the server answered ${response.status}`);
    if (response.status === 401) {
      throw new CliError(`${said}: give a token with --token or QUEEN_TOKEN`, Exit.denied);
    }
    if (response.status === 403) throw new CliError(`${said}: this command needs a token of another role`, Exit.denied);
    const waitMs = Math.min(5, Number(response.headers.get("retry-after")) || 0) * 1000;
    if (response.status === 503) throw new PassingError(said, Exit.unreachable, waitMs);
    if (response.status === 500) throw new PassingError(said, Exit.failed, waitMs);
    throw new CliError(said, Exit.failed);
  }

  async #body(response: Response): Promise<string> {
    try {
      return await response.text();
    } catch (error) {
      throw new PassingError(`The connection to ${this.url} broke (${reasonOf(error)})`, Exit.unreachable, 0);
    }
  }

  async #fetch(method: string, path: string, settings: RequestSettings): Promise<Response> {
    const timeout = AbortSignal.timeout(settings.timeoutMs ?? TIMEOUT_MS);
    const signal = settings.signal === undefined ? timeout : AbortSignal.any([timeout, settings.signal]);
    try {
      return await fetch(this.url + path, {
        method,
        signal,
        headers: {
          ...(settings.body !== undefined && { "content-type": "application/json" }),
          ...(this.#token !== null && { authorization: `Bearer ${this.#token}` }),
        },
        ...(settings.body !== undefined && { body: settings.body }),
      });
    } catch (error) {
      if (settings.signal?.aborted) throw error;
      if (timeout.aborted) throw new CliError(`${this.url} did not answer in time`, Exit.unreachable);
      const refused = /ECONNREFUSED|ConnectionRefused|Unable to connect|refused/i.test(reasonOf(error));
      const help = 'start a server with "queen serve", or name another with --url or QUEEN_URL';
      const message = `Cannot reach ${this.url} (${reasonOf(error)}): ${help}`;
      // Nobody listens there: waiting would only delay the news.
      if (refused) throw new CliError(message, Exit.unreachable);
      throw new PassingError(message, Exit.unreachable, 0);
    }
  }
}

/** A failure that may be over in a moment. */
class PassingError extends CliError {
  readonly waitMs: number;

  constructor(message: string, code: number, waitMs: number) {
    super(message, code);
    this.waitMs = waitMs;
  }
}

/** Parameters of a query; those that are undefined are left out. */
export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

function queryText(query: Query): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined);
  if (given.length === 0) return "";
  return `?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}`;
}

/** A path whose parts are names: `path("/api/v1/queues", name, "clear")`. */
export function pathOf(start: string, ...parts: string[]): string {
  return [start, ...parts.map(encodeURIComponent)].join("/");
}

function baseUrl(text: string): string {
  const typed = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`;
  let url: URL;
  try {
    url = new URL(typed);
  } catch {
    throw new CliError(`"${text}" is no address of a server: expected something like ${URL_DEFAULT}`, Exit.usage);
  }
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    throw new CliError(`"${text}" is no address of a server: expected http or https`, Exit.usage);
  }
  return url.origin + url.pathname.replace(/\/+$/, "");
}

/** What TypeScript's library does not know of JSON yet. */
interface SourceJson {
  parse(text: string, reviver: (name: string, value: unknown, context?: { source?: string }) => unknown): unknown;
  rawJSON?(text: string): unknown;
}

/** Parses JSON; numbers that lose digits as JavaScript's own are kept as they were written. Undefined when it is none. */
export function parse(text: string): Json {
  if (text === "") return null;
  try {
    // Without a long run of digits nothing can be lost, and the plain way is much faster.
    if (!/\d{16}|\d[eE]|\.\d{15}/.test(text)) return JSON.parse(text);
    const json = JSON as unknown as SourceJson;
    return json.parse(text, (_name, value, context) =>
      typeof value === "number" && context?.source !== undefined && json.rawJSON && String(value) !== context.source
        ? json.rawJSON(context.source)
        : value,
    );
  } catch {
    return undefined;
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause instanceof Error ? error.cause : error;
  return "code" in cause && typeof cause.code === "string" ? cause.code : cause.message;
}
