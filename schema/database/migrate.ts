/**
 * Applies the embedded migrations at start.
 *
 * Each migration is one transaction that holds an advisory lock, looks whether it is still needed, and records itself in
 * `queen.schema_migrations`: any number of servers may start at once on one database. Locks on tables are waited for
 * briefly and tried again, so that a migration never makes a running server queue up behind it.
 *
 * @module
 */

import type postgres from "postgres";
import { migrations } from "./migrations.generated.ts";

/** Advisory lock of whoever migrates: the letters `QUEM` and `MIGR`. */
const LOCK = [0x5155454d, 0x4d494752] as const;
const LOCK_TIMEOUT_MS = 2_000;
const ATTEMPTS_MAX = 30;
/** SQLSTATE of a lock not available, a deadlock, and a serialization failure. */
const TRY_AGAIN: ReadonlySet<string> = new Set(["55P03", "40P01", "40001"]);

/** The database holds migrations this program does not know: a newer program made it. */
export class DatabaseNewerError extends Error {
  override name = "DatabaseNewerError";
}

/** The schema `queen` holds tables that no migration of this program made, such as those of Queen 0.15. */
export class DatabaseForeignError extends Error {
  override name = "DatabaseForeignError";
  constructor() {
    super('its schema "queen" has tables of another program, such as Queen 0.15: use another database');
  }
}

/** What a call of {@link migrate} did. */
export interface MigrateResult {
  /** Names of the migrations applied by this call, in order; empty when there were none to apply. */
  applied: string[];
  /** Name of the newest migration of the database. */
  version: string;
}

async function ensureLedger(sql: postgres.Sql): Promise<void> {
  await sql.begin(async (transaction) => {
    await transaction`select pg_advisory_xact_lock(${LOCK[0]}, ${LOCK[1]})`;
    const [foreign] = await transaction`
      select from pg_class where relnamespace = to_regnamespace('queen') and relkind in ('r', 'p')
        and to_regclass('queen.schema_migrations') is null limit 1`;
    if (foreign) throw new DatabaseForeignError();
    await transaction`create schema if not exists queen`;
    await transaction`
      create table if not exists queen.schema_migrations (
        id integer primary key, name text not null, applied_at timestamptz not null default clock_timestamp()
      )`;
  });
}

async function applyOne(sql: postgres.Sql, migration: (typeof migrations)[number]): Promise<boolean> {
  return await sql.begin(async (transaction) => {
    await transaction`select pg_advisory_xact_lock(${LOCK[0]}, ${LOCK[1]})`;
    const [known] = await transaction`select id from queen.schema_migrations where id = ${migration.id}`;
    if (known) return false;
    await transaction`select set_config('lock_timeout', ${`${LOCK_TIMEOUT_MS}ms`}, true)`;
    await transaction`select set_config('statement_timeout', '0', true)`;
    for (const statement of migration.statements) await transaction.unsafe(statement);
    await transaction`insert into queen.schema_migrations (id, name) values (${migration.id}, ${migration.name})`;
    return true;
  });
}

async function withRetry<T>(attempt: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await attempt();
    } catch (error) {
      const code = (error as { code?: string }).code ?? "";
      if (tries >= ATTEMPTS_MAX || !TRY_AGAIN.has(code)) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100 + Math.random() * 100 * tries));
    }
  }
}

/**
 * Brings the database to this program's schema.
 *
 * @param sql - Connections of a role that may create schemas. Used for several transactions, one after another.
 * @returns What was applied, in order.
 * @throws {@link DatabaseNewerError} when a newer program made the database; nothing was changed.
 * @throws {@link DatabaseForeignError} when another program's tables are in its place; nothing was changed.
 * @throws The database's own error when a migration fails; that migration left nothing behind, earlier ones stay.
 */
export async function migrate(sql: postgres.Sql): Promise<MigrateResult> {
  await withRetry(() => ensureLedger(sql));
  const newest = migrations.at(-1)!;
  const rows = await sql`select id, name from queen.schema_migrations order by id`;
  const unknown = rows.filter((row) => !migrations.some((migration) => migration.id === row.id));
  if (unknown.length > 0) {
    throw new DatabaseNewerError(
      `The database was made by a newer version of Queen (it has migration "${unknown.at(-1)!.name}", this program knows up to "${newest.name}"): start that version, or use another database`,
    );
  }
  const known = new Set(rows.map((row) => row.id as number));
  const applied: string[] = [];
  for (const migration of migrations) {
    if (known.has(migration.id)) continue;
    if (await withRetry(() => applyOne(sql, migration))) applied.push(migration.name);
  }
  return { applied, version: newest.name };
}

/**
 * Makes the schema anew, as it was at a version, within a transaction of the caller's: what is to be loaded there came from that
 * version. What the schema held is gone when the caller commits. {@link migrate} brings it to the newest version afterwards.
 *
 * @param transaction - Of a role that may create schemas; holds the migration lock to its end.
 * @param through - Id of the last migration to apply.
 * @throws {@link DatabaseNewerError} when this program does not know that migration; nothing was changed.
 */
export async function makeSchemaAnew(transaction: postgres.TransactionSql, through: number): Promise<void> {
  const wanted = migrations.filter(({ id }) => id <= through);
  if (wanted.at(-1)?.id !== through) {
    throw new DatabaseNewerError(`A newer version of Queen is needed: this program does not know migration ${through}`);
  }
  await transaction`select pg_advisory_xact_lock(${LOCK[0]}, ${LOCK[1]})`;
  await transaction`drop schema if exists queen cascade`;
  await transaction`create schema queen`;
  await transaction`
    create table queen.schema_migrations (
      id integer primary key, name text not null, applied_at timestamptz not null default clock_timestamp()
    )`;
  for (const { id, name, statements } of wanted) {
    for (const statement of statements) await transaction.unsafe(statement);
    await transaction`insert into queen.schema_migrations (id, name) values (${id}, ${name})`;
  }
}
