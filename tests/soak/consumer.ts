/**
 * A consumer: pops, accounts for what it got, acknowledges, and pops again.
 *
 * @module
 */

import type { Client } from "./client.ts";
import type { Ledger } from "./ledger.ts";
import type { Tempo } from "./producer.ts";
import { accountName, fails, type QueuePlan } from "./scene.ts";

const WAIT_MS = 2_000;
const RETRY_MS = 100;
const PARTITIONS_PER_POP = 4;

interface Message {
  transactionId: string;
  partitionId: string;
  partition: string;
  leaseId: string;
  data: { number: number; at: number };
}

interface AckResult {
  success: boolean;
  error: string | null;
  dlq: boolean;
}

/** See the module comment. */
export class Consumer {
  readonly #plan: QueuePlan;
  readonly #group: string | null;
  readonly #client: Client;
  readonly #ledger: Ledger | null;
  readonly #tempo: Tempo;
  readonly #query: string;
  #deadLetters = 0;

  /** @param ledger - Null for a group that is moved back and forth, whose deliveries prove nothing. */
  constructor(plan: QueuePlan, group: string | null, client: Client, ledger: Ledger | null, tempo: Tempo) {
    this.#plan = plan;
    this.#group = group;
    this.#client = client;
    this.#ledger = ledger;
    this.#tempo = tempo;
    const query = new URLSearchParams({ batch: String(plan.batch), partitions: String(PARTITIONS_PER_POP) });
    if (group !== null) query.set("consumerGroup", group);
    this.#query = query.toString();
  }

  /** Messages this consumer gave up. */
  get deadLetters(): number {
    return this.#deadLetters;
  }

  /** Consumes until the tempo says that it is over. Never rejects. */
  async play(): Promise<void> {
    let waits = false;
    while (!this.#tempo.over) {
      try {
        const messages = await this.#pop(waits);
        waits = messages.length === 0;
        if (messages.length > 0) await this.#handle(messages);
      } catch {
        await Bun.sleep(RETRY_MS);
      }
    }
  }

  /** A pop that may wait says nothing about the server's speed: only the others are measured. */
  async #pop(waits: boolean): Promise<Message[]> {
    const path = `/api/v1/pop/queue/${this.#plan.queue}?${this.#query}${waits ? `&wait=true&timeout=${WAIT_MS}` : ""}`;
    const startedAt = performance.now();
    const answer = (await this.#client.send("pop", "GET", path)) as { messages: Message[] } | undefined;
    if (!waits) this.#client.latencies.pop.record(performance.now() - startedAt);
    const now = Date.now();
    const delayMs = Number(this.#plan.options.delayedProcessing ?? 0) * 1000;
    for (const { data } of answer?.messages ?? []) {
      if (this.#ledger !== null) this.#client.latencies.delivery.record(Math.max(0, now - data.at - delayMs));
    }
    return answer?.messages ?? [];
  }

  async #handle(messages: Message[]): Promise<void> {
    const { attempts } = this.#plan;
    const failing = messages.map(({ partition, data }) => {
      const before = this.#ledger?.delivered(accountName(this.#group), partition, data.number) ?? 0;
      return attempts > 0 && fails(data.number, before) ? before + 1 : 0;
    });
    const group = accountName(this.#group);
    // Noted before it is told: another consumer may have the message again before this one has read the answer.
    for (const [at, { partition, data }] of messages.entries()) {
      if (failing[at]! > 0 && failing[at]! < attempts) this.#ledger?.failed(group, partition, data.number);
    }
    const startedAt = performance.now();
    if (this.#plan.acksLease) await this.#acknowledgeLease(messages);
    else await this.#acknowledge(messages, failing);
    this.#client.latencies.ack.record(performance.now() - startedAt);
    for (const [at, { partition, data }] of messages.entries()) {
      if (failing[at] === 0 || failing[at] === attempts) this.#ledger?.resolved(group, partition, data.number);
    }
  }

  async #acknowledgeLease(messages: Message[]): Promise<void> {
    const path = `/api/v1/lease/${messages[0]!.leaseId}/ack`;
    const body = JSON.stringify({ consumerGroup: this.#group });
    const answer = (await this.#client.send("ack", "POST", path, body)) as { success: boolean; acknowledged: number };
    if (!answer.success || answer.acknowledged !== messages.length)
      this.#ledger?.violation(`a lease of ${messages.length} messages was answered ${JSON.stringify(answer)}`);
  }

  async #acknowledge(messages: Message[], failing: number[]): Promise<void> {
    const acknowledgments = messages.map(({ transactionId, partitionId, leaseId }, at) => ({
      transactionId,
      partitionId,
      leaseId,
      ...(failing[at]! > 0 ? { status: "failed", error: "the soak wants it so" } : { status: "completed" }),
    }));
    const body = JSON.stringify({ consumerGroup: this.#group, acknowledgments });
    const results = (await this.#client.send("ack", "POST", "/api/v1/ack/batch", body)) as AckResult[];
    // A group that was moved has lost its leases: its acknowledgements may be refused.
    if (this.#ledger === null) return;
    for (const [at, { success, error, dlq }] of results.entries()) {
      const name = `${messages[at]!.partition}/${messages[at]!.data.number}`;
      if (!success) this.#ledger.violation(`the acknowledgement of ${name} was refused: ${error}`);
      const last = failing[at]! >= this.#plan.attempts && failing[at]! > 0;
      if (dlq !== last) this.#ledger.violation(`attempt ${failing[at]} of ${name} was answered dlq: ${dlq}`);
      if (dlq) this.#deadLetters += 1;
    }
  }
}
