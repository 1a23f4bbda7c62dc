/**
 * Looks at a server, its database and its load from outside.
 *
 * @module
 */

import { readdirSync, readFileSync } from "node:fs";
import type postgres from "postgres";
import { type CpuSeconds, cpuBetween, readCpu, stolenSeconds } from "../bench/cpu.ts";
import { databaseSocket, openDatabase } from "../support/database.ts";
import { parsePrometheus } from "../support/prometheus.ts";
import { type Client, KINDS } from "./client.ts";
import type { Ledger } from "./ledger.ts";
import type { Ceilings, Sample } from "./verdict.ts";

const MB = 1024 * 1024;
/** The log may be larger than `max_wal_size` for a while; PostgreSQL calls that limit a soft one. */
const WAL_SLACK = 1.25;
const PROBE_TRIES = 5;
/** More than the caches nearest to a core hold. */
const PROBE_BYTES = new Uint8Array(8 * MB);

/** What is looked at. */
export interface Watched {
  serverPid: number;
  dataDir: string;
  url: string;
  client: Client;
  ledgers: readonly Ledger[];
}

interface Counted {
  pushed: number;
  delivered: number;
  resolved: number;
  walBytes: number;
  cpu: CpuSeconds;
  stolen: number;
  atMs: number;
}

/** See the module comment. */
export class Sampler {
  readonly #watched: Watched;
  readonly #sql: postgres.Sql;
  readonly #postmasterPid: number;
  readonly #startedAt = performance.now();
  #before: Counted;
  readonly samples: Sample[] = [];
  readonly ceilings: Ceilings;

  private constructor(watched: Watched, sql: postgres.Sql, pid: number, before: Counted, ceilings: Ceilings) {
    this.#watched = watched;
    this.#sql = sql;
    this.#postmasterPid = pid;
    this.#before = before;
    this.ceilings = ceilings;
  }

  /** Begins to look. @returns The sampler; whoever asked for it closes it. */
  static async open(watched: Watched): Promise<Sampler> {
    const sql = await openDatabase(watched.dataDir);
    const { pid } = await databaseSocket(watched.dataDir);
    const [limits] = await sql<{ wal: string; shared: string }[]>`
      select pg_size_bytes(current_setting('max_wal_size')) as wal, pg_size_bytes(current_setting('shared_buffers')) as shared`;
    const ceilings = {
      wal_mb: (Number(limits!.wal) / MB) * WAL_SLACK,
      // Beside the buffers the segment holds locks, statistics and the log's own buffers.
      postgres_shared_mb: (Number(limits!.shared) / MB) * 1.1 + 64,
    };
    for (const kind of KINDS) watched.client.latencies[kind].reset();
    const before = { ...counted(watched), walBytes: await walBytes(sql), cpu: readCpu(watched.serverPid, pid) };
    return new Sampler(watched, sql, pid, before, ceilings);
  }

  /** Looks once. @throws What the database throws. */
  async look(): Promise<Sample> {
    const { client, serverPid } = this.#watched;
    const now: Counted = {
      ...counted(this.#watched),
      walBytes: await walBytes(this.#sql),
      cpu: readCpu(serverPid, this.#postmasterPid),
    };
    const seconds = Math.max(0.001, (now.atMs - this.#before.atMs) / 1000);
    const rate = (name: "pushed" | "delivered" | "resolved" | "walBytes" | "stolen") =>
      (now[name] - this.#before[name]) / seconds;
    const cpu = cpuBetween(now.cpu, this.#before.cpu);
    const values: Record<string, number> = {
      pushed_per_s: rate("pushed"),
      delivered_per_s: rate("delivered"),
      acknowledged_per_s: rate("resolved"),
      ...latencyValues(client),
      server_rss_mb: kilobytes(serverPid, "VmRSS") / 1024,
      ...postgresMemory(this.#postmasterPid),
      ...(await databaseValues(this.#sql)),
      wal_written_mb_per_s: rate("walBytes") / MB,
      backlog: this.#watched.ledgers.reduce((sum, { backlog }) => sum + backlog, 0),
      ...(await lagValues(this.#watched.url)),
      server_cores: (cpu.router + cpu.workers + cpu.helpers) / seconds,
      postgres_cores: cpu.postgres / seconds,
      machine_cores: cpu.machine / seconds,
      stolen_cores: rate("stolen"),
      probe_ms: probeMs(),
      errors: client.errorCount,
      buffered: client.bufferedCount,
      violations: this.#watched.ledgers.reduce((sum, { violationCount }) => sum + violationCount, 0),
    };
    this.#before = now;
    const sample = { atS: (performance.now() - this.#startedAt) / 1000, values };
    this.samples.push(sample);
    return sample;
  }

  /** Ends looking. */
  async close(): Promise<void> {
    await this.#sql.end();
  }
}

/** How fast the machine is now, whatever the load: the shortest of some equal computations, which nothing interrupted. */
function probeMs(): number {
  let shortest = Number.POSITIVE_INFINITY;
  for (let at = 0; at < PROBE_TRIES; at++) {
    const startedAt = performance.now();
    Bun.SHA256.hash(PROBE_BYTES);
    shortest = Math.min(shortest, performance.now() - startedAt);
  }
  return shortest;
}

function counted({ ledgers }: Watched): Omit<Counted, "walBytes" | "cpu"> {
  const sum = (of: (ledger: Ledger) => number) => ledgers.reduce((total, ledger) => total + of(ledger), 0);
  return {
    pushed: sum(({ pushedCount }) => pushedCount),
    delivered: sum(({ deliveredCount }) => deliveredCount),
    resolved: sum(({ resolvedCount }) => resolvedCount),
    stolen: stolenSeconds(),
    atMs: performance.now(),
  };
}

function latencyValues(client: Client): Record<string, number> {
  const values: Record<string, number> = {};
  for (const kind of KINDS) {
    const histogram = client.latencies[kind];
    values[`${kind}_p50_ms`] = histogram.total === 0 ? Number.NaN : histogram.quantileMs(0.5);
    values[`${kind}_p99_ms`] = histogram.total === 0 ? Number.NaN : histogram.quantileMs(0.99);
    histogram.reset();
  }
  return values;
}

async function walBytes(sql: postgres.Sql): Promise<number> {
  const [row] = await sql<{ bytes: string }[]>`select pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0') as bytes`;
  return Number(row!.bytes);
}

async function databaseValues(sql: postgres.Sql): Promise<Record<string, number>> {
  const [sizes] = await sql<{ database: string; wal: string; segments: string; letters: string; keys: string }[]>`
    select pg_database_size(current_database()) as database, (select sum(size) from pg_ls_waldir()) as wal,
      (select count(*) from queen.segments) as segments, (select count(*) from queen.dead_letters) as letters,
      (select count(*) from queen.transaction_keys) as keys`;
  const tables = await sql<{ name: string; bytes: string; dead: string }[]>`
    select relname as name, pg_total_relation_size(relid) as bytes, n_dead_tup as dead
    from pg_stat_user_tables where schemaname = 'queen' order by relname`;
  const values: Record<string, number> = {
    database_mb: Number(sizes!.database) / MB,
    wal_mb: Number(sizes!.wal) / MB,
    rows_segments: Number(sizes!.segments),
    rows_dead_letters: Number(sizes!.letters),
    rows_transaction_keys: Number(sizes!.keys),
    dead_rows: tables.reduce((sum, { dead }) => sum + Number(dead), 0),
  };
  for (const { name, bytes } of tables) values[`table_${name}_mb`] = Number(bytes) / MB;
  return values;
}

async function lagValues(url: string): Promise<Record<string, number>> {
  const { metrics } = parsePrometheus(await (await fetch(`${url}/metrics/prometheus`)).text());
  const lag = (stat: string) =>
    metrics.find(({ name, labels }) => name === "queen_router_event_loop_lag_seconds" && labels.stat === stat)?.value;
  return { loop_lag_avg_ms: (lag("avg") ?? Number.NaN) * 1000, loop_lag_max_ms: (lag("max") ?? Number.NaN) * 1000 };
}

/** What PostgreSQL's processes hold each for themselves, and the most that one maps of what they share. */
function postgresMemory(postmasterPid: number): Record<string, number> {
  const pids = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => pid === postmasterPid || parentOf(pid) === postmasterPid);
  return {
    postgres_private_mb: pids.reduce((sum, pid) => sum + kilobytes(pid, "RssAnon"), 0) / 1024,
    postgres_shared_mb: Math.max(...pids.map((pid) => kilobytes(pid, "RssShmem"))) / 1024,
  };
}

function parentOf(pid: number): number {
  return Number(/^PPid:\s+(\d+)/m.exec(status(pid))?.[1] ?? 0);
}

function kilobytes(pid: number, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+)`, "m").exec(status(pid))?.[1] ?? 0);
}

function status(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/status`, "utf8");
  } catch {
    return "";
  }
}
