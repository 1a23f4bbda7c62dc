/**
 * Those who use the server beside an overload: a calm queue's producer and consumer, an operator who looks. Each asks, waits for
 * the answer, pauses, and asks again.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { Histogram } from "../../bench/load/histogram.ts";

const PAUSE_MS = 25;
const SLOW_PAUSE_MS = 500;

/** What one of them saw. */
export interface Probe {
  name: string;
  count: number;
  p50Ms: number;
  p99Ms: number;
  maxMs: number;
  /** Answers that were not what was asked for, by status. */
  wrong: Record<string, number>;
}

/** See the module. */
export class Probes {
  readonly #url: string;
  readonly #queue: string;
  readonly #figures = new Map<string, { times: Histogram; wrong: Record<string, number> }>();
  readonly #running: Promise<void>[] = [];
  #stopping = false;
  #number = 0;

  /** @param queue - The calm queue; its own, so that nobody else consumes from it. */
  constructor(url: string, queue: string) {
    this.#url = url;
    this.#queue = queue;
  }

  /** Begins. */
  start(): void {
    this.#repeat(PAUSE_MS, () => this.push());
    this.#repeat(PAUSE_MS, () => this.#consume());
    this.#repeat(SLOW_PAUSE_MS, () => this.#get("health", "/health"));
    this.#repeat(SLOW_PAUSE_MS, () => this.#get("list of queues", "/api/v1/resources/queues"));
  }

  /** Ends, once everything asked is answered. @returns What each saw. */
  async stop(): Promise<Probe[]> {
    this.#stopping = true;
    await Promise.all(this.#running);
    return [...this.#figures].map(([name, { times, wrong }]) => ({
      name,
      count: times.total,
      p50Ms: times.quantileMs(0.5),
      p99Ms: times.quantileMs(0.99),
      maxMs: times.maxMs,
      wrong,
    }));
  }

  /** Pushes one message into the calm queue. @returns How long it took. */
  async push(): Promise<number> {
    this.#number += 1;
    const item = { queue: this.#queue, partition: "p", payload: { number: this.#number } };
    return await this.#ask("push", "POST", "/api/v1/push", { items: [item] }, (status) => status === 201);
  }

  async #consume(): Promise<void> {
    const startedAt = performance.now();
    const answer = await fetch(
      `${this.#url}/api/v1/pop/queue/${this.#queue}?batch=1&wait=true&timeout=5000&consumerGroup=calm`,
    );
    const text = await answer.text();
    if (answer.status !== 200) {
      // With nothing pushed meanwhile it waited for its whole time, which is no wrong answer.
      if (answer.status !== 204) this.#note("pop", 0, answer.status);
      return;
    }
    const { messages } = JSON.parse(text) as {
      messages: { transactionId: string; partitionId: string; leaseId: string; createdAt: string }[];
    };
    const [message] = messages;
    if (message === undefined) return;
    // From the commit of the push, or from when the pop began if that was later.
    const waitedMs = Math.min(performance.now() - startedAt, Date.now() - Date.parse(message.createdAt));
    this.#note("pop", Math.max(0.001, waitedMs), null);
    const { transactionId, partitionId, leaseId } = message;
    const ack = { transactionId, partitionId, leaseId, status: "completed", consumerGroup: "calm" };
    await this.#ask("ack", "POST", "/api/v1/ack", ack, (status) => status === 200);
  }

  async #get(name: string, path: string): Promise<void> {
    await this.#ask(name, "GET", path, undefined, (status) => status === 200);
  }

  async #ask(
    name: string,
    method: string,
    path: string,
    body: unknown,
    isRight: (status: number) => boolean,
  ): Promise<number> {
    const startedAt = performance.now();
    const answer = await fetch(`${this.#url}${path}`, {
      method,
      ...(body !== undefined && { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
    });
    await answer.arrayBuffer();
    const ms = performance.now() - startedAt;
    this.#note(name, ms, isRight(answer.status) ? null : answer.status);
    return ms;
  }

  #note(name: string, ms: number, wrongStatus: number | null): void {
    let entry = this.#figures.get(name);
    if (entry === undefined) {
      entry = { times: new Histogram(), wrong: {} };
      this.#figures.set(name, entry);
    }
    if (wrongStatus === null) entry.times.record(ms);
    else entry.wrong[wrongStatus] = (entry.wrong[wrongStatus] ?? 0) + 1;
  }

  #repeat(pauseMs: number, once: () => Promise<unknown>): void {
    const run = async () => {
      while (!this.#stopping) {
        await once();
        await Bun.sleep(pauseMs);
      }
    };
    this.#running.push(run());
  }
}

/** Resident memory of a process in MB, threads and all. */
export function residentMb(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1024;
}
