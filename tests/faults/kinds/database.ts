/**
 * PostgreSQL that dies, stops and freezes under a server that lives on.
 *
 * @module
 */
import process from "node:process";
import { processTreeMissing, signalTree } from "../../support/signal-tree.ts";
import { untilTime } from "../../support/wait.ts";
import { type DatabaseGround, openDatabaseGround } from "../campaign/database-ground.ts";
import type { Blow, Fault, Form } from "../campaign/fault.ts";

/** How long what lasts does last, in milliseconds. */
export const LASTING_MS: Readonly<Record<Form, number>> = { short: 3_000, long: 60_000 };

function databaseFault(
  fault: Pick<Fault, "name" | "what" | "times"> & Partial<Pick<Fault, "unable">>,
  inject: (ground: DatabaseGround, blow: Blow) => Promise<void>,
): Fault {
  return {
    ...fault,
    open: () => openDatabaseGround(),
    inject: (ground, blow) => inject(ground as DatabaseGround, blow),
  };
}

const backendsTerminated = databaseFault(
  {
    name: "backends-terminated",
    what: "some of the server's backends in PostgreSQL are terminated",
    times: { short: 3, long: 60 },
  },
  async (ground, { random }) => {
    const sql = await ground.openSql();
    try {
      const backends = await sql<{ pid: number }[]>`
        select pid from pg_stat_activity where application_name like 'queen %' order by pid`;
      const some = random.shuffled([...backends]).slice(0, random.int(1, backends.length));
      for (const { pid } of some) await sql`select pg_terminate_backend(${pid})`;
    } finally {
      await sql.end();
    }
  },
);

const postmasterKilled = databaseFault(
  {
    name: "postmaster-killed",
    what: "the postmaster of PostgreSQL is killed with -9, and started again",
    times: { short: 1, long: 20 },
  },
  async (ground, { healed }) => {
    process.kill(ground.database.pid, "SIGKILL");
    await ground.database.exited;
    await ground.database.stop();
    await ground.startDatabase();
    healed();
  },
);

const restarted = databaseFault(
  { name: "database-restarted", what: "PostgreSQL is restarted (fast)", times: { short: 1, long: 20 } },
  async (ground, { healed }) => {
    await ground.database.stop();
    await ground.startDatabase();
    healed();
  },
);

const stopped = databaseFault(
  {
    name: "database-stopped",
    what: "PostgreSQL is stopped for a minute (3 s in CI)",
    times: { short: 1, long: 4 },
  },
  async (ground, { form, healed }) => {
    await ground.database.stop();
    await untilTime(Date.now() + LASTING_MS[form]);
    await ground.startDatabase();
    healed();
  },
);

const frozen = databaseFault(
  {
    name: "database-frozen",
    what: "PostgreSQL is frozen (SIGSTOP) for a minute (3 s in CI)",
    times: { short: 1, long: 4 },
    unable: () => processTreeMissing,
  },
  async ({ database }, { form, healed }) => {
    signalTree(database.pid, "SIGSTOP");
    try {
      await untilTime(Date.now() + LASTING_MS[form]);
    } finally {
      signalTree(database.pid, "SIGCONT");
    }
    healed();
  },
);

/** See the module comment. */
export const DATABASE_FAULTS: readonly Fault[] = [backendsTerminated, postmasterKilled, restarted, stopped, frozen];
