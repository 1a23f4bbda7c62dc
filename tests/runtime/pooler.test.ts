/**
 * Behind PgBouncer in transaction mode, with `PG_PREPARE=false`: consecutive statements of a connection may reach
 * different sessions, and few sessions serve many connections.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chownSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Api } from "../support/api.ts";
import { Http } from "../support/http.ts";
import { startServer, type TestServer } from "../support/server.ts";
import {
  type DebianPostgres,
  debianPostgresMissing,
  freePort,
  PASSWORD,
  startDebianPostgres,
  UNPRIVILEGED,
} from "./debian-postgres.ts";
import { MAIN_PATH, MAIN_PATH_ENV } from "./main-path.ts";
import { type Program, startProgram, temporaryFolder } from "./program.ts";

setDefaultTimeout(60_000);
const program = Bun.which("pgbouncer", { PATH: `${process.env.PATH}:/usr/sbin` });
const missing = debianPostgresMissing ?? (program === null ? "no pgbouncer: apt-get install pgbouncer" : null);
if (missing !== null) console.warn(`skipped: ${missing}`);

/** Steps that wait for seconds of their own are enough once. */
const ROUNDS_AT_ONCE = 8;

describe.skipIf(missing !== null)("behind PgBouncer in transaction mode", () => {
  const folder = temporaryFolder();
  let postgres: DebianPostgres;
  let pooler: Program;
  let server: TestServer;
  const api = new Api(new Http(""));

  beforeAll(async () => {
    postgres = await startDebianPostgres();
    const port = await freePort();
    const settings = join(folder, "pgbouncer.ini");
    const target = `host=127.0.0.1 port=${postgres.port} dbname=app user=app password='${PASSWORD.replaceAll("'", "''")}'`;
    const options = "auth_type=any\npool_mode=transaction\ndefault_pool_size=5\nunix_socket_dir=\n";
    writeFileSync(
      settings,
      `[databases]\napp = ${target}\n[pgbouncer]\nlisten_addr=127.0.0.1\nlisten_port=${port}\n${options}`,
    );
    if (UNPRIVILEGED.uid !== undefined) chownSync(settings, UNPRIVILEGED.uid, UNPRIVILEGED.gid);
    const asUser = UNPRIVILEGED.uid === undefined ? [] : ["-u", "nobody"];
    pooler = startProgram([program!, ...asUser, settings], { cwd: folder, env: { PATH: process.env.PATH ?? "" } });
    const env = { ...MAIN_PATH_ENV, DATABASE_URL: `postgres://app:x@127.0.0.1:${port}/app`, PG_PREPARE: "false" };
    server = await startServer({ env });
    api.http.url = server.url;
  });
  afterAll(async () => {
    await server?.stop();
    pooler?.signal("SIGTERM");
    await pooler?.exited;
    await postgres?.stop();
    rmSync(folder, { recursive: true, force: true });
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
