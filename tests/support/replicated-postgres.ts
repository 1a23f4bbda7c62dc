/**
 * Two PostgreSQL 15 of Debian on loopback, one replicating the other synchronously, for failovers.
 *
 * @module
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { appendFileSync, chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import postgres from "postgres";
import { UNPRIVILEGED } from "../runtime/debian-postgres.ts";
import { childrenOf } from "./signal-tree.ts";
import { until } from "./wait.ts";

const PROGRAMS = "/usr/lib/postgresql/15/bin";
const START_MS_MAX = 60_000;

/** Why it cannot be had on this machine; null when it can. */
export const replicationMissing: string | null =
  process.platform === "linux" && existsSync(join(PROGRAMS, "pg_basebackup"))
    ? null
    : `no PostgreSQL 15 in ${PROGRAMS}: apt-get install postgresql-15`;

/** One of the two. */
export interface Node {
  readonly host: string;
  readonly port: number;
  readonly folder: string;
  process: ChildProcess | null;
}

function run(program: string, ...args: string[]): void {
  const done = spawnSync(join(PROGRAMS, program), args, { ...UNPRIVILEGED, encoding: "utf8" });
  if (done.status !== 0) throw new Error(`${program} failed: ${done.stderr}`);
}

/** See the module comment. */
export class ReplicatedPostgres {
  readonly #root = mkdtempSync(join(tmpdir(), "queen-replicas-"));
  readonly nodes: readonly Node[];
  /** Index of the primary. */
  primary = 0;
  /** Whether the other one is a standby that has all that is committed. */
  replicated = false;

  /** @param ports - Free ones, of 127.0.0.1. */
  constructor(ports: readonly [number, number]) {
    chmodSync(this.#root, 0o777);
    this.nodes = ports.map((port, at) => ({
      ...{ host: "127.0.0.1", port, process: null },
      folder: join(this.#root, `node${at}`),
    }));
  }

  /** Makes the first, starts it, and makes the second of it. */
  async start(): Promise<void> {
    const { folder } = this.nodes[0]!;
    run("initdb", "-D", folder, "-U", "queen", "--auth=trust", "--encoding=UTF8", "--no-locale");
    const settings =
      "unix_socket_directories=''\nfsync=on\nwal_keep_size=256MB\nmax_connections=60\nwal_log_hints=on\n";
    appendFileSync(join(folder, "postgresql.conf"), settings);
    appendFileSync(join(folder, "pg_hba.conf"), "host replication all 127.0.0.1/32 trust\n");
    await this.run(0);
    await this.makeStandby();
  }

  /** Starts one over its data. */
  async run(at: number): Promise<void> {
    const node = this.nodes[at]!;
    const args = ["-D", node.folder, "-p", String(node.port), "-h", node.host];
    node.process = spawn(join(PROGRAMS, "postgres"), args, { ...UNPRIVILEGED, stdio: "ignore" });
    await until(() => this.#answers(at), START_MS_MAX, "PostgreSQL 15 accepting connections");
  }

  /** Makes the other one a standby of the primary from a fresh copy, and has commits wait for it. */
  async makeStandby(): Promise<void> {
    const at = 1 - this.primary;
    const [primary, standby] = [this.nodes[this.primary]!, this.nodes[at]!];
    await this.kill(at);
    rmSync(standby.folder, { recursive: true, force: true });
    const sql = this.open(this.primary);
    try {
      await sql`alter system set synchronous_standby_names = ''`;
      await sql`select pg_reload_conf()`;
      const place = ["-h", primary.host, "-p", String(primary.port), "-U", "queen"];
      run("pg_basebackup", ...place, "-D", standby.folder, "-R", "-X", "stream", "-c", "fast");
      await this.run(at);
      await until(
        async () => (await sql`select 1 from pg_stat_replication where state = 'streaming'`).length === 1,
        START_MS_MAX,
        "a streaming standby",
      );
      await sql`alter system set synchronous_standby_names = '*'`;
      await sql`select pg_reload_conf()`;
      await until(
        async () => (await sql`select 1 from pg_stat_replication where sync_state = 'sync'`).length === 1,
        START_MS_MAX,
        "a synchronous standby",
      );
      // Commits wait only once the checkpointer has read the setting, which it does before a checkpoint.
      await sql`checkpoint`;
      await this.#untilReplicated(sql);
      this.replicated = true;
    } finally {
      await sql.end();
    }
  }

  /** Ends the standby, once it has everything, and has commits not wait for it: it lacks what is committed from now on. */
  async letFallBehind(): Promise<void> {
    const sql = this.open(this.primary);
    try {
      await sql`alter system set synchronous_standby_names = ''`;
      await sql`select pg_reload_conf()`;
      await sql`checkpoint`;
      await this.#untilReplicated(sql);
      await this.kill(1 - this.primary);
      this.replicated = false;
    } finally {
      await sql.end();
    }
  }

  async #untilReplicated(sql: postgres.Sql): Promise<void> {
    const [head] = await sql<{ lsn: string }[]>`select pg_current_wal_lsn()::text as lsn`;
    await until(
      async () => (await sql`select 1 from pg_stat_replication where flush_lsn >= ${head!.lsn}::pg_lsn`).length === 1,
      START_MS_MAX,
      "a standby that has everything",
    );
  }

  /** Makes the standby the primary, as an operator does whose old primary is out of the way. */
  async promote(): Promise<void> {
    const at = 1 - this.primary;
    const sql = this.open(at);
    try {
      await sql`alter system set synchronous_standby_names = ''`;
      await sql`select pg_reload_conf()`;
      await sql`select pg_promote(true)`;
    } finally {
      await sql.end();
    }
    this.primary = at;
    this.replicated = false;
  }

  /** One connection to one of them, as its superuser; the caller ends it. */
  open(at: number): postgres.Sql {
    const { host, port } = this.nodes[at]!;
    return postgres({ host, port, user: "queen", database: "postgres", max: 1, onnotice: () => {} });
  }

  /** Ends one with -9, and all it started. */
  async kill(at: number): Promise<void> {
    const node = this.nodes[at]!;
    if (node.process === null) return;
    const gone = new Promise((resolve) => node.process!.once("close", resolve));
    const pids = [node.process.pid!, ...childrenOf(node.process.pid!)];
    for (const pid of pids) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It ended meanwhile.
      }
    }
    await gone;
    node.process = null;
  }

  /** Starts the old primary again as a server that takes no writes: a standby of the new one. */
  async returnReadOnly(at: number): Promise<void> {
    const { folder } = this.nodes[at]!;
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "standby.signal"), "");
    await this.run(at);
  }

  /** Ends both and removes their data. */
  async close(): Promise<void> {
    for (const at of [0, 1]) await this.kill(at);
    rmSync(this.#root, { recursive: true, force: true });
  }

  async #answers(at: number): Promise<boolean> {
    const sql = this.open(at);
    try {
      await sql`select 1`;
      return true;
    } catch {
      return false;
    } finally {
      await sql.end({ timeout: 0 });
    }
  }
}
