/**
 * `queen bench`: pushes, pops and acks at the same time, bounded in number and time, and checked.
 *
 * @module
 */
import { randomUUID } from "node:crypto";
import { newTransactionId } from "../../schema/wire/ids.ts";
import { type Client, type Json, pathOf } from "./client.ts";
import type { Invocation } from "./command.ts";
import { CliError, Exit } from "./exit.ts";
import { count, note, print, printJson, table } from "./output.ts";

/** Options of bench. */
export interface BenchOptions {
  readonly messages: number;
  readonly seconds: number;
  readonly batch: number;
  readonly size: number;
  readonly partitions: number;
  readonly connections: number;
  readonly keep?: boolean;
}

/** After the last push, so long without a message means that some are missing. */
const SILENCE_MS_MAX = 15_000;
const WAIT_MS = 1_000;

interface Run {
  readonly client: Client;
  readonly options: BenchOptions;
  readonly queue: string;
  /** Numbers handed out to producers; each producer has partitions of its own, so that order can be checked. */
  next: number;
  pushed: number;
  popped: number;
  acked: number;
  wrong: number;
  pushing: boolean;
  /** When the last acknowledgement was answered. */
  endedAt: number;
  readonly latencies: Record<"push" | "pop" | "ack", number[]>;
  /** The last number seen of each partition. */
  readonly last: Map<string, number>;
}

/** Measures. @returns `failed` when a message was lost, came twice or out of order. */
export async function bench({ options, client }: Invocation<BenchOptions>): Promise<number> {
  const queue = `bench-${randomUUID()}`;
  const run: Run = {
    client,
    options,
    queue,
    next: 0,
    pushed: 0,
    popped: 0,
    acked: 0,
    wrong: 0,
    pushing: true,
    endedAt: 0,
    latencies: { push: [], pop: [], ack: [] },
    last: new Map(),
  };
  await client.post("/api/v1/configure", { queue, options: { leaseTime: 60 } });
  let [pushSeconds, allSeconds] = [0, 0];
  try {
    const startedAt = performance.now();
    const producers = Promise.all(Array.from({ length: options.connections }, (_, index) => produce(run, index)));
    const done = producers.then(() => {
      run.pushing = false;
      pushSeconds = (performance.now() - startedAt) / 1000;
    });
    const consumers = Array.from({ length: options.connections }, () => consume(run));
    await Promise.all([done, ...consumers]);
    // Consumers wait a moment longer for messages that do not come: that is no part of it.
    allSeconds = (run.endedAt - startedAt) / 1000;
  } finally {
    if (!options.keep) await discard(client, queue);
  }
  const whole = run.popped === run.pushed && run.acked === run.pushed && run.wrong === 0;
  const result = {
    messages: run.pushed,
    seconds: allSeconds,
    pushPerSecond: run.pushed / pushSeconds,
    throughPerSecond: run.pushed / allSeconds,
    missing: run.pushed - run.popped,
    wrong: run.wrong,
    latencyMs: Object.fromEntries(Object.entries(run.latencies).map(([verb, values]) => [verb, quantiles(values)])),
  };
  if (options.json) await printJson(result);
  else await print(text(result, options));
  if (!whole) throw new CliError(`${result.missing} messages are missing, ${run.wrong} came twice or out of order.`);
  return Exit.ok;
}

async function produce(run: Run, index: number): Promise<void> {
  const { client, options, queue } = run;
  const deadline = performance.now() + options.seconds * 1000;
  const filler = "x".repeat(Math.max(0, options.size - 20));
  for (let turn = 0; run.next < options.messages && performance.now() < deadline; turn += 1) {
    const first = run.next;
    const size = Math.min(options.batch, options.messages - first);
    run.next += size;
    // Of a partition that no other producer uses, as long as there are enough of them.
    const mine = Math.max(1, Math.floor(options.partitions / options.connections));
    const partition = `p${(index * mine + (turn % mine)) % options.partitions}${options.partitions < options.connections ? `-${index}` : ""}`;
    const items = Array.from({ length: size }, (_, at) => ({
      queue,
      partition,
      transactionId: newTransactionId(Date.now()),
      payload: { n: first + at, filler },
    }));
    const startedAt = performance.now();
    const results: Json[] = await client.post("/api/v1/push", { items }, { again: true });
    run.latencies.push.push(performance.now() - startedAt);
    for (const { status } of results) {
      // A repeated request shows what its first attempt stored.
      if (status === "queued" || status === "duplicate") run.pushed += 1;
      else throw new CliError(`A message was answered ${status}: nothing can be measured now.`);
    }
  }
}

async function consume(run: Run): Promise<void> {
  const { client, options, queue, latencies } = run;
  const path = pathOf("/api/v1/pop/queue", queue);
  let lastAt = performance.now();
  while (run.pushing || run.popped < run.pushed) {
    if (!run.pushing && performance.now() - lastAt > SILENCE_MS_MAX) return;
    const startedAt = performance.now();
    const answer = await client.get(path, { batch: options.batch, wait: true, timeout: WAIT_MS }, { again: false });
    const messages: Json[] = answer?.messages ?? [];
    if (messages.length === 0) continue;
    lastAt = performance.now();
    latencies.pop.push(lastAt - startedAt);
    for (const { partition, data } of messages) {
      if (data.n <= (run.last.get(partition) ?? -1)) run.wrong += 1;
      run.last.set(partition, data.n);
    }
    run.popped += messages.length;
    const done = await client.post(pathOf("/api/v1/lease", messages[0].leaseId, "ack"), {}, { again: true });
    run.endedAt = performance.now();
    latencies.ack.push(run.endedAt - lastAt);
    // Of an ack that was sent twice, the second finds nothing left to do.
    run.acked += done.success ? done.acknowledged : messages.length;
  }
}

async function discard(client: Client, queue: string): Promise<void> {
  try {
    await client.delete(pathOf("/api/v1/resources/queues", queue));
  } catch (error) {
    note(`queen: The queue ${queue} is left behind: ${error instanceof Error ? error.message : String(error)}`);
  }
}

interface Quantiles {
  readonly requests: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

function quantiles(values: number[]): Quantiles {
  const sorted = values.sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  return { requests: sorted.length, p50: at(0.5), p99: at(0.99), max: sorted.at(-1) ?? 0 };
}

function text(result: Json, { batch, size, connections }: BenchOptions): string {
  const rows = Object.entries<Quantiles>(result.latencyMs).map(([verb, { requests, p50, p99, max }]) => [
    verb,
    count(requests),
    ...[p50, p99, max].map((value) => `${value.toFixed(1)} ms`),
  ]);
  const columns = ["REQUEST", "COUNT", "P50", "P99", "MAX"].map((title, at) => ({ title, right: at > 0 }));
  return [
    `${count(result.messages)} messages of about ${size} bytes, ${batch} a request, ${connections} producers and consumers: ${result.seconds.toFixed(2)} s`,
    `pushed ${count(Math.round(result.pushPerSecond))}/s; pushed, popped and acknowledged ${count(Math.round(result.throughPerSecond))}/s`,
    result.missing === 0 && result.wrong === 0 ? "every message arrived once and in order" : "",
    "",
    table(columns, rows),
  ].join("\n");
}
