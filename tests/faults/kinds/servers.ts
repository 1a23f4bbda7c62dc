/**
 * Servers that die.
 *
 * @module
 */
import process from "node:process";
import { databaseSocket } from "../../support/database.ts";
import type { Fault } from "../campaign/fault.ts";
import { kill, type OwnGround, openOwnGround, openSharedGround, type SharedGround } from "../campaign/grounds.ts";

const serverKilled: Fault = {
  name: "server-killed",
  what: "the server is killed with -9 and started again",
  // tests/faults/crash.test.ts is the short form.
  times: { short: 0, long: 30 },
  open: () => openOwnGround(),
  inject: async (ground, blow) => {
    blow.pause();
    await kill(ground.servers[0]!);
    await (ground as OwnGround).restart(0);
  },
};

const allKilled: Fault = {
  name: "server-and-database-killed",
  what: "the server and its database are killed with -9 and started again",
  // tests/faults/crash.test.ts is the short form.
  times: { short: 0, long: 30 },
  open: () => openOwnGround(),
  inject: async (ground, blow) => {
    const { pid } = await databaseSocket(ground.servers[0]!.dataDir);
    blow.pause();
    process.kill(pid, "SIGKILL");
    await kill(ground.servers[0]!);
    await (ground as OwnGround).restart(0);
  },
};

/** Instances on one database, one of which is killed: the others go on, so that clients do not wait. */
function oneOf(count: number, short: number): Fault {
  return {
    name: `one-of-${count}-killed`,
    what: `one of ${count} servers on one database is killed with -9 and started again`,
    times: { short, long: 25 },
    open: () => openSharedGround(count, { env: { NUM_WORKERS: "1" } }),
    inject: async (ground, { random }) => {
      const at = random.int(0, count - 1);
      await kill(ground.servers[at]!);
      await (ground as SharedGround).restart(at);
    },
  };
}

/** See the module comment. */
export const SERVER_FAULTS: readonly Fault[] = [serverKilled, allKilled, oneOf(2, 2), oneOf(4, 1)];
