/**
 * What PostgreSQL says of its statements, its log and its lanes while a window is open. Needs `pg_stat_statements` among the
 * preloaded libraries.
 *
 * @module
 */

import type { Sql } from "postgres";

/** One statement, those inside functions included. */
export interface Statement {
  text: string;
  /** Called by the server itself; otherwise by a function, whose time contains it. */
  top: boolean;
  calls: number;
  /** Milliseconds of executing, on the clock; waiting for locks and disk is in it, the flush at commit is not. */
  execMs: number;
  planMs: number;
  rows: number;
  walBytes: number;
  bufferHits: number;
  bufferReads: number;
}

/** The write-ahead log. */
export interface Wal {
  bytes: number;
  records: number;
  fullPages: number;
  flushes: number | null;
}

/** Figures of one window. */
export interface DatabaseFigures {
  statements: Statement[];
  wal: Wal;
  /** Lane by process id, as the connection's name says; what no statement belongs to is missing. */
  lanes: Map<number, string>;
}

/**
 * Preloads the module that counts statements. Takes effect at the next start of PostgreSQL; nothing is counted before
 * {@link countStatements}.
 *
 * @param sql - As superuser.
 * @throws {Error} when this PostgreSQL has no such module.
 */
export async function prepareStatements(sql: Sql): Promise<void> {
  await sql`create extension if not exists pg_stat_statements`;
  await sql`alter system set shared_preload_libraries = 'pg_stat_statements'`;
}

/**
 * Counts statements from now on, or no longer.
 *
 * @param sql - As superuser.
 * @param on - Costs a few percent while it is.
 */
export async function countStatements(sql: Sql, on: boolean): Promise<void> {
  if (on) await sql`alter system set pg_stat_statements.track = 'all'`;
  else await sql`alter system set pg_stat_statements.track = 'none'`;
  await sql`select pg_reload_conf()`;
}

/**
 * Begins a window.
 *
 * @param sql - As superuser.
 * @returns The log as it stands, for {@link readFigures}.
 */
export async function beginFigures(sql: Sql): Promise<Wal> {
  await sql`select pg_stat_statements_reset()`;
  return readWal(sql);
}

/**
 * Ends a window.
 *
 * @param sql - As superuser.
 * @param before - What {@link beginFigures} returned.
 * @returns What was done since.
 */
export async function readFigures(sql: Sql, before: Wal): Promise<DatabaseFigures> {
  const [rows, after, sessions] = await Promise.all([
    sql<Record<string, string | boolean>[]>`
      select query, toplevel, calls, total_exec_time, total_plan_time, rows, wal_bytes, shared_blks_hit, shared_blks_read
      from pg_stat_statements where query not like '%pg_stat_%' order by total_exec_time desc`,
    readWal(sql),
    sql<{ pid: number; application_name: string }[]>`
      select pid, application_name from pg_stat_activity where backend_type = 'client backend'`,
  ]);
  const statements = rows.map((row) => ({
    text: String(row.query).replace(/\s+/g, " ").trim(),
    top: row.toplevel === true,
    calls: Number(row.calls),
    execMs: Number(row.total_exec_time),
    planMs: Number(row.total_plan_time),
    rows: Number(row.rows),
    walBytes: Number(row.wal_bytes),
    bufferHits: Number(row.shared_blks_hit),
    bufferReads: Number(row.shared_blks_read),
  }));
  const wal = {
    bytes: after.bytes - before.bytes,
    records: after.records - before.records,
    fullPages: after.fullPages - before.fullPages,
    flushes: after.flushes === null || before.flushes === null ? null : after.flushes - before.flushes,
  };
  const lanes = new Map(sessions.map(({ pid, application_name }) => [pid, application_name.split(" ").at(-1) ?? ""]));
  return { statements, wal, lanes };
}

async function readWal(sql: Sql): Promise<Wal> {
  // Bytes by the place in the log itself: sessions report the rest about once a second, a short run perhaps not at all.
  const [row] = await sql<Record<string, string>[]>`
    select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0') as wal_bytes, wal_records, wal_fpi from pg_stat_wal`;
  // Since PostgreSQL 18.
  const io = await sql<{ fsyncs: string | null }[]>`
    select sum(fsyncs) as fsyncs from pg_stat_io where object = 'wal'`.catch(() => []);
  return {
    bytes: Number(row!.wal_bytes),
    records: Number(row!.wal_records),
    fullPages: Number(row!.wal_fpi),
    flushes: io[0]?.fsyncs == null ? null : Number(io[0].fsyncs),
  };
}
