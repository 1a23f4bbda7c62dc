/**
 * Statements on the switches of the whole system.
 *
 * @module
 */

import type { Sql } from "./database.ts";

/** Names of the switches. */
export type FlagName = "push_maintenance" | "pop_maintenance";

/** Reads all switches that were ever set. */
export function flagsRead(sql: Sql): Promise<{ name: string; enabled: boolean }[]> {
  return sql<{ name: string; enabled: boolean }[]>`select f.name, f.enabled from queen.system_flags f`;
}

/** Sets a switch. Idempotent. */
export async function flagSet(sql: Sql, name: FlagName, enabled: boolean): Promise<void> {
  await sql`
    insert into queen.system_flags (name, enabled) values (${name}, ${enabled})
    on conflict (name) do update set enabled = excluded.enabled, updated_at = clock_timestamp()`;
}

/** Names of queues that ask for encryption, at most `limit`, in any order. */
export async function queuesEncrypted(sql: Sql, limit: number): Promise<string[]> {
  const rows = await sql<{ name: string }[]>`
    select q.name from queen.queues q where q.encryption_enabled limit ${limit}`;
  return rows.map((row) => row.name);
}
