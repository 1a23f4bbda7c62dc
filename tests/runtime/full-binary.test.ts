/**
 * The binary that carries PostgreSQL: on a machine with nothing installed, as an ordinary user and as root; interrupted;
 * started twice at once.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { Api, payloads } from "../support/api.ts";
import { Http } from "../support/http.ts";
import { emptyRootMissing, inEmptyRoot, makeEmptyRoot } from "./empty-root.ts";
import { MAIN_PATH, MAIN_PATH_ENV } from "./main-path.ts";
import { type Program, ROOT, runProgram, startProgram, temporaryFolder } from "./program.ts";

setDefaultTimeout(240_000);

const START_MS_MAX = 120_000;
const ORDINARY = 1234;
const NOBODY = 65_534;
const missing = ["linux-x64", "linux-arm64"].includes(`${process.platform}-${process.arch}`)
  ? null
  : "a full build is made for Linux only";
if (missing !== null) console.warn(`skipped: ${missing}`);
else if (emptyRootMissing !== null) console.warn(`partly skipped: ${emptyRootMissing}`);

const folder = temporaryFolder();
const queen = join(folder, "queen-full");
const programs: Program[] = [];

beforeAll(async () => {
  if (missing !== null) return;
  const command = [process.execPath, "run", "server/build.ts", join(folder, "queen")] as const;
  const built = await runProgram(command, { cwd: ROOT, env: { PATH: process.env.PATH ?? "", HOME: folder } });
  if (built.code !== 0) throw new Error(built.output);
  expect(statSync(queen).size).toBeGreaterThan(statSync(join(folder, "queen")).size);
});
afterAll(async () => {
  for (const program of programs) program.signal("SIGKILL");
  await Promise.all(programs.map(({ exited }) => exited));
  rmSync(folder, { recursive: true, force: true });
});

/** Starts a server that knows its data folder and nothing else of this machine. */
function serve(dataDir: string, command: readonly [string, ...string[]] = [queen, "serve", "--port", "0"]): Program {
  const env = { HOST: "127.0.0.1", QUEEN_DATA_DIR: dataDir, NUM_WORKERS: "2", ...MAIN_PATH_ENV };
  // Through a shell for an empty root alone, which needs to find its programs.
  const program = startProgram(command, { cwd: folder, env: { ...env, PATH: "/usr/sbin:/usr/bin:/sbin:/bin" } });
  programs.push(program);
  return program;
}

async function stop(program: Program): Promise<void> {
  program.signal("SIGTERM");
  expect(await program.exited).toBe(0);
}

/** Waits for an event in the log of a program. */
async function seen(program: Program, event: string): Promise<void> {
  const deadline = performance.now() + START_MS_MAX;
  while (!program.lines.some((line) => line.includes(`"event":"${event}"`))) {
    if (performance.now() > deadline) throw new Error(`no ${event} in:\n${program.lines.join("\n")}`);
    await Bun.sleep(1);
  }
}

function systemIdentifier(dataDir: string): bigint {
  return readFileSync(join(dataDir, "postgres", "global", "pg_control")).readBigUInt64LE(0);
}

describe.skipIf(missing !== null)("dist/queen-full", () => {
  test("serves from an empty folder, and again, with what was pushed", async () => {
    const dataDir = join(folder, "plain");
    const times: number[] = [];
    for (const expected of [["first"], ["first", "second"]]) {
      const began = performance.now();
      const server = serve(dataDir);
      const api = new Api(new Http(await server.listening(START_MS_MAX)));
      times.push(Math.round(performance.now() - began));
      await api.pushAll("q", "p", [expected.at(-1)!]);
      const group = `group-${expected.length}`;
      expect(payloads(await api.pop("q", { consumerGroup: group, subscriptionMode: "all", batch: 9 }))).toEqual(
        expected,
      );
      await stop(server);
    }
    console.log(`first start ${times[0]} ms, warm start ${times[1]} ms`);
    const unpacked = readdirSync(join(dataDir, "programs"));
    expect(unpacked).toHaveLength(1);
    expect(unpacked[0]).toMatch(/^[0-9a-f]{32}$/);
  });

  test("migrate makes a database too, whose identity is its own", async () => {
    const dataDir = join(folder, "migrated");
    const env = { QUEEN_DATA_DIR: dataDir, PATH: "/nowhere" };
    const { code, output } = await runProgram([queen, "migrate"], { cwd: folder, env });
    expect(code, output).toBe(0);
    expect(systemIdentifier(dataDir)).not.toBe(systemIdentifier(join(folder, "plain")));
  });

  test("killed while it unpacks, then while it makes the database, it starts as if nothing had been", async () => {
    const dataDir = join(folder, "killed");
    for (const event of ["database_unpack", "database_create"]) {
      const server = serve(dataDir);
      await seen(server, event);
      server.signal("SIGKILL");
      await server.exited;
    }
    const server = serve(dataDir);
    await server.listening(START_MS_MAX);
    expect(readdirSync(join(dataDir, "programs"))).toHaveLength(1);
    expect(readdirSync(dataDir).filter((name) => name.startsWith("postgres"))).toEqual(["postgres"]);
    await stop(server);
  });

  test("of two that start at once on one folder, one serves and the other says why not", async () => {
    const dataDir = join(folder, "two");
    const both = [serve(dataDir), serve(dataDir)];
    const listening = both.map((server) => server.listening(START_MS_MAX).then(() => server));
    const winner = await Promise.any(listening);
    const loser = both.find((server) => server !== winner)!;
    expect(await loser.exited).toBe(1);
    expect(loser.lines.join("\n")).toContain("Another Queen server");
    await Promise.allSettled(listening);
    await stop(winner);
  });

  test("programs of an earlier build are removed", async () => {
    const dataDir = join(folder, "plain");
    const old = join(dataDir, "programs", "0".repeat(32));
    mkdirSync(join(old, "native"), { recursive: true });
    const server = serve(dataDir);
    await server.listening(START_MS_MAX);
    expect(existsSync(old)).toBe(false);
    await stop(server);
  });
});

describe.skipIf(missing !== null || emptyRootMissing !== null)("dist/queen-full with the C library alone", () => {
  const root = join(folder, "root");
  const command = (uid: number) => inEmptyRoot(root, uid, ["serve", "--port", "0"]);
  const api = new Api(new Http(""));
  let server: Program;

  beforeAll(async () => {
    makeEmptyRoot(root, queen, ORDINARY);
    chmodSync(folder, 0o755);
    server = serve("/home/data", command(ORDINARY));
    api.http.url = await server.listening(START_MS_MAX);
  });

  test.each([...MAIN_PATH])("as an ordinary user it %s", (_name, run) => run(api));

  test("as an ordinary user it owns what it made, and stops", async () => {
    expect(statSync(join(root, "home", "data", "postgres")).uid).toBe(ORDINARY);
    await stop(server);
  });

  test("as root PostgreSQL is nobody, with programs that are root's", async () => {
    const asRoot = serve("/var/lib/queen", command(0));
    api.http.url = await asRoot.listening(START_MS_MAX);
    await api.pushAll("q", "p", ["hello"]);
    expect(payloads(await api.pop("q"))).toEqual(["hello"]);
    expect(statSync(join(root, "var/lib/queen/postgres")).uid).toBe(NOBODY);
    const [unpacked] = readdirSync(join(root, "var/lib/queen/programs"));
    expect(statSync(join(root, "var/lib/queen/programs", unpacked!, "native/bin/postgres")).uid).toBe(0);
    await stop(asRoot);
  });
});
