import { afterAll, afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { startEmbedded } from "../../../server/postgres/embedded.ts";
import {
  cleanUp,
  isAlive,
  isLinux,
  isRoot,
  keptFolder,
  Launched,
  launch,
  NOBODY,
  processesWith,
  query,
  removeFolder,
  temporaryFolder,
  until,
  untilGone,
} from "./launcher.ts";

setDefaultTimeout(60_000);
afterEach(cleanUp);

/** One folder for the whole file: it must live through everything that happens here. */
const parent = keptFolder();
const dataDir = join(parent, "data");
afterAll(() => removeFolder(parent));

/** Starts a server and leaves a committed row in it. */
async function launchWithRow() {
  const server = await launch(dataDir);
  await query(
    server.started.target,
    "drop table if exists kept; create table kept (n int); insert into kept values (42)",
  );
  return server;
}

/** Starts on the folder after a crash, and expects the row. */
async function expectRow(): Promise<string[]> {
  const server = await launch(dataDir);
  expect(server.started.firstStart).toBe(false);
  expect(await query(server.started.target, "select n from kept")).toEqual([{ n: 42 }]);
  expect((await server.stop()).exit.signal).toBeNull();
  console.log(`start after the crash ${server.started.ms} ms`);
  return server.started.events;
}

describe("after kill -9 of the server", () => {
  test("the database stops by itself, and the next start finds its data", async () => {
    const server = await launchWithRow();
    await server.kill();
    await untilGone(server.started.pid);
    expect(existsSync(join(dataDir, "postgres", "postmaster.pid"))).toBe(false);
    await expectRow();
  });

  test("a start at once waits for the old database to end", async () => {
    const server = await launchWithRow();
    await server.kill();
    await expectRow();
    expect(isAlive(server.started.pid)).toBe(false);
  });

  test.skipIf(!isLinux)("and of the watchdog, the next start stops the database that was left running", async () => {
    const server = await launchWithRow();
    const watchdogs = processesWith(`queen-watchdog ${server.started.pid}`);
    expect(watchdogs).toHaveLength(1);
    process.kill(watchdogs[0]!, "SIGKILL");
    await untilGone(watchdogs[0]!);
    await server.kill();
    expect(await query(server.started.target, "select n from kept")).toEqual([{ n: 42 }]);
    expect(await expectRow()).toContain("database_left_running");
    expect(isAlive(server.started.pid)).toBe(false);
  });

  test("and of the postmaster, the next start recovers", async () => {
    const server = await launchWithRow();
    process.kill(server.started.pid, "SIGKILL");
    await server.kill();
    expect(existsSync(join(dataDir, "postgres", "postmaster.pid"))).toBe(true);
    await expectRow();
  });

  test("while a client is busy in the database: its backend ends too", async () => {
    const server = await launchWithRow();
    const busy = query(server.started.target, "select pg_sleep(600)").catch((error: Error) => error);
    await until("the client is busy", async () => {
      const rows = await query(
        server.started.target,
        "select 1 from pg_stat_activity where query ~ 'sleep\\(' and pid <> pg_backend_pid()",
      );
      return rows.length === 1;
    });
    process.kill(server.started.pid, "SIGKILL");
    await server.kill();
    expect(await busy).toBeInstanceOf(Error);
    await expectRow();
  });
});

test("on Deno too: start, stop by the watchdog after kill -9, start", async () => {
  const deno = join(import.meta.dir, "../../../node_modules/.bin/deno");
  const program = [deno, "run", "-A", join(import.meta.dir, "launch.ts")];
  const server = await launch(dataDir, { program });
  await query(
    server.started.target,
    "drop table if exists kept; create table kept (n int); insert into kept values (42)",
  );
  await expect(startEmbedded({ dataDir, log: () => {}, connectionsMax: 5 })).rejects.toMatchObject({
    code: "DATA_DIR_IN_USE",
  });
  await server.kill();
  await untilGone(server.started.pid);
  const again = await launch(dataDir, { program });
  expect(await query(again.started.target, "select n from kept")).toEqual([{ n: 42 }]);
  await again.stop();
  await expectRow();
});

test("after kill -9 of the postmaster alone, the server learns of it and can start anew", async () => {
  const options = { dataDir, log: () => {}, connectionsMax: 5 };
  const first = await startEmbedded(options);
  await query(first.target, "drop table if exists kept; create table kept (n int); insert into kept values (42)");
  process.kill(first.pid, "SIGKILL");
  const exit = await first.exited;
  expect(exit).toEqual({ code: null, signal: "SIGKILL" });
  await expect(startEmbedded(options)).rejects.toMatchObject({ code: "DATA_DIR_IN_USE" });
  await first.stop();
  const second = await startEmbedded(options);
  expect(await query(second.target, "select n from kept")).toEqual([{ n: 42 }]);
  await second.stop();
});

test("the watchdog ends with an ordinary stop, and leaves a later database alone", async () => {
  const server = await launch(dataDir);
  await server.stop();
  if (isLinux)
    await until("the watchdog is gone", () => processesWith(`queen-watchdog ${server.started.pid}`).length === 0);
});

test("a pid that another process has by now fools neither the lock nor PostgreSQL", async () => {
  const server = await launchWithRow();
  process.kill(server.started.pid, "SIGKILL");
  await server.kill();
  // Same user as the database: PostgreSQL alone would take it for a live postmaster.
  const account = isRoot ? { uid: NOBODY, gid: NOBODY } : {};
  const other = spawn("sleep", ["600"], { ...account, stdio: "ignore" });
  try {
    const pidFile = join(dataDir, "postgres", "postmaster.pid");
    const [, ...rest] = readFileSync(pidFile, "utf8").split("\n");
    writeFileSync(pidFile, [other.pid, ...rest].join("\n"));
    writeFileSync(join(dataDir, "socket", ".s.PGSQL.5432.lock"), [other.pid, ...rest].join("\n"));
    writeFileSync(join(dataDir, "owner.json"), JSON.stringify({ pid: other.pid, startedAt: new Date() }));
    await expectRow();
    expect(isAlive(other.pid!)).toBe(true);
  } finally {
    other.kill("SIGKILL");
  }
});

test("an interrupted initdb leaves no half-made cluster", async () => {
  const dataDir = join(temporaryFolder(), "data");
  const drafts = () =>
    existsSync(dataDir) ? readdirSync(dataDir).filter((name) => name.startsWith("postgres.new-")) : [];
  const server = new Launched(dataDir);
  await until("initdb is at work", () => drafts().some((draft) => existsSync(join(dataDir, draft, "PG_VERSION"))));
  await server.kill();
  expect(existsSync(join(dataDir, "postgres"))).toBe(false);
  const next = await launch(dataDir);
  expect(next.started.firstStart).toBe(true);
  await next.stop();
  expect(drafts()).toEqual([]);
});
