/**
 * A producer: pushes numbered messages to one partition, one request at a time, as fast as it is answered or at a pace.
 *
 * @module
 */

import { buildPayload, seededRandom } from "../bench/load/payloads.ts";
import type { Client } from "./client.ts";
import type { Ledger } from "./ledger.ts";
import type { QueuePlan } from "./scene.ts";

const PAYLOAD_BYTES = 240;
const PAYLOADS_KEPT = 256;
const RETRY_MS = 100;
/** In the closed loop, producers wait while their queue has more than this that is not resolved. */
const BACKLOG_MAX = 20_000;
const BACKLOG_LOOK_MS = 10;

/** How the load runs now; shared by all that take part. */
export interface Tempo {
  /** Producers begin nothing new. */
  stopping: boolean;
  /** Consumers end. */
  over: boolean;
  /** Milliseconds between two requests of a producer, by queue; absent: as fast as answered. */
  intervalMs: Map<string, number>;
}

interface PushResult {
  status: string;
  error?: string;
}

/** See the module comment. */
export class Producer {
  readonly #plan: QueuePlan;
  readonly #partition: string;
  readonly #client: Client;
  readonly #ledger: Ledger;
  readonly #tempo: Tempo;
  readonly #orders: string[];
  #next = 0;
  #requests = 0;

  constructor(plan: QueuePlan, index: number, client: Client, ledger: Ledger, tempo: Tempo) {
    this.#plan = plan;
    this.#partition = `${plan.queue}-${index}`;
    this.#client = client;
    this.#ledger = ledger;
    this.#tempo = tempo;
    const random = seededRandom(index + 1);
    this.#orders = Array.from({ length: PAYLOADS_KEPT }, (_, at) => buildPayload(random, "soak", PAYLOAD_BYTES, at));
  }

  /** Requests answered so far, repeats among them. */
  get requests(): number {
    return this.#requests;
  }

  /** Messages accepted so far. */
  get pushedMessages(): number {
    return this.#next;
  }

  /** Pushes until the tempo says stop. Never rejects. */
  async play(): Promise<void> {
    let dueAt = performance.now();
    while (!this.#tempo.stopping) {
      const intervalMs = this.#tempo.intervalMs.get(this.#plan.queue);
      if (intervalMs === undefined) {
        if (this.#ledger.backlog > BACKLOG_MAX) {
          await Bun.sleep(BACKLOG_LOOK_MS);
          continue;
        }
        dueAt = performance.now();
      } else {
        // An offered load does not wait for the server: what is late is sent at once, and its latency counts from when it was due.
        dueAt += intervalMs * (0.5 + Math.random());
        const waitMs = dueAt - performance.now();
        if (waitMs > 0) await Bun.sleep(waitMs);
      }
      await this.#pushOnce(dueAt);
    }
  }

  async #pushOnce(dueAt: number): Promise<void> {
    const { perRequest, repeatEvery } = this.#plan;
    const body = this.#body(perRequest);
    await this.#deliver(body, dueAt, ["queued"]);
    this.#next += perRequest;
    if (this.#requests % repeatEvery === 0) await this.#deliver(body, performance.now(), ["duplicate"]);
  }

  /** Sends until it is accepted; what is sent again may have been stored the first time. */
  async #deliver(body: string, dueAt: number, wanted: string[]): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        const results = (await this.#client.send("push", "POST", "/api/v1/push", body)) as PushResult[];
        this.#client.latencies.push.record(performance.now() - dueAt);
        this.#check(results, attempt === 1 ? wanted : [...wanted, "duplicate"]);
        this.#requests += 1;
        if (wanted.includes("queued")) this.#ledger.pushed(this.#partition, results.length);
        return;
      } catch {
        if (this.#tempo.over) return;
        await Bun.sleep(RETRY_MS);
      }
    }
  }

  #check(results: PushResult[], wanted: string[]): void {
    for (const { status, error } of results) {
      if (status === "buffered") this.#client.bufferedCount += 1;
      else if (!wanted.includes(status))
        this.#ledger.violation(`a push to ${this.#partition} was ${status} ${error ?? ""}, not ${wanted.join(" or ")}`);
    }
  }

  #body(count: number): string {
    const { queue, ids } = this.#plan;
    const at = Date.now();
    const items: string[] = [];
    for (let number = this.#next; number < this.#next + count; number++) {
      const id = ids === "text" ? `${this.#partition}/${number}` : Bun.randomUUIDv7();
      const order = this.#orders[number % PAYLOADS_KEPT]!;
      items.push(
        `{"queue":"${queue}","partition":"${this.#partition}","transactionId":"${id}","payload":{"number":${number},"at":${at},"order":${order}}}`,
      );
    }
    return `{"items":[${items.join(",")}]}`;
  }
}
