import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readdirSync, renameSync, statSync } from "node:fs";
import { join } from "node:path";
import postgres from "postgres";
import { startEmbedded } from "../../../server/postgres/embedded.ts";
import {
  canSwitch,
  cleanUp,
  isAlive,
  isInstallOpen,
  isLinux,
  isRoot,
  launch,
  NOBODY,
  ORDINARY,
  query,
  temporaryFolder,
  userOf,
} from "./launcher.ts";

setDefaultTimeout(60_000);
afterEach(cleanUp);

const mode = (path: string) => statSync(path).mode & 0o777;

describe("startEmbedded()", () => {
  test("makes a cluster within 15 s, then starts on it within 3 s and finds its data", async () => {
    const dataDir = join(temporaryFolder(), "a", "data");
    const first = await launch(dataDir);
    expect(first.started).toMatchObject({ firstStart: true, version: "18.4", dataDir });
    expect(first.started.ms).toBeLessThan(15_000);
    expect([mode(join(dataDir, "postgres")), mode(first.started.target.hosts[0]!)]).toEqual([0o700, 0o700]);
    await query(first.started.target, "create table kept (n int); insert into kept values (42)");
    expect((await first.stop()).exit).toEqual({ code: 0, signal: null });
    expect(isAlive(first.started.pid)).toBe(false);
    expect(
      readdirSync(dataDir)
        .filter((name) => name !== "programs")
        .sort(),
    ).toEqual(["owner.lock", "postgres"]);

    const second = await launch(dataDir);
    expect(second.started.firstStart).toBe(false);
    expect(second.started.ms).toBeLessThan(3_000);
    expect(await query(second.started.target, "select n from kept")).toEqual([{ n: 42 }]);
    await second.stop();
    console.log(`first start ${first.started.ms} ms, warm start ${second.started.ms} ms`);
  });

  test("answers with the cluster that was asked for: UTF-8, builtin C.UTF-8, no TCP, checksums", async () => {
    const server = await startEmbedded({ dataDir: join(temporaryFolder(), "data"), log: () => {}, connectionsMax: 7 });
    const rows = await query(
      server.target,
      `select current_user as who, d.datname as name, pg_encoding_to_char(d.encoding) as encoding, d.datlocprovider as provider,
        d.datlocale as locale, current_setting('listen_addresses') as tcp, current_setting('max_connections')::int as connections,
        current_setting('timezone') as zone, current_setting('data_checksums') as checksums
       from pg_database d where d.datname = current_database()`,
    );
    expect(rows[0]).toEqual({
      who: "queen",
      name: "queen",
      encoding: "UTF8",
      provider: "b",
      locale: "C.UTF-8",
      tcp: "",
      connections: 22,
      zone: "UTC",
      checksums: "on",
    });
    await server.stop();
    expect(await server.exited).toEqual({ code: 0, signal: null });
  });

  test("stops at once although a client is connected and in a transaction, and stops only once", async () => {
    const server = await startEmbedded({ dataDir: join(temporaryFolder(), "data"), log: () => {}, connectionsMax: 5 });
    const { hosts, port, user, database } = server.target;
    const sql = postgres({ host: hosts[0]!, port, user, database, max: 1, onclose: () => {} });
    const client = await sql.reserve();
    await client`begin`;
    await client`create table half_done (n int)`;
    const began = performance.now();
    await Promise.all([server.stop(), server.stop()]);
    await server.stop();
    expect(performance.now() - began).toBeLessThan(5_000);
    await sql.end({ timeout: 0 });
  });

  test("tells its log what PostgreSQL says, without the text of statements", async () => {
    const told: string[] = [];
    const log = (level: string, event: string, fields: Record<string, unknown>) =>
      told.push(`${level} ${event} ${JSON.stringify(fields)}`);
    const server = await startEmbedded({ dataDir: join(temporaryFolder(), "data"), log, connectionsMax: 5 });
    await query(server.target, "select 'a secret' as text; select 1 / 0").catch(() => {});
    await server.stop();
    expect(told.some((line) => line.includes("division by zero"))).toBe(true);
    expect(told.some((line) => line.includes("a secret"))).toBe(false);
    expect(told.filter((line) => line.startsWith("error"))).toEqual([]);
  });

  test("works in a folder with an odd name, and in one too deep for a socket", async () => {
    // initdb cannot be run from a path with quotes or dollars: programs that had to be copied into the folder rule them out.
    const name = isInstallOpen ? `it's "odd", über $x;y` : "it's odd, über x;y";
    const odd = await launch(join(temporaryFolder(), name));
    expect(await query(odd.started.target, "select 1 as n")).toEqual([{ n: 1 }]);
    await odd.stop();

    const deep = join(temporaryFolder(), "d".repeat(60), "e".repeat(60));
    for (const firstStart of [true, false]) {
      const server = await launch(deep);
      const socketDir = server.started.target.hosts[0]!;
      expect(server.started.firstStart).toBe(firstStart);
      expect(socketDir.startsWith(deep)).toBe(false);
      expect(mode(socketDir)).toBe(0o700);
      expect(await query(server.started.target, "select 1 as n")).toEqual([{ n: 1 }]);
      await server.stop();
      expect(existsSync(socketDir)).toBe(false);
    }
  });

  test("finds its data after the folder moved", async () => {
    const parent = temporaryFolder();
    const before = await launch(join(parent, "before"));
    await query(before.started.target, "create table kept (n int); insert into kept values (7)");
    await before.stop();
    renameSync(join(parent, "before"), join(parent, "after"));
    const after = await launch(join(parent, "after"));
    expect(after.started.firstStart).toBe(false);
    expect(await query(after.started.target, "select n from kept")).toEqual([{ n: 7 }]);
    await after.stop();
  });

  test("keeps Ctrl-C from the database, so that the server can drain", async () => {
    const server = await launch(join(temporaryFolder(), "data"));
    // A terminal signals the whole foreground process group.
    process.kill(-server.process.pid!, "SIGINT");
    await server.next("interrupted");
    expect(await query(server.started.target, "select 1 as n")).toEqual([{ n: 1 }]);
    expect(isAlive(server.started.pid)).toBe(true);
    await server.stop();
  });
});

describe.skipIf(!isLinux || !isRoot)("startEmbedded() as root and as others", () => {
  test("as root, PostgreSQL runs as nobody", async () => {
    const server = await launch(join(temporaryFolder(), "data"));
    expect(userOf(server.started.pid)).toBe(NOBODY);
    expect(statSync(join(server.started.dataDir, "postgres")).uid).toBe(NOBODY);
    await server.stop();
  });

  test.skipIf(!canSwitch)(
    "as an ordinary user, PostgreSQL runs as that user; root continues as that user, and hands nothing away",
    async () => {
      const dataDir = join(temporaryFolder(ORDINARY), "data");
      for (const uid of [ORDINARY, undefined, ORDINARY]) {
        const server = await launch(dataDir, { uid });
        expect(userOf(server.started.pid)).toBe(ORDINARY);
        expect(await query(server.started.target, "select 1 as n")).toEqual([{ n: 1 }]);
        await server.stop();
      }
    },
  );
});
