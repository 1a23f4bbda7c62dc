/**
 * What a database says of itself, for those who look after it. Nothing here changes or locks anything.
 *
 * @module
 */

import type { Sql } from "./database.ts";

/** What matters for a queue server. */
export interface DatabaseHealth {
  /** As PostgreSQL counts: 180004 is 18.4. */
  version_number: number;
  version: string;
  /** ISO 8601. */
  now: string;
  connections: number;
  connections_max: number;
  synchronous_commit: string;
  fsync: string;
  full_page_writes: string;
  autovacuum: string;
  shared_buffers_bytes: number;
  in_recovery: boolean;
  may_create: boolean;
  database_bytes: number;
  /** Age of the oldest transaction under way, in seconds; 0 when there is none. */
  oldest_transaction_s: number;
  /** Age of the oldest transaction id, in transactions. */
  transaction_id_age: number;
}

/** Asks for it. */
export async function databaseHealth(sql: Sql): Promise<DatabaseHealth> {
  const [row] = await sql<DatabaseHealth[]>`
    select current_setting('server_version_num')::integer as version_number, current_setting('server_version') as version,
           clock_timestamp() as now,
           (select count(*) from pg_stat_activity a where a.backend_type = 'client backend') as connections,
           current_setting('max_connections')::integer - current_setting('superuser_reserved_connections')::integer as connections_max,
           current_setting('synchronous_commit') as synchronous_commit, current_setting('fsync') as fsync,
           current_setting('full_page_writes') as full_page_writes, current_setting('autovacuum') as autovacuum,
           pg_size_bytes(current_setting('shared_buffers')) as shared_buffers_bytes, pg_is_in_recovery() as in_recovery,
           has_database_privilege(current_database(), 'CREATE') as may_create,
           pg_database_size(current_database()) as database_bytes,
           coalesce((
             select extract(epoch from clock_timestamp() - min(a.xact_start)) from pg_stat_activity a
             where a.datname = current_database() and a.pid <> pg_backend_pid() and a.backend_type = 'client backend'
           ), 0)::float8 as oldest_transaction_s,
           (select age(d.datfrozenxid) from pg_database d where d.datname = current_database()) as transaction_id_age`;
  return row!;
}
