/**
 * Networks that break: between the server and its database, and between clients and the server.
 *
 * @module
 */
import { untilTime } from "../../support/wait.ts";
import { type DatabaseGround, openDatabaseGround } from "../campaign/database-ground.ts";
import type { Blow, Fault, Form } from "../campaign/fault.ts";

/** A statement timeout that lets a test in CI see the end of a connection that was forgotten. */
const SHORT: Record<string, string> = { DB_STATEMENT_TIMEOUT: "1000" };
const SLOW = { bytesPerSecond: 150_000, delayMs: 25 };
const SLOW_MS: Readonly<Record<Form, number>> = { short: 1_500, long: 10_000 };
const HELD_MS: Readonly<Record<Form, number>> = { short: 2_000, long: 20_000 };
const REFUSED_MS: Readonly<Record<Form, number>> = { short: 1_000, long: 10_000 };

const fault = (
  rest: Pick<Fault, "name" | "what" | "times">,
  inject: (ground: DatabaseGround, blow: Blow) => Promise<void> | void,
  open: Fault["open"] = () => openDatabaseGround(),
): Fault => ({ ...rest, open, inject: async (ground, blow) => await inject(ground as DatabaseGround, blow) });

/** Holds one direction or both for a while. */
async function holdFor(proxy: DatabaseGround["inner"], { random, form, healed }: Blow): Promise<void> {
  proxy.hold(...random.pick([["forth"], ["back"], ["forth", "back"]] as const));
  await untilTime(Date.now() + HELD_MS[form]);
  proxy.release();
  healed();
}

async function slowFor(proxy: DatabaseGround["inner"], { form, healed }: Blow): Promise<void> {
  proxy.slow(SLOW);
  await untilTime(Date.now() + SLOW_MS[form]);
  proxy.slow({});
  healed();
}

/** See the module comment. */
export const NETWORK_FAULTS: readonly Fault[] = [
  fault(
    {
      name: "database-connection-cut",
      what: "all connections between server and database are reset",
      times: { short: 2, long: 50 },
    },
    ({ inner }) => inner.cut(),
  ),
  fault(
    {
      name: "database-connection-refused",
      what: "the database cannot be reached for 10 s (1 s in CI)",
      times: { short: 1, long: 10 },
    },
    async ({ inner }, { form, healed }) => {
      await inner.refuse();
      await untilTime(Date.now() + REFUSED_MS[form]);
      await inner.open();
      healed();
    },
  ),
  fault(
    {
      name: "database-connection-forgotten",
      what: "the network forgets all connections between server and database; neither hears of it",
      times: { short: 1, long: 10 },
    },
    ({ inner }) => {
      // PostgreSQL notices by its keepalive, in less time than the last injection took. Without this it ran out of connections.
      inner.bury();
      inner.forget();
    },
    (form) => openDatabaseGround(form === "short" ? SHORT : {}),
  ),
  fault(
    {
      name: "database-connection-held",
      what: "nothing passes between server and database, in one direction or both, for 20 s (2 s in CI)",
      times: { short: 1, long: 8 },
    },
    ({ inner }, blow) => holdFor(inner, blow),
  ),
  fault(
    {
      name: "database-connection-slow",
      what: "server and database talk slowly for 10 s (1.5 s in CI)",
      times: { short: 1, long: 8 },
    },
    ({ inner }, blow) => slowFor(inner, blow),
  ),
  fault(
    {
      name: "client-connection-cut",
      what: "all connections of clients are reset",
      times: { short: 3, long: 60 },
    },
    ({ outer }) => outer.cut(),
  ),
  fault(
    {
      name: "clients-vanished",
      what: "all clients vanish without the server hearing of it, and others come",
      times: { short: 2, long: 40 },
    },
    ({ outer }) => outer.vanish(),
  ),
  fault(
    {
      name: "client-connection-held",
      what: "nothing passes between clients and server, in one direction or both, for 20 s (2 s in CI)",
      times: { short: 1, long: 8 },
    },
    ({ outer }, blow) => holdFor(outer, blow),
  ),
  fault(
    {
      name: "client-connection-slow",
      what: "clients and server talk slowly for 10 s (1.5 s in CI)",
      times: { short: 1, long: 8 },
    },
    ({ outer }, blow) => slowFor(outer, blow),
  ),
];
