/**
 * One server under test with what scenarios need around it: loads, sizes, limits, checks.
 *
 * @module
 */

import postgres, { type Sql } from "postgres";
import { type CpuSeconds, readCpu } from "./cpu.ts";
import { insertLimit, readLimit } from "./limits.ts";
import type { Actor, CheckFigures, RequestFigures } from "./load/protocol.ts";
import { type LoadOutcome, runLoad } from "./loader.ts";
import type { LagFigures } from "./probe.ts";
import { findPostmaster, type Postmaster, type ServerProcess, startServer } from "./process.ts";
import type { Row } from "./scenario.ts";
import { type MemoryFigures, Watch } from "./watch.ts";

/**
 * How large a run is: `tiny` inside the test suite, `short` where two servers are compared (as normal, but no window is
 * longer than asked for and no bare loop runs), `normal` by default, `full` as the design's table says.
 */
export type Size = "tiny" | "short" | "normal" | "full";

/** How a bench is run. */
export interface BenchOptions {
  size: Size;
  /** Length of a measured window. */
  seconds: number;
  workers?: number;
  seed: number;
  /** Folder of the server's source; this repository's when absent. */
  root?: string;
  /** See `ServerOptions`. */
  preload?: string;
  dataDir?: string;
  env?: Record<string, string>;
  /** Called as the window of a load opens and when it has closed, except for loads that only prepare; the load waits for neither. */
  onWindow?: (open: boolean) => void;
}

/** Payload length of every scenario, as the design's table says. */
export const PAYLOAD_BYTES = 250;

const LIMIT_SECONDS = 2;
const LIMIT_CONNECTIONS_MAX = 8;

/** What a load of a bench may say of itself; the rest has defaults. */
export interface LoadRequest {
  actors: Actor[];
  tag?: string;
  seconds?: number;
  warmupSeconds?: number;
  watch?: Watch;
}

/** See the module. */
export class Bench {
  readonly options: BenchOptions;
  readonly server: ServerProcess;
  readonly sql: Sql;
  readonly #postmaster: Postmaster | null;
  #queues = 0;

  private constructor(options: BenchOptions, server: ServerProcess, postmaster: Postmaster | null) {
    this.options = options;
    this.server = server;
    this.#postmaster = postmaster;
    this.sql = postgres({
      host: postmaster?.socketDir ?? "127.0.0.1",
      port: postmaster?.port ?? 5432,
      user: "queen",
      database: "queen",
      max: LIMIT_CONNECTIONS_MAX,
      onnotice: () => undefined,
    });
  }

  /**
   * Starts a server and connects to its database.
   *
   * @param options - See {@link BenchOptions}.
   * @returns The bench; whoever asked for it must {@link stop} it.
   * @throws {Error} when the server does not start.
   */
  static async start(options: BenchOptions): Promise<Bench> {
    const server = await startServer(options);
    return new Bench(options, server, await findPostmaster(server.dataDir));
  }

  /** Stops the server and removes its data. */
  async stop(): Promise<void> {
    await this.sql.end({ timeout: 5 });
    await this.server.stop();
  }

  /** Whether every answer is parsed and checked. */
  get checks(): boolean {
    return this.options.size === "tiny";
  }

  /**
   * Chooses by the size of the run.
   *
   * @param choice - `short` and `full` are `normal` when absent.
   * @returns The value for this run.
   */
  pick<Value>(choice: { tiny: Value; short?: Value; normal: Value; full?: Value }): Value {
    return choice[this.options.size] ?? choice.normal;
  }

  /**
   * Sends one JSON request.
   *
   * @param method - HTTP method.
   * @param path - From `/api/v1` on.
   * @param body - Sent as JSON when given.
   * @returns The parsed answer; null when it has no body.
   * @throws {Error} on 4xx and 5xx.
   */
  async call<Answer>(method: string, path: string, body?: unknown): Promise<Answer> {
    const response = await fetch(`${this.server.url}${path}`, {
      method,
      headers: { "content-type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path} was answered ${response.status}: ${text}`);
    return (text === "" ? null : JSON.parse(text)) as Answer;
  }

  /**
   * Configures a queue that no other scenario uses.
   *
   * @param name - Part of its name.
   * @param options - Queue options.
   * @returns Its whole name.
   */
  async queue(name: string, options: Record<string, unknown> = {}): Promise<string> {
    const queue = `bench-${name}-${++this.#queues}`;
    await this.call("POST", "/api/v1/configure", { queue, options });
    return queue;
  }

  /**
   * Runs one load process.
   *
   * @param request - Its actors.
   * @returns What it saw and what it cost.
   * @throws {Error} when it failed, or a check did.
   */
  async load(request: LoadRequest): Promise<LoadOutcome> {
    const { onWindow } = this.options;
    let open = false;
    const readUsed = () => {
      open = !open;
      if (open && request.tag === undefined) onWindow?.(true);
      if (open) request.watch?.open();
      const cpu = this.#cpu();
      if (!open) request.watch?.close();
      if (!open && request.tag === undefined) onWindow?.(false);
      return cpu;
    };
    const outcome = await runLoad(
      {
        url: this.server.url,
        seed: this.options.seed,
        checks: this.checks,
        tag: request.tag ?? "a",
        payloadBytes: PAYLOAD_BYTES,
        warmupSeconds: request.warmupSeconds ?? this.pick({ tiny: 0, short: 1, normal: 2 }),
        seconds: request.seconds ?? this.pick({ tiny: 30, normal: this.options.seconds }),
        actors: request.actors,
      },
      readUsed,
    );
    if (outcome.checks.violations.length > 0)
      throw new Error(`checks failed:\n${outcome.checks.violations.join("\n")}`);
    return outcome;
  }

  /**
   * Runs one load process and watches the server meanwhile.
   *
   * @param request - Its actors.
   * @returns What the load saw, how late the router was (null when that cannot be known), and how much memory the server held.
   * @throws {Error} as {@link load} does.
   */
  async watch(request: LoadRequest): Promise<{ outcome: LoadOutcome; lag: LagFigures | null; memory: MemoryFigures }> {
    const watch = new Watch(this.server);
    const outcome = await this.load({ ...request, watch });
    return { outcome, lag: await watch.lag(), memory: watch.memory };
  }

  /**
   * Pushes a fixed number of messages as fast as possible, outside any measurement.
   *
   * @param queue - Where to.
   * @param partitions - Filled evenly.
   * @param messages - How many; rounded up to whole requests.
   * @param perRequest - Messages in one request.
   * @returns What was pushed.
   */
  fill(queue: string, partitions: string[], messages: number, perRequest = 1000): Promise<LoadOutcome> {
    return this.load({
      tag: "f",
      warmupSeconds: 0,
      seconds: 1200,
      actors: [{ kind: "push", name: "fill", queue, partitions, perRequest, connections: 4, stop: { messages } }],
    });
  }

  /**
   * When checks are on: takes everything out of a queue and compares it with what was pushed.
   *
   * @param queue - A queue this bench filled.
   * @param pushed - What was pushed to it.
   * @throws {Error} when a message is missing, doubled, or out of order.
   */
  async drainAndCompare(queue: string, pushed: CheckFigures): Promise<void> {
    if (!this.checks) return;
    const messages = sum(Object.values(pushed.pushed));
    const group = "verification";
    const drained = await this.load({
      actors: [
        { kind: "pop", name: "drain", queue, group, batch: 500, connections: 2, ack: "batch", stop: { messages } },
      ],
    });
    await this.compare(queue, group, pushed, drained.checks);
  }

  /**
   * Compares what was pushed with what one group got, and asks once more: nothing may be left.
   *
   * @param queue - Queue.
   * @param group - Group that popped everything.
   * @param pushed - From the producers.
   * @param popped - From the consumers.
   * @throws {Error} when they differ.
   */
  async compare(queue: string, group: string, pushed: CheckFigures, popped: CheckFigures): Promise<void> {
    const wanted = JSON.stringify(Object.entries(pushed.pushed).sort());
    const got = JSON.stringify(Object.entries(popped.popped[group] ?? {}).sort());
    if (wanted !== got) throw new Error(`pushed and popped differ by producer:\n${wanted}\n${got}`);
    const rest = await this.call<{ messages: unknown[] } | null>(
      "GET",
      `/api/v1/pop/queue/${queue}?batch=10&consumerGroup=${group}`,
    );
    if ((rest?.messages.length ?? 0) > 0)
      throw new Error(`${queue} still had messages for ${group} after all were taken`);
  }

  /** Bytes of all tables and indexes of the server, with what they keep outside of the row. */
  async tableBytes(): Promise<number> {
    const [row] = await this.sql<{ bytes: string }[]>`
      select coalesce(sum(pg_total_relation_size(c.oid)), 0) as bytes
      from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where c.relkind in ('r', 'm') and n.nspname !~ '^(pg_|information_schema|bench_limit)'`;
    return Number(row!.bytes);
  }

  /**
   * Measures the bare loop; see {@link insertLimit} and {@link readLimit}.
   *
   * @param kind - What the loop does.
   * @param perRow - Messages in a row.
   * @param connections - Of the load it is compared with; at most 8 are used.
   * @returns Messages a second; null in tiny and short runs.
   */
  async limit(kind: "insert" | "read", perRow: number, connections: number): Promise<number | null> {
    if (this.options.size === "tiny" || this.options.size === "short") return null;
    const measure = kind === "insert" ? insertLimit : readLimit;
    const limit = await measure(this.sql, {
      perRow,
      connections: Math.min(connections, LIMIT_CONNECTIONS_MAX),
      seconds: LIMIT_SECONDS,
      payloadBytes: PAYLOAD_BYTES,
      seed: this.options.seed,
    });
    return limit.messagesPerSecond;
  }

  /**
   * Makes a row out of a load.
   *
   * @param outcome - The load.
   * @param rate - Name of the figures whose messages count.
   * @param latency - Name of the figures whose latency is shown.
   * @param rest - Everything else of the row; the defaults are "does not apply".
   * @returns The row.
   */
  row(
    outcome: LoadOutcome,
    rate: string,
    latency: string,
    rest: Partial<Row> & Pick<Row, "scenario" | "label" | "aim">,
  ): Row {
    const counted = this.figures(outcome, rate);
    const timed = this.figures(outcome, latency);
    const perMessage = (seconds: number) => (seconds * 1e6) / Math.max(1, counted.messages);
    const { cpu } = outcome;
    const ours = cpu.router + cpu.workers + cpu.helpers + cpu.postgres + outcome.loadCpuSeconds;
    return {
      messagesPerSecond: counted.messages / outcome.windowSeconds,
      p50Ms: timed.p50Ms,
      p99Ms: timed.p99Ms,
      cpuUs: {
        router: perMessage(cpu.router),
        workers: perMessage(cpu.workers),
        helpers: perMessage(cpu.helpers),
        postgres: perMessage(cpu.postgres),
        load: perMessage(outcome.loadCpuSeconds),
      },
      othersCores: Math.max(0, (cpu.machine - ours) / outcome.windowSeconds),
      diskBytesPerMessage: null,
      limit: null,
      met: null,
      parameters: {},
      ...rest,
      note: [rest.note ?? "", ...refusals(outcome)].filter((part) => part !== "").join("; "),
    };
  }

  /**
   * Finds figures by name.
   *
   * @param outcome - The load.
   * @param name - `<actor>.<request>`.
   * @returns The figures.
   * @throws {Error} when the load has none of that name.
   */
  figures(outcome: LoadOutcome, name: string): RequestFigures {
    const figures = outcome.figures[name];
    if (figures === undefined) throw new Error(`no figures named ${name} among ${Object.keys(outcome.figures)}`);
    return figures;
  }

  #cpu(): CpuSeconds {
    return readCpu(this.server.pid, this.#postmaster?.pid ?? null);
  }
}

/**
 * Names partitions so that all names have the same length.
 *
 * @param count - How many.
 * @returns `p0000000`, `p0000001`, ...
 */
export function partitionNames(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `p${String(index).padStart(7, "0")}`);
}

/** Adds numbers up. */
export function sum(numbers: number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

function refusals(outcome: LoadOutcome): string[] {
  return Object.entries(outcome.figures).flatMap(([name, figures]) =>
    Object.entries(figures.errors).map(([status, count]) => `${name}: ${count} answers ${status}`),
  );
}
