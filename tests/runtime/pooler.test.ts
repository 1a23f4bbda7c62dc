/**
 * Behind PgBouncer in transaction mode, with `PG_PREPARE=false`: consecutive statements of a connection may reach
 * different sessions, and few sessions serve many connections.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { Api } from "../support/api.ts";
import { Http } from "../support/http.ts";
import { PgBouncer, pgbouncerMissing } from "../support/pgbouncer.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { type DebianPostgres, debianPostgresMissing, PASSWORD, startDebianPostgres } from "./debian-postgres.ts";
import { MAIN_PATH, MAIN_PATH_ENV } from "./main-path.ts";

setDefaultTimeout(60_000);
const missing = debianPostgresMissing ?? pgbouncerMissing;
if (missing !== null) console.warn(`skipped: ${missing}`);

/** Steps that wait for seconds of their own are enough once. */
const ROUNDS_AT_ONCE = 8;

describe.skipIf(missing !== null)("behind PgBouncer in transaction mode", () => {
  let postgres: DebianPostgres;
  let pooler: PgBouncer;
  let server: TestServer;
  const api = new Api(new Http(""));

  beforeAll(async () => {
    postgres = await startDebianPostgres();
    const password = PASSWORD.replaceAll("'", "''");
    pooler = await PgBouncer.start(`host=127.0.0.1 port=${postgres.port} dbname=app user=app password='${password}'`);
    const env = {
      ...MAIN_PATH_ENV,
      DATABASE_URL: `postgres://app:x@127.0.0.1:${pooler.port}/app`,
      PG_PREPARE: "false",
    };
    server = await startServer({ env });
    api.http.url = server.url;
  });
  afterAll(async () => {
    await server?.stop();
    await pooler?.stop();
    await postgres?.stop();
  });

  test.each([...MAIN_PATH])("%s", (_name, run) => run(api));

  test("the same, many at once", async () => {
    // Parked polls are counted, and pushes buffered, for the whole server: those steps need it for themselves.
    const steps = MAIN_PATH.filter(([name]) => !/parked|went away|buffers/.test(name));
    const round = () => Promise.all(steps.map(([, run]) => run(api)));
    let done = false;
    const rounds = Promise.all(Array.from({ length: ROUNDS_AT_ONCE }, round)).finally(() => (done = true));
    // A statement without parameters in front of others is what a driver would pipeline, and a pooler cannot follow.
    while (!done) expect((await api.http.get("/health")).status).toBe(200);
    await rounds;
    // Packets 'A' are notifications, which nobody waits for; any other one is an answer that went astray.
    expect(pooler.lines.filter((line) => /got packet '[^A]' .*not linked/.test(line))).toEqual([]);
  });
});
