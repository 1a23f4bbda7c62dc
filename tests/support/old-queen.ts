/**
 * Acts as the `Queen` client class of October 2025 did: the same calls, in the same order, with the same quirks.
 *
 * @module
 */
import type { OctoberMessage } from "./october.ts";

/** Pauses of the class, in milliseconds. */
const EMPTY_PAUSE_MS = 100;
const EMPTY_ANSWERS_MAX = 3;
const RETRY_MS = [1_000, 2_000] as const;
const CLIENT_EXTRA_MS = 5_000;

/** What `take` understands. */
export interface TakeOptions {
  batch?: number;
  limit?: number;
  wait?: boolean;
  timeout?: number;
  idleTimeout?: number;
  subscriptionMode?: string;
  subscriptionFrom?: string;
}

interface Address {
  path: string;
  query: Record<string, string>;
  group: string | null;
}

/** An address as the class resolves it: `queue[/partition][@group]`, or `namespace:x[/task:y][@group]`. */
function resolveAddress(address: string): Address {
  const [path, group = null] = address.split("@") as [string, string?];
  if (path.includes("namespace:") || path.includes("task:")) {
    const query: Record<string, string> = {};
    for (const part of path.split("/")) {
      const [name, value] = part.split(":") as [string, string];
      query[name] = value;
    }
    return { path: "/pop", query, group };
  }
  const [queue, partition] = path.split("/");
  // The class takes the default partition for none.
  const named = partition !== undefined && partition !== "Default";
  return { path: `/pop/queue/${queue}${named ? `/partition/${partition}` : ""}`, query: {}, group };
}

/** See the module comment. */
export class OldQueen {
  readonly #base: string;

  /** @param baseUrl - With the path of the dialect. */
  constructor(baseUrl: string) {
    this.#base = `${baseUrl}/api/v1`;
  }

  /** Creates or configures a queue. */
  queue(name: string, options: object = {}, { namespace, task }: { namespace?: string; task?: string } = {}) {
    return this.#withRetry(() => this.#call("POST", "/configure", { queue: name, namespace, task, options }));
  }

  /** Pushes payloads; an item that is `{payload, transactionId}` names its id. */
  push(address: string, payloads: unknown): ReturnType<OldQueen["queue"]> {
    const [queue, partition = "Default"] = address.split("/");
    const items = (Array.isArray(payloads) ? payloads : [payloads]).map((item) => ({
      queue,
      partition,
      ...(typeof item === "object" && item !== null && "_payload" in item
        ? { payload: item._payload, transactionId: item._transactionId }
        : { payload: item }),
    }));
    return this.#withRetry(() => this.#call("POST", "/push", { items }));
  }

  /** Takes messages one by one. */
  async *take(address: string, options: TakeOptions = {}): AsyncGenerator<OctoberMessage> {
    for await (const batch of this.takeBatch(address, options)) yield* batch;
  }

  /** Takes messages batch by batch: until the limit, or three empty answers in a row, or so long without any. */
  async *takeBatch(address: string, options: TakeOptions = {}): AsyncGenerator<OctoberMessage[]> {
    const { batch = 1, limit = Number.POSITIVE_INFINITY, wait = false, timeout = 30_000, idleTimeout } = options;
    const { path, query, group } = resolveAddress(address);
    let taken = 0;
    let empty = 0;
    let lastAt = Date.now();
    while (taken < limit) {
      const params = new URLSearchParams({
        ...query,
        wait: String(wait),
        timeout: String(timeout),
        batch: String(Math.min(batch, limit - taken)),
        ...(group !== null && { consumerGroup: group }),
        ...(options.subscriptionMode !== undefined && { subscriptionMode: options.subscriptionMode }),
        ...(options.subscriptionFrom !== undefined && { subscriptionFrom: options.subscriptionFrom }),
      });
      const answer = await this.#call("GET", `${path}?${params}`, undefined, timeout + CLIENT_EXTRA_MS);
      const messages: OctoberMessage[] = answer?.messages ?? [];
      if (messages.length === 0) {
        empty += 1;
        if (!wait && empty >= EMPTY_ANSWERS_MAX) return;
        if (idleTimeout !== undefined && Date.now() - lastAt >= idleTimeout) return;
        if (!wait) await new Promise((resolve) => setTimeout(resolve, EMPTY_PAUSE_MS));
        continue;
      }
      empty = 0;
      lastAt = Date.now();
      taken += messages.length;
      yield messages;
    }
  }

  /** Acknowledges a message, a list of them (each may carry `_status` and `_error`), or an id. */
  ack(
    message: string | OctoberMessage | readonly (OctoberMessage & { _status?: string; _error?: string })[],
    status: boolean | string = true,
    context: { group?: string; error?: string } = {},
  ): ReturnType<OldQueen["queue"]> {
    const text = status === true ? "completed" : status === false ? "failed" : status;
    const { group = null, error = null } = context;
    if (Array.isArray(message)) {
      const acknowledgments = message.map(({ transactionId, _status = text, _error = error }) => ({
        transactionId,
        status: _status,
        error: _error,
      }));
      return this.#withRetry(() => this.#call("POST", "/ack/batch", { acknowledgments, consumerGroup: group }));
    }
    const transactionId = typeof message === "string" ? message : (message as OctoberMessage).transactionId;
    return this.#withRetry(() =>
      this.#call("POST", "/ack", { transactionId, status: text, error, consumerGroup: group }),
    );
  }

  /** Deletes a queue. */
  queueDelete(name: string): ReturnType<OldQueen["queue"]> {
    return this.#withRetry(() => this.#call("DELETE", `/resources/queues/${name}`));
  }

  /** Three attempts in all on network errors and 5xx; a 4xx is final. */
  // biome-ignore lint/suspicious/noExplicitAny: the class hands on whatever came.
  async #withRetry(attempt: () => Promise<any>): Promise<any> {
    for (const pause of RETRY_MS) {
      try {
        return await attempt();
      } catch (error) {
        if ((error as { final?: boolean }).final) throw error;
        await new Promise((resolve) => setTimeout(resolve, pause));
      }
    }
    return await attempt();
  }

  // biome-ignore lint/suspicious/noExplicitAny: as above.
  async #call(method: string, path: string, body?: unknown, timeoutMs = 35_000): Promise<any> {
    const response = await fetch(this.#base + path, {
      method,
      headers: { "Content-Type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(timeoutMs),
    });
    const text = await response.text();
    const answer = text === "" ? null : JSON.parse(text);
    // It looks at `error` whatever the status.
    if (response.status >= 400 || answer?.error) {
      throw Object.assign(new Error(answer?.error ?? `HTTP ${response.status}`), { final: response.status < 500 });
    }
    return answer;
  }
}
