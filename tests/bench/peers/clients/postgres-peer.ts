/**
 * What the clients of PostgreSQL queues share: a database of their own beside that of this server, in the same PostgreSQL.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import postgres from "postgres";
import type { ClientSpec } from "../peer.ts";

function open(spec: ClientSpec) {
  const { socketDir, port, user, database } = spec.endpoints.postgres!;
  return postgres({ host: socketDir, port, user, database, max: 1, onnotice: () => undefined });
}

/**
 * Makes an empty database.
 *
 * @param spec - `endpoints.postgres` says where; the database is named after peer and mode.
 * @returns How to connect to it, as `pg` wants to be told.
 */
export async function createDatabase(
  spec: ClientSpec,
): Promise<{ host: string; port: number; user: string; database: string }> {
  const name = `peer_${spec.peer}_${spec.mode}`.replaceAll("-", "_");
  const sql = open(spec);
  await sql.unsafe(`create database ${name}`);
  await sql.end();
  const { socketDir, port, user } = spec.endpoints.postgres!;
  return { host: socketDir, port, user, database: name };
}

/**
 * Asks the PostgreSQL of a run when a commit is on disk.
 *
 * @param spec - `endpoints.postgres` says where.
 * @returns Its settings, in words.
 */
export async function postgresDurability(spec: ClientSpec): Promise<string> {
  const sql = open(spec);
  const [row] = await sql<{ fsync: string; commit: string }[]>`
    select current_setting('fsync') as fsync, current_setting('synchronous_commit') as commit`;
  await sql.end();
  return `fsync ${row!.fsync}, synchronous_commit ${row!.commit}`;
}

/**
 * Reads the version of an installed package.
 *
 * @param name - Of the package.
 * @returns Its version.
 */
export function packageVersion(name: string): string {
  const file = new URL(`../../../../node_modules/${name}/package.json`, import.meta.url);
  return (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
}
