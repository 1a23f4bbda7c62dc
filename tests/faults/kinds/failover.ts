/**
 * Failover: the primary dies, or freezes, and its standby is promoted; the server finds it by itself.
 *
 * @module
 */
import { freePort } from "../../runtime/debian-postgres.ts";
import { ReplicatedPostgres, replicationMissing } from "../../support/replicated-postgres.ts";
import { startServer } from "../../support/server.ts";
import { signalTree } from "../../support/signal-tree.ts";
import type { Blow, Fault, Ground } from "../campaign/fault.ts";

interface FailoverGround extends Ground {
  databases: ReplicatedPostgres;
}

async function openFailoverGround(): Promise<FailoverGround> {
  const databases = new ReplicatedPostgres([await freePort(), await freePort()]);
  try {
    await databases.start();
    const hosts = databases.nodes.map(({ host, port }) => `${host}:${port}`).join(",");
    const env = { PG_HOST: hosts, PG_USER: "queen", PG_DB: "postgres", PG_PASSWORD: "" };
    const server = await startServer({ env });
    return {
      servers: [server],
      databases,
      openSql: async () => databases.open(databases.primary),
      close: async () => {
        await server.stop();
        await databases.close();
      },
    };
  } catch (error) {
    await databases.close();
    throw error;
  }
}

function failover(
  name: string,
  what: string,
  times: Fault["times"],
  inject: (databases: ReplicatedPostgres, blow: Blow) => Promise<void>,
): Fault {
  return {
    ...{ name, what, times },
    unable: () => replicationMissing,
    open: openFailoverGround,
    inject: async (ground, blow) => {
      const { databases } = ground as FailoverGround;
      // All but the first one find the pair after an earlier failover, the former primary gone, frozen, or behind.
      if (!databases.replicated) await databases.makeStandby();
      await inject(databases, blow);
      blow.healed();
    },
  };
}

const killed = failover(
  "failover",
  "the primary is killed with -9, its standby is promoted, and the old primary stays away",
  { short: 1, long: 12 },
  async (databases) => {
    const old = databases.primary;
    await databases.kill(old);
    await databases.promote();
  },
);

const returned = failover(
  "failover-old-primary-reads-only",
  "the primary is killed with -9, its standby is promoted, and the old primary comes back read-only",
  { short: 1, long: 8 },
  async (databases) => {
    const old = databases.primary;
    await databases.kill(old);
    await databases.returnReadOnly(old);
    await databases.promote();
  },
);

const frozen = failover(
  "failover-old-primary-frozen",
  "the primary freezes, its standby is promoted, and the old primary keeps its connections without a word",
  { short: 1, long: 6 },
  async (databases) => {
    const old = databases.primary;
    signalTree(databases.nodes[old]!.process!.pid!, "SIGSTOP");
    await databases.promote();
  },
);

/** See the module comment. */
export const FAILOVER_FAULTS: readonly Fault[] = [killed, returned, frozen];
