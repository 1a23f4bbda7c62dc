/**
 * Clocks that are moved, and transactions that stand still.
 *
 * The server's own clock decides nothing that counts. The database's does: leases run by it. When it goes forward by an hour,
 * all leases end at that moment, and a message may be with two consumers; when it goes back, what was leased before comes back
 * an hour later. Nothing else may happen: nothing lost, nothing stored twice, nothing out of order.
 *
 * @module
 */
import { execFileSync } from "node:child_process";
import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PROGRAM_ENV } from "../../../server/postgres/run.ts";
import { Api } from "../../support/api.ts";
import { Http } from "../../support/http.ts";
import { uniqueName } from "../../support/names.ts";
import { until } from "../../support/wait.ts";
import type { Fault, Form, Ground } from "../campaign/fault.ts";
import { type OwnGround, openOwnGround, openSharedGround, type SharedGround } from "../campaign/grounds.ts";
import { Saboteur } from "../sabotage/saboteur.ts";

const HOUR_S = 3_600;
/** How exactly a clock has to be where it was put, and how soon. */
const TOLERANCE_MS = 60_000;
const SET_MS_MAX = 30_000;

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** The database's clock has to be where it was put, or the fault was none. */
async function misplaced(ground: Ground): Promise<string[]> {
  const sql = await ground.openSql();
  try {
    const [row] = await sql<{ now: Date }[]>`select clock_timestamp() as now`;
    const expected = Date.now() + (ground as DatabaseClockGround).ahead() * 1_000;
    const off = Math.abs(row!.now.getTime() - expected);
    return off > TOLERANCE_MS ? [`the database's clock is ${off} ms from where it was put`] : [];
  } finally {
    await sql.end();
  }
}

interface ServerClockGround extends OwnGround {
  /** Sets how far the clock is from the system's. */
  setClock(seconds: number): Promise<void>;
  /** Where it was put so far, in seconds from the system's; the last one is where it is. */
  places: number[];
}

interface DatabaseClockGround extends SharedGround {
  /** Moves the clock from where it is. */
  step(seconds: number): void;
  /** Seconds from the system's clock. */
  ahead(): number;
}

async function openWithServerClock(): Promise<ServerClockGround> {
  const saboteur = new Saboteur();
  const ground = await openOwnGround(saboteur.options());
  const places = [0];
  return {
    ...ground,
    places,
    setClock: (seconds) => {
      places.push(seconds);
      return saboteur.order({ kind: "clock", worker: "all", ms: seconds * 1_000 });
    },
    close: async () => {
      await ground.close();
      saboteur.close();
    },
  };
}

/** The environment of PostgreSQL is fixed on purpose; here it has to be another one for as long as it starts. */
async function openWithDatabaseClock(): Promise<DatabaseClockGround> {
  const environment: Record<string, string | undefined> = PROGRAM_ENV;
  let file = "";
  const prepare = (folder: string) => {
    const library = join(folder, "clock.so");
    file = join(folder, "clock");
    execFileSync("cc", [
      "-shared",
      "-fPIC",
      "-O1",
      "-o",
      library,
      join(import.meta.dirname, "../sabotage/clock.c"),
      "-ldl",
    ]);
    writeFileSync(file, "0");
    Object.assign(environment, { LD_PRELOAD: library, QUEEN_TEST_CLOCK: file });
  };
  try {
    const ground = await openSharedGround(1, {}, prepare);
    let ahead = 0;
    const step = (seconds: number) => {
      ahead += seconds;
      // A look at the clock never finds half of a number.
      writeFileSync(`${file}.new`, String(ahead));
      renameSync(`${file}.new`, file);
    };
    return { ...ground, step, ahead: () => ahead };
  } finally {
    delete environment.LD_PRELOAD;
    delete environment.QUEEN_TEST_CLOCK;
  }
}

function withoutCompiler(): string | null {
  try {
    execFileSync("cc", ["--version"], { stdio: "ignore" });
    return null;
  } catch {
    return "there is no C compiler (cc), with which the library that moves the clock is made";
  }
}

const serverClock: Fault = {
  name: "server-clock-stepped",
  what: "the server's clock jumps by up to an hour forward or back",
  times: { short: 2, long: 30 },
  open: openWithServerClock,
  inject: async (ground, { random, healed }) => {
    const { setClock, places } = ground as ServerClockGround;
    await setClock(random.int(-HOUR_S, HOUR_S));
    const queue = uniqueName("clock");
    const isSet = async () => {
      const [result] = await new Api(new Http(ground.servers[0]!.url)).push({ queue, payload: 0 });
      // The first 48 bits of an id that the server draws are its clock, which for the ids of a worker never goes back.
      const ms = Number.parseInt(result!.transaction_id.replaceAll("-", "").slice(0, 12), 16);
      const at = (place: number) => Math.abs(ms - Date.now() - place * 1_000) < TOLERANCE_MS;
      return places.some((place) => place >= places.at(-1)! && at(place));
    };
    await until(isSet, SET_MS_MAX, "the server's clock");
    healed();
  },
};

const databaseClockForward: Fault = {
  name: "database-clock-forward",
  what: "the database's clock jumps forward by an hour",
  times: { short: 1, long: 20 },
  unable: withoutCompiler,
  open: openWithDatabaseClock,
  inject: async (ground, { endLeases }) => {
    await endLeases(async () => (ground as DatabaseClockGround).step(HOUR_S));
  },
  inspect: misplaced,
};

const databaseClockBack: Fault = {
  name: "database-clock-back",
  what: "the database's clock jumps back by an hour, and is set right a second later",
  times: { short: 1, long: 20 },
  unable: withoutCompiler,
  open: openWithDatabaseClock,
  inject: async (ground, { endLeases, healed }) => {
    const { step } = ground as DatabaseClockGround;
    await endLeases(async () => {
      step(-HOUR_S);
      await pause(1_000);
      const wrong = await misplaced(ground);
      if (wrong.length > 0) throw new Error(wrong[0]);
      step(HOUR_S);
    });
    healed();
  },
  inspect: misplaced,
};

const HELD_MS: Record<Form, number> = { short: 2_000, long: 10_000 };

const transactionHeld: Fault = {
  name: "transaction-held",
  what: "another session holds a transaction with a snapshot open under load, 10 s at a time",
  times: { short: 1, long: 20 },
  open: () => openOwnGround(),
  inject: async (ground, { form, healed }) => {
    const sql = await ground.openSql();
    try {
      await sql.begin("isolation level repeatable read", async (held) => {
        await held`select count(*) from queen.cursors`;
        await pause(HELD_MS[form]);
      });
    } finally {
      await sql.end();
    }
    healed();
  },
};

/** See the module comment. */
export const CLOCK_FAULTS: readonly Fault[] = [serverClock, databaseClockForward, databaseClockBack, transactionHeld];
