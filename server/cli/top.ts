/**
 * `queen top`.
 *
 * @module
 */
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import type { Client, Json } from "./client.ts";
import type { Invocation } from "./command.ts";
import { CliError, Exit } from "./exit.ts";
import { bold, bytes, count, dim, harmless, isTerminal, print, printJson, seconds, table, write } from "./output.ts";
import { stopOnSignal } from "./tail.ts";

/** Options of top. */
export interface TopOptions {
  readonly interval: number;
  readonly count?: number;
}

/** What one look found. */
interface Look {
  /** By `performance.now()`. */
  readonly at: number;
  readonly timestamp: string;
  readonly totals: { readonly push: number; readonly pop: number; readonly ack: number };
  readonly messages: Json;
  readonly lag: Json;
  readonly queues: Json[];
  readonly memoryBytes: number;
  readonly parked: number;
}

const INTERVAL_MS_MIN = 200;
const ALTERNATE_SCREEN = "\u001b[?1049h\u001b[?25l";
const BACK = "\u001b[?25h\u001b[?1049l";
const HOME_AND_CLEAR = "\u001b[H\u001b[2J";
const HEAD_LINES = 8;
/** Ctrl-C and Ctrl-D among them, which a terminal sends as keys while it is read key by key. */
const ENDING_KEYS = ["q", "\u0003", "\u0004"];

/** Shows figures until `q`, Ctrl-C, or as many looks as wanted. */
export async function top({ options, client }: Invocation<TopOptions>): Promise<number> {
  const live = isTerminal && options.json !== true;
  const stop = live ? stopOnKey(stopOnSignal()) : stopOnSignal();
  let before = await look(client);
  if (live) await write(ALTERNATE_SCREEN);
  try {
    for (let looks = 1; !stop.aborted; looks += 1) {
      await sleep(Math.max(INTERVAL_MS_MIN, options.interval), undefined, { signal: stop });
      const now = await look(client).catch((error: unknown) => {
        // A server that is started again shows up again; without a person there is nobody to wait.
        if (live && error instanceof CliError && error.code === Exit.unreachable) return error.message;
        throw error;
      });
      if (typeof now === "string") {
        await write(`${HOME_AND_CLEAR}${harmless(now)}\n`);
        continue;
      }
      const rates = ratesOf(before, now);
      before = now;
      if (options.json) await printJson({ ...now, at: undefined, rates });
      else if (live) await write(HOME_AND_CLEAR + screen(client.url, now, rates, process.stdout.rows ?? 24));
      else await print(screen(client.url, now, rates, HEAD_LINES + now.queues.length + 1));
      if (looks === options.count) return Exit.ok;
    }
  } catch (error) {
    if (!stop.aborted) throw error;
  } finally {
    if (live) await write(BACK);
  }
  return Exit.ok;
}

async function look(client: Client): Promise<Look> {
  const [overview, list, page] = await Promise.all([
    client.get("/api/v1/resources/overview"),
    client.get("/api/v1/resources/queues", { limit: 1_000 }),
    client.text("/metrics/prometheus"),
  ]);
  const at = performance.now();
  const queues: Json[] = list.queues;
  queues.sort((a, b) => b.messages.pending - a.messages.pending || b.messages.total - a.messages.total);
  const total = (verb: string) => familySum(page, `queen_cluster_${verb}_messages_total`);
  return {
    at,
    timestamp: overview.timestamp,
    totals: { push: total("push"), pop: total("pop"), ack: total("ack") },
    messages: { ...overview.messages, queues: overview.queues, partitions: overview.partitions },
    lag: overview.lag.time,
    queues,
    memoryBytes: familySum(page, "queen_process_resident_memory_bytes"),
    parked: familySum(page, "queen_queue_parked_consumers"),
  };
}

type Rates = Record<"push" | "pop" | "ack", number>;

function ratesOf(before: Look, now: Look): Rates {
  const elapsed = (now.at - before.at) / 1000;
  // Totals begin anew with a server that does.
  const rate = (verb: keyof Rates) => Math.max(0, (now.totals[verb] - before.totals[verb]) / elapsed);
  return { push: rate("push"), pop: rate("pop"), ack: rate("ack") };
}

/** The sum of a family's values on a page in the format of Prometheus; 0 when it has none. */
function familySum(page: string, name: string): number {
  let sum = 0;
  for (const line of page.split("\n")) {
    if (!line.startsWith(name) || !/[ {]/.test(line[name.length] ?? "")) continue;
    sum += Number(line.slice(line.lastIndexOf(" ") + 1)) || 0;
  }
  return sum;
}

function screen(url: string, now: Look, rates: Rates, rows: number): string {
  const perSecond = (value: number) => `${count(Math.round(value))}/s`;
  const { messages, lag } = now;
  const head = [
    `${bold("queen")} ${url}  ${dim(now.timestamp)}${isTerminal ? dim("  q ends") : ""}`,
    "",
    `push ${bold(perSecond(rates.push))}   pop ${bold(perSecond(rates.pop))}   ack ${bold(perSecond(rates.ack))}`,
    `pending ${bold(count(messages.pending))}   processing ${count(messages.processing)}   dead letters ${count(messages.deadLetter)}   messages ${count(messages.total)}`,
    `oldest pending ${seconds(lag.max)}   waiting pops ${count(now.parked)}   memory ${bytes(now.memoryBytes)}   queues ${count(messages.queues)}   partitions ${count(messages.partitions)}`,
    "",
  ];
  const columns = [
    { title: "QUEUE" },
    { title: "PARTITIONS", right: true },
    { title: "MESSAGES", right: true },
    { title: "PENDING", right: true },
    { title: "PROCESSING", right: true },
  ];
  const room = Math.max(1, rows - HEAD_LINES);
  const lines = now.queues
    .slice(0, room)
    .map((row) => [
      row.name,
      count(row.partitions),
      count(row.messages.total),
      count(row.messages.pending),
      count(row.messages.processing),
    ]);
  return [...head, table(columns, lines)].join("\n");
}

/** Ends with `q`, too; in this mode the terminal sends Ctrl-C as a key. */
function stopOnKey(signal: AbortSignal): AbortSignal {
  const { stdin } = process;
  if (stdin.isTTY !== true) return signal;
  const key = new AbortController();
  stdin.setRawMode(true);
  stdin.on("data", (data) => {
    if (ENDING_KEYS.some((ending) => String(data).includes(ending))) key.abort();
  });
  const either = AbortSignal.any([signal, key.signal]);
  either.addEventListener("abort", () => {
    stdin.setRawMode(false);
    stdin.pause();
  });
  return either;
}
