/**
 * Sends hostile requests to a server and judges what comes back.
 *
 * @module
 */
import fc from "fast-check";
import { Http, toAnswer, toCbor } from "../support/http.ts";
import { anyRequest, bodyBytes, type FuzzRequest, fillIn } from "./requests.ts";
import type { KnownId } from "./values.ts";

/** Requests that are under way together. */
const TOGETHER = 12;
/** No answer takes longer, in milliseconds: polls are told to wait for 20 ms. */
const ANSWER_MS_MAX = 20_000;
/** Ids of each kind that are remembered. */
const IDS_MAX = 200;
/** What only a program says about itself: stacks, paths, statements, the words of the database and of the runtime. */
const INTERNAL =
  /\bat \S+ \(|\.ts:\d|node_modules|\bselect .{1,200}\bfrom queen|\bqueen\.[a-z_]+|syntax error at or near|PostgresError|violates|relation "|invalid byte sequence|SQLSTATE|is not a function|Cannot read|undefined is not|(Type|Range|Syntax|Reference)Error|\[object Object\]/;
const STATUSES = new Set([200, 201, 204, 304, 400, 404, 405, 409, 410, 413, 414, 415, 417, 426, 431]);

/** What a run found out. */
export interface FuzzReport {
  readonly seed: number;
  readonly requests: number;
  /** Answers by status. */
  readonly statuses: Readonly<Record<number, number>>;
  /** Routes that were answered with success at least once. */
  readonly succeeded: ReadonlySet<string>;
}

/** A run against one server. */
export class Fuzzer {
  readonly #http: Http;
  readonly #ids = new Map<KnownId["kind"], string[]>();
  readonly #statuses: Record<number, number> = {};
  readonly #succeeded = new Set<string>();
  #requests = 0;

  constructor(url: string) {
    this.#http = new Http(url, false);
  }

  /**
   * Sends this many requests.
   *
   * @param seed - Decides all of them, but for the ids that the server draws.
   * @param onProgress - Called now and then with how many were sent.
   * @throws Error that shows the smallest requests found that get a bad answer, and the seed.
   */
  async run(seed: number, requests: number, onProgress?: (sent: number) => void): Promise<FuzzReport> {
    const property = fc.asyncProperty(
      fc.array(anyRequest, { minLength: TOGETHER, maxLength: TOGETHER }),
      async (all) => {
        await Promise.all(all.map((request) => this.#try(request)));
        onProgress?.(this.#requests);
      },
    );
    await fc.assert(property, { seed, numRuns: Math.ceil(requests / TOGETHER), interruptAfterTimeLimit: 3_600_000 });
    return { seed, requests: this.#requests, statuses: this.#statuses, succeeded: this.#succeeded };
  }

  async #try(request: FuzzRequest): Promise<void> {
    const { method, headers } = request;
    const path = this.#pathOf(request);
    const body =
      request.body === undefined
        ? undefined
        : bodyBytes(
            request,
            fillIn(request.body, (known) => this.#idOf(known)),
            toCbor,
          );
    const type = request.format === "cbor" ? "application/cbor" : "application/json";
    const started = performance.now();
    const response = await fetch(this.#http.url + path, {
      method,
      headers: { "content-type": type, ...(request.format === "cbor" && { accept: type }), ...headers },
      redirect: "manual",
      signal: AbortSignal.timeout(ANSWER_MS_MAX),
      ...(body !== undefined && { body: body as BodyInit }),
    }).catch((error: unknown) => {
      throw new Error(`${method} ${path}: no answer after ${Math.round(performance.now() - started)} ms (${error})`);
    });
    this.#requests += 1;
    this.#statuses[response.status] = (this.#statuses[response.status] ?? 0) + 1;
    const bytes = new Uint8Array(await response.arrayBuffer());
    const what = `${method} ${path}`.slice(0, 300);
    const text = new TextDecoder().decode(bytes);
    if (!STATUSES.has(response.status)) throw new Error(`${what} answered ${response.status}: ${text.slice(0, 300)}`);
    let json: unknown;
    try {
      json = toAnswer(response.status, response.headers, bytes).json;
    } catch (error) {
      throw new Error(`${what} answered ${response.status} with what cannot be read: ${error}`);
    }
    const error = response.status >= 400 ? text : errorOf(json);
    const leak = INTERNAL.exec(error)?.[0];
    if (leak !== undefined)
      throw new Error(`${what} answered ${response.status} with "${leak}" in: ${error.slice(0, 300)}`);
    if (response.status < 400 && error === "") this.#succeeded.add(`${method} ${request.route}`);
    this.#learn(json, 0);
  }

  #pathOf({ path, query, route }: FuzzRequest): string {
    const encoded = path.map((segment) => percentEncoded(typeof segment === "string" ? segment : this.#idOf(segment)));
    // The first value of a name counts: no poll of a stranger's choice is waited for.
    const all = /\/pop(\/|$)/.test(route) ? [["timeout", "20"] as const, ...query] : query;
    const pairs = all.map(
      ([name, value]) =>
        `${percentEncoded(name)}=${percentEncoded(typeof value === "string" ? value : this.#idOf(value))}`,
    );
    return `/${encoded.join("/")}${pairs.length === 0 ? "" : `?${pairs.join("&")}`}`.slice(0, 12_000);
  }

  #idOf({ kind, at }: KnownId): string {
    const ids = this.#ids.get(kind) ?? [];
    return ids[at % ids.length] ?? "00000000-0000-7000-8000-000000000000";
  }

  /** Remembers the ids in an answer. */
  #learn(value: unknown, depth: number): void {
    if (typeof value !== "object" || value === null || depth > 3) return;
    for (const [key, member] of Object.entries(value)) {
      const kind = ID_FIELDS[key];
      if (kind !== undefined && typeof member === "string") this.#remember(kind, member);
      else this.#learn(member, depth + 1);
    }
  }

  #remember(kind: KnownId["kind"], id: string): void {
    const ids = this.#ids.get(kind) ?? [];
    this.#ids.set(kind, ids);
    if (ids.length < IDS_MAX) ids.push(id);
    else ids[Math.floor(this.#requests % IDS_MAX)] = id;
  }
}

const ID_FIELDS: Readonly<Record<string, KnownId["kind"]>> = {
  partitionId: "partition",
  partition_id: "partition",
  transactionId: "transaction",
  transaction_id: "transaction",
  leaseId: "lease",
  query_id: "query",
  message_id: "message",
  id: "message",
};

/** The texts of all errors in an answer of success. */
function errorOf(json: unknown): string {
  if (Array.isArray(json)) return json.map(errorOf).join("");
  if (typeof json !== "object" || json === null || !("error" in json)) return "";
  return typeof json.error === "string" ? json.error : "";
}

/** As `encodeURIComponent`, which knows no half characters; a percent sign that begins nothing stays as it is. */
function percentEncoded(text: string): string {
  if (/^%(|zz|ff)$/.test(text)) return text;
  return encodeURIComponent(text.isWellFormed() ? text : text.toWellFormed());
}
