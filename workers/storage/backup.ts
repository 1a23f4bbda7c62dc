/**
 * Statements that copy whole tables out of the database and into it.
 *
 * @module
 */

import type { Readable, Writable } from "node:stream";
import { finished } from "node:stream/promises";
import type postgres from "postgres";
import type { Sql } from "./database.ts";

/** Tables whose rows belong to processes and to this database, not to queues. */
const NOT_COPIED = ["schema_migrations", "instances", "worker_samples", "queue_samples", "instance_samples"];

/** A table to copy. */
export interface BackupTable {
  name: string;
  columns: string[];
}

/** Where a sequence stands. */
export interface BackupSequence {
  name: string;
  value: number;
}

/** What a database is, as far as copying is concerned. */
export interface DatabaseState {
  /** Version of PostgreSQL. */
  postgres: string;
  /** Newest migration; null when there is no schema of ours. */
  migration: { id: number; name: string } | null;
  /** Whether there is a schema of our name that we did not make. */
  foreign: boolean;
}

/** Lifts the limits on time for the rest of a transaction: tables may be large. */
export async function withoutTimeLimits(sql: Sql): Promise<void> {
  await sql`select set_config('statement_timeout', '0', true), set_config('lock_timeout', '10s', true)`;
}

/** What stands in the database. */
export async function databaseState(sql: Sql): Promise<DatabaseState> {
  const [row] = await sql<{ version: string; ledger: boolean; schema: boolean }[]>`
    select current_setting('server_version') as version, to_regclass('queen.schema_migrations') is not null as ledger,
           exists (select from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = 'queen') as schema`;
  const { version, ledger, schema } = row!;
  if (!ledger) return { postgres: version, migration: null, foreign: schema };
  const [migration] = await sql<{ id: number; name: string }[]>`
    select m.id, m.name from queen.schema_migrations m order by m.id desc limit 1`;
  return { postgres: version, migration: migration ?? null, foreign: false };
}

/** Counts queues, and those that are encrypted. Asked of a schema that is ours. */
export async function queueCount(sql: Sql): Promise<{ queues: number; encrypted: number }> {
  const [row] = await sql<{ queues: number; encrypted: number }[]>`
    select count(*) as queues, count(*) filter (where q.encryption_enabled) as encrypted from queen.queues q`;
  return row!;
}

/** Programs of ours that are connected to this database besides the asker, by the names of their connections. */
export async function otherConnections(sql: Sql): Promise<string[]> {
  const rows = await sql<{ name: string }[]>`
    select distinct a.application_name as name from pg_stat_activity a
    where a.datname = current_database() and a.pid <> pg_backend_pid() and a.application_name like 'queen %' order by 1`;
  return rows.map(({ name }) => name);
}

/** Every table of ours that is copied, with its columns in order. */
export function backupTables(sql: Sql): Promise<BackupTable[]> {
  return sql<BackupTable[]>`
    select c.relname as name, to_json(array_agg(a.attname::text order by a.attnum)) as columns
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
    where n.nspname = 'queen' and c.relkind in ('r', 'p') and not c.relispartition
      and c.relname <> all (string_to_array(${NOT_COPIED.join(",")}, ','))
    group by c.relname order by c.relname`;
}

/** Where the sequences stand. Read after the tables: what was drawn meanwhile is then not drawn again. */
export async function backupSequences(sql: Sql): Promise<BackupSequence[]> {
  const rows = await sql<{ name: string; value: string | null }[]>`
    select s.sequencename as name, s.last_value::text as value from pg_sequences s where s.schemaname = 'queen' order by 1`;
  return rows.flatMap(({ name, value }) => (value === null ? [] : { name, value: Number(value) }));
}

/** Counts the rows of a table. */
export async function rowCount(sql: Sql, table: string): Promise<number> {
  const [row] = await sql<{ rows: number }[]>`select count(*) as rows from ${sql(`queen.${table}`)}`;
  return row!.rows;
}

/**
 * Copies a table out, in PostgreSQL's binary format. A reader that stops early has the rest of the table discarded, after which the
 * transaction can go on.
 *
 * @returns Pieces, each valid until the next is asked for.
 */
export async function* copyOut(
  sql: postgres.TransactionSql,
  { name, columns }: BackupTable,
): AsyncGenerator<Uint8Array, void> {
  const stream: Readable =
    await sql`copy ${sql(`queen.${name}`)} (${sql(columns)}) to stdout with (format binary)`.readable();
  try {
    for await (const piece of stream.iterator({ destroyOnReturn: false })) yield piece;
  } finally {
    if (!stream.readableEnded && !stream.destroyed) await finished(stream.resume()).catch(() => {});
    // The driver pauses its socket when pieces come faster than they are read, and lets it go on when more is asked for. Nobody asks after
    // the last piece, and what the database says next would never arrive.
    stream._read(0);
  }
}

/** Starts copying into a table what {@link copyOut} gave. The rows it held, from its making, are taken away first. */
export async function copyIn(sql: postgres.TransactionSql, { name, columns }: BackupTable): Promise<Writable> {
  await sql`truncate ${sql(`queen.${name}`)}`;
  return await sql`copy ${sql(`queen.${name}`)} (${sql(columns)}) from stdin with (format binary)`.writable();
}

/** Sets a sequence to go on after a value, unless it stands beyond it. */
export async function setSequence(sql: Sql, { name, value }: BackupSequence): Promise<void> {
  await sql`select setval(format('queen.%I', ${name}::text)::regclass, ${value}::bigint, true)`;
}

/** Has the planner look at all tables, which were empty when it looked last. */
export async function analyzeAll(sql: Sql): Promise<void> {
  await sql`analyze`;
}
