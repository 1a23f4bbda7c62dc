/**
 * PgBouncer in transaction mode between server and database, which dies, and whose sessions are terminated behind it.
 *
 * @module
 */
import { PgBouncer, pgbouncerMissing } from "../../support/pgbouncer.ts";
import { type DatabaseGround, openDatabaseGround } from "../campaign/database-ground.ts";
import type { Blow, Fault } from "../campaign/fault.ts";

interface PoolerGround extends DatabaseGround {
  pooler: PgBouncer;
}

async function openPoolerGround(): Promise<PoolerGround> {
  let pooler: PgBouncer | null = null;
  const ground = await openDatabaseGround(async ({ hosts, port, database, user }) => {
    pooler = await PgBouncer.start(`host=${hosts[0]} port=${port} dbname=${database} user=${user}`);
    return { PG_PORT: String(pooler.port), PG_DB: "app", PG_PREPARE: "false" };
  });
  const close = ground.close.bind(ground);
  return Object.assign(ground, { pooler: pooler!, close: () => close().finally(() => pooler!.stop()) });
}

function poolerFault(
  name: string,
  what: string,
  times: Fault["times"],
  inject: (ground: PoolerGround, blow: Blow) => Promise<void>,
): Fault {
  return {
    ...{ name, what, times },
    unable: () => pgbouncerMissing,
    open: openPoolerGround,
    inject: (ground, blow) => inject(ground as PoolerGround, blow),
  };
}

const restarted = poolerFault(
  "pooler-restarted",
  "PgBouncer between server and database is ended and started again",
  { short: 1, long: 25 },
  ({ pooler }) => pooler.restart("SIGTERM"),
);

const killed = poolerFault(
  "pooler-killed",
  "PgBouncer between server and database is killed with -9 and started again",
  { short: 1, long: 25 },
  ({ pooler }) => pooler.restart("SIGKILL"),
);

const terminated = poolerFault(
  "pooler-backends-terminated",
  "some sessions of PgBouncer in PostgreSQL are terminated",
  { short: 1, long: 40 },
  async (ground, { random }) => {
    const sql = await ground.openSql();
    try {
      const sessions = await sql<{ pid: number }[]>`
        select pid from pg_stat_activity
        where backend_type = 'client backend' and pid <> pg_backend_pid() order by pid`;
      const some = random.shuffled([...sessions]).slice(0, random.int(1, Math.max(1, sessions.length)));
      for (const { pid } of some) await sql`select pg_terminate_backend(${pid})`;
    } finally {
      await sql.end();
    }
  },
);

/** See the module comment. */
export const POOLER_FAULTS: readonly Fault[] = [restarted, killed, terminated];
