/**
 * How clients try again: behind a proxy whose answers get lost, and with a list of servers of which one is gone.
 */
import { afterEach, describe, expect, test } from "bun:test";
import type { Popped } from "../../support/api.ts";
import { Http } from "../../support/http.ts";
import { uniqueName, uuidV7 } from "../../support/names.ts";
import { useSharedServer } from "../../support/shared.ts";
import { DIALECTS, type Dialect } from "./client.ts";

const api = useSharedServer();
/** The clients wait 1 s, then 2 s; nobody here has that long. */
const WAIT_MS = 10;
/** For so long a server that failed is not asked. */
const UNHEALTHY_MS = 5_000;
/** Nobody listens on the discard port. */
const DEAD = "http://127.0.0.1:9";

let proxies: { stop(force: boolean): Promise<void> }[] = [];
afterEach(async () => {
  await Promise.all(proxies.map((proxy) => proxy.stop(true)));
  proxies = [];
});

/**
 * A proxy in front of the server.
 *
 * @param lose - How many answers get lost: the server has done its work, the client gets 502.
 */
function startProxy(lose: number): { url: string; requests: string[] } {
  const requests: string[] = [];
  let left = lose;
  const proxy = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: async (request) => {
      const { pathname, search } = new URL(request.url);
      requests.push(`${request.method} ${pathname}`);
      const body = request.method === "GET" ? {} : { body: await request.arrayBuffer() };
      const answer = await fetch(`${api.http.url}${pathname}${search}`, { method: request.method, ...body });
      const bytes = await answer.arrayBuffer();
      left -= 1;
      if (left >= 0) return new Response("lost", { status: 502 });
      const type = answer.headers.get("content-type") ?? "application/json";
      return new Response(answer.status === 204 ? null : bytes, {
        status: answer.status,
        headers: { "content-type": type },
      });
    },
  });
  proxies.push(proxy);
  return { url: `http://127.0.0.1:${proxy.port}`, requests };
}

/** The transport of the clients: attempts on one address, or one after another of several. */
class Retrying {
  readonly #dialect: Dialect;
  readonly #urls: readonly string[];
  readonly #unhealthyUntil = new Map<string, number>();

  constructor(dialect: Dialect, ...urls: string[]) {
    this.#dialect = dialect;
    this.#urls = urls;
  }

  #targets(): string[] {
    const [first] = this.#urls;
    if (this.#urls.length === 1) return Array.from({ length: this.#dialect.attempts }, () => first!);
    const healthy = this.#urls.filter((url) => (this.#unhealthyUntil.get(url) ?? 0) < Date.now());
    return healthy.length > 0 ? healthy : [...this.#urls];
  }

  async post(path: string, body: object): Promise<ReturnType<Dialect["read"]>> {
    let last: unknown;
    for (const [attempt, url] of this.#targets().entries()) {
      if (attempt > 0 && this.#urls.length === 1)
        await new Promise((resolve) => setTimeout(resolve, WAIT_MS * attempt));
      try {
        const answer = await new Http(url, false).postRaw(path, JSON.stringify(body), this.#dialect.headers);
        if (answer.status < 500) return this.#dialect.read(answer);
        last = new Error(`HTTP ${answer.status}`);
      } catch (error) {
        // Refused by the server, so no other server will say otherwise.
        if (error instanceof Error && !("code" in error)) throw error;
        last = error;
      }
      this.#unhealthyUntil.set(url, Date.now() + UNHEALTHY_MS);
    }
    throw last;
  }
}

const listOf = (answer: { data?: unknown[] } | unknown[]) => (Array.isArray(answer) ? answer : (answer.data ?? []));
const ackOf = ({ transactionId, partitionId, leaseId }: Popped, status: string) => ({
  transactionId,
  partitionId,
  leaseId,
  status,
});

describe.each(DIALECTS.map((dialect) => [dialect.name, dialect] as const))("the %s client", (_name, dialect) => {
  test("repeats a push whose answer was lost: the message is there once", async () => {
    const queue = uniqueName("retry");
    const proxy = startProxy(dialect.attempts - 1);
    const items = [{ queue, partition: "Default", payload: { n: 1 }, transactionId: uuidV7() }];
    const answer = await new Retrying(dialect, proxy.url).post("/api/v1/push", { items });
    expect(listOf(answer)).toMatchObject([{ status: "duplicate", transaction_id: items[0]!.transactionId }]);
    expect(proxy.requests).toHaveLength(dialect.attempts);
    expect(await api.pop(queue, { batch: 10 })).toHaveLength(1);
  });

  test("gives up after its attempts, with what was pushed stored once", async () => {
    const queue = uniqueName("retry");
    const proxy = startProxy(100);
    const items = [{ queue, partition: "Default", payload: { n: 1 }, transactionId: uuidV7() }];
    await expect(new Retrying(dialect, proxy.url).post("/api/v1/push", { items })).rejects.toThrow("HTTP 502");
    expect(proxy.requests).toHaveLength(dialect.attempts);
    expect(await api.pop(queue, { batch: 10 })).toHaveLength(1);
  });

  test("throws a refusal at once, with the text of the server", async () => {
    const proxy = startProxy(0);
    const push = new Retrying(dialect, proxy.url).post("/api/v1/push", { items: "x" });
    await expect(push).rejects.toThrow("items array is required");
    expect(proxy.requests).toHaveLength(1);
  });

  test("repeats acks whose answers were lost: completed is completed, a failure counts once", async () => {
    const queue = uniqueName("retry");
    await api.configure(queue, { retryLimit: 1 });
    await api.pushAll(queue, "p", [1, 2]);
    const [first, second] = await api.pop(queue, { batch: 2 });
    await new Retrying(dialect, startProxy(1).url).post("/api/v1/ack", ackOf(first!, "completed"));
    await new Retrying(dialect, startProxy(1).url).post("/api/v1/ack", ackOf(second!, "failed"));
    const again = await api.pop(queue, { batch: 10 });
    expect(again.map((message) => message.data)).toEqual([2]);
    expect(await api.deadLetters({ queue })).toEqual([]);
  });

  test("goes on with the next server when one is gone, and leaves that one alone for a while", async () => {
    const queue = uniqueName("failover");
    const proxy = startProxy(0);
    const client = new Retrying(dialect, DEAD, proxy.url);
    for (const n of [1, 2]) {
      const items = [{ queue, partition: "Default", payload: { n }, transactionId: uuidV7() }];
      expect(listOf(await client.post("/api/v1/push", { items }))).toMatchObject([{ status: "queued" }]);
    }
    expect((await api.pop(queue, { batch: 10 })).map((message) => message.data)).toEqual([{ n: 1 }, { n: 2 }]);
  });

  test("goes on with the next server when one lost its answer: nothing is doubled", async () => {
    const queue = uniqueName("failover");
    const [failing, good] = [startProxy(1), startProxy(0)];
    const items = [{ queue, partition: "Default", payload: { n: 1 }, transactionId: uuidV7() }];
    const answer = await new Retrying(dialect, failing.url, good.url).post("/api/v1/push", { items });
    expect(listOf(answer)).toMatchObject([{ status: "duplicate" }]);
    expect([failing.requests.length, good.requests.length]).toEqual([1, 1]);
    expect(await api.pop(queue, { batch: 10 })).toHaveLength(1);
  });
});
