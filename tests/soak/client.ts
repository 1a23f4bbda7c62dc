/**
 * Requests of a soak, with their latencies and what went wrong.
 *
 * @module
 */

import { Histogram } from "../bench/load/histogram.ts";

/** Kinds of latency that are kept apart. */
export const KINDS = ["push", "pop", "ack", "delivery", "listing"] as const;
/** One of {@link KINDS}. */
export type Kind = (typeof KINDS)[number];

/** Longest a request may take before it counts as failed. */
const REQUEST_MS_MAX = 60_000;

/** An answer of 4xx, 5xx, or none at all. */
export class Refused extends Error {}

/** See the module comment. */
export class Client {
  readonly #url: string;
  /** Since they were last reset. */
  readonly latencies = Object.fromEntries(KINDS.map((kind) => [kind, new Histogram()])) as Record<Kind, Histogram>;
  /** How often something went wrong, by what. */
  readonly errors = new Map<string, number>();
  errorCount = 0;
  /** Pushes that waited on the server's disk because the database was slow. */
  bufferedCount = 0;

  constructor(url: string) {
    this.#url = url;
  }

  /**
   * Sends a request.
   *
   * @param what - Named when it fails.
   * @returns The decoded body; undefined when there is none.
   * @throws {@link Refused} after counting it.
   */
  async send(what: string, method: string, path: string, body?: string): Promise<unknown> {
    try {
      const response = await fetch(this.#url + path, {
        method,
        ...(body === undefined ? {} : { body, headers: { "content-type": "application/json" } }),
        signal: AbortSignal.timeout(REQUEST_MS_MAX),
      });
      const text = await response.text();
      if (!response.ok) throw new Refused(`${response.status} ${text.slice(0, 120)}`);
      if (text === "" || !response.headers.get("content-type")?.startsWith("application/json")) return undefined;
      return JSON.parse(text) as unknown;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.fail(`${what}: ${reason}`);
      throw new Refused(reason);
    }
  }

  /** Counts something that went wrong. */
  fail(what: string): void {
    this.errorCount += 1;
    if (this.errors.size < 50 || this.errors.has(what)) this.errors.set(what, (this.errors.get(what) ?? 0) + 1);
  }
}
