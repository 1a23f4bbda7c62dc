/**
 * A PostgreSQL of the user's own, older than the embedded one: Debian's 15, over TCP with a password.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import connect from "postgres";
import { Api } from "../support/api.ts";
import { Http } from "../support/http.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { type DebianPostgres, debianPostgresMissing, startDebianPostgres } from "./debian-postgres.ts";
import { MAIN_PATH, MAIN_PATH_ENV, stopsWell } from "./main-path.ts";

setDefaultTimeout(60_000);
if (debianPostgresMissing !== null) console.warn(`skipped: ${debianPostgresMissing}`);

describe.skipIf(debianPostgresMissing !== null)("with PostgreSQL 15 at DATABASE_URL, the server", () => {
  let postgres: DebianPostgres;
  let server: TestServer;
  const api = new Api(new Http(""));

  beforeAll(async () => {
    postgres = await startDebianPostgres();
    server = await startServer({ env: { ...MAIN_PATH_ENV, DATABASE_URL: postgres.url } });
    api.http.url = server.url;
  });
  afterAll(async () => {
    await server?.stop();
    await postgres?.stop();
  });

  test("says which database it uses, and never the password", () => {
    const output = server.log.join("\n");
    expect(output).toMatch(/PostgreSQL 15\.\d+ at app@127\.0\.0\.1:\d+\/app/);
    expect(output).not.toContain("secret");
  });

  test.each([...MAIN_PATH])("%s", (_name, run) => run(api));

  test("answers a parked poll empty at a stop, and exits with 0", () => stopsWell(api, () => server.stop()));

  test("finds everything again at the next start, also by PG_* variables", async () => {
    const { port } = postgres;
    const parts = {
      PG_HOST: "127.0.0.1",
      PG_PORT: String(port),
      PG_USER: "app",
      PG_PASSWORD: "it's a secret",
      PG_DB: "app",
    };
    const first = await startServer({ env: { DATABASE_URL: postgres.url } });
    await new Api(new Http(first.url)).pushAll("kept", "p", ["still here"]);
    expect(await first.stop()).toBe(0);
    const second = await startServer({ env: parts });
    const messages = await new Api(new Http(second.url)).pop("kept");
    expect(messages.map(({ data }) => data)).toEqual(["still here"]);
    expect(await second.stop()).toBe(0);
  });

  test("takes the main path with unprepared statements, on a database whose clock is not UTC", async () => {
    const sql = connect(postgres.url, { max: 1, onnotice: () => {} });
    await sql`alter database app set timezone = 'America/St_Johns'`;
    await sql.end();
    const pooled = await startServer({ env: { ...MAIN_PATH_ENV, DATABASE_URL: postgres.url, PG_PREPARE: "false" } });
    try {
      const pooledApi = new Api(new Http(pooled.url));
      for (const [, run] of MAIN_PATH) await run(pooledApi);
      await pooledApi.pushAll("clock", "p", [1]);
      const [message] = await pooledApi.pop("clock");
      expect(Math.abs(Date.parse(message!.createdAt) - Date.now())).toBeLessThan(60_000);
    } finally {
      await pooled.stop();
    }
  });

  test("says what is wrong when the password is", async () => {
    const env = { DATABASE_URL: postgres.url.replace("secret", "guess") };
    const failure: unknown = await startServer({ env }).catch((error: unknown) => error);
    expect(String(failure)).toMatch(
      /queen: Cannot use the database app@127\.0\.0\.1:\d+\/app: password authentication failed/,
    );
  });
});
