/**
 * Statements over PostgreSQL's own statistics, of this database alone, each bounded.
 *
 * @module
 */

import type { Sql } from "./database.ts";

const ROWS_MAX = 50;

/** Blocks read from disk and found in the cache. */
export interface BlocksRow {
  name: string;
  disk_reads: number;
  cache_hits: number;
}

/** The database by name, and its blocks. */
export async function databaseBlocks(sql: Sql): Promise<BlocksRow> {
  const [row] = await sql<BlocksRow[]>`
    select d.datname as name, d.blks_read as disk_reads, d.blks_hit as cache_hits
    from pg_stat_database d where d.datname = current_database()`;
  return row!;
}

/** Blocks of our tables, or of their indexes, most used first. */
export function relationBlocks(sql: Sql, kind: "tables" | "indexes"): Promise<BlocksRow[]> {
  return kind === "tables"
    ? sql<BlocksRow[]>`
        select t.relname as name, coalesce(t.heap_blks_read, 0) as disk_reads, coalesce(t.heap_blks_hit, 0) as cache_hits
        from pg_statio_user_tables t where t.schemaname = 'queen'
        order by coalesce(t.heap_blks_read, 0) + coalesce(t.heap_blks_hit, 0) desc, t.relname limit ${ROWS_MAX}`
    : sql<BlocksRow[]>`
        select i.indexrelname as name, coalesce(i.idx_blks_read, 0) as disk_reads, coalesce(i.idx_blks_hit, 0) as cache_hits
        from pg_statio_user_indexes i where i.schemaname = 'queen'
        order by coalesce(i.idx_blks_read, 0) + coalesce(i.idx_blks_hit, 0) desc, i.indexrelname limit ${ROWS_MAX}`;
}

/** How a table is doing. */
export interface TableRow {
  schema: string;
  name: string;
  live: number;
  dead: number;
  updates: number;
  hot_updates: number;
  last_vacuum: string | null;
  last_autovacuum: string | null;
  autovacuum_count: number;
  autoanalyze_count: number;
  total_bytes: number;
  table_bytes: number;
  index_bytes: number;
}

/** Our tables, largest first. */
export function tableStatistics(sql: Sql): Promise<TableRow[]> {
  return sql<TableRow[]>`
    select t.schemaname as schema, t.relname as name, t.n_live_tup as live, t.n_dead_tup as dead, t.n_tup_upd as updates,
           t.n_tup_hot_upd as hot_updates, t.last_vacuum, t.last_autovacuum, t.autovacuum_count, t.autoanalyze_count,
           pg_total_relation_size(t.relid) as total_bytes, pg_table_size(t.relid) as table_bytes,
           pg_indexes_size(t.relid) as index_bytes
    from pg_stat_user_tables t where t.schemaname = 'queen'
    order by total_bytes desc, t.relname limit ${ROWS_MAX}`;
}

/** A statement that another session is at. */
export interface ActivityRow {
  pid: number;
  /** Seconds. */
  duration: number;
  state: string;
  query: string;
  wait_event_type: string | null;
  wait_event: string | null;
}

/** Statements under way in this database, longest first; this one is left out. */
export function activeQueries(sql: Sql): Promise<ActivityRow[]> {
  return sql<ActivityRow[]>`
    select a.pid, greatest(0, extract(epoch from clock_timestamp() - a.query_start))::float8 as duration, a.state,
           left(a.query, 200) as query, a.wait_event_type, a.wait_event
    from pg_stat_activity a
    where a.datname = current_database() and a.backend_type = 'client backend' and a.state <> 'idle'
      and a.pid <> pg_backend_pid()
    order by duration desc limit ${ROWS_MAX}`;
}

/** Size of PostgreSQL's cache: as it is set, and in bytes. */
export async function bufferSetting(sql: Sql): Promise<{ text: string; bytes: number }> {
  const [row] = await sql<{ text: string; bytes: number }[]>`
    select current_setting('shared_buffers') as text, pg_size_bytes(current_setting('shared_buffers')) as bytes`;
  return row!;
}

/** What PostgreSQL's cache holds of a table or index. */
export interface BufferRow {
  name: string;
  bytes: number;
}

/** What PostgreSQL's cache holds, most first; empty where its extension `pg_buffercache` is not installed. */
export async function bufferUsage(sql: Sql): Promise<BufferRow[]> {
  const [extension] = await sql<{ schema: string }[]>`
    select n.nspname as schema from pg_extension e join pg_namespace n on n.oid = e.extnamespace
    where e.extname = 'pg_buffercache'`;
  if (!extension) return [];
  return await sql<BufferRow[]>`
    select c.relname as name, (count(*) * current_setting('block_size')::integer)::bigint as bytes
    from ${sql(`${extension.schema}.pg_buffercache`)} b
    join pg_class c on b.relfilenode = pg_relation_filenode(c.oid)
      and b.reldatabase = (select d.oid from pg_database d where d.datname = current_database())
    join pg_namespace n on n.oid = c.relnamespace and n.nspname = 'queen'
    group by c.relname order by bytes desc limit ${ROWS_MAX}`;
}
