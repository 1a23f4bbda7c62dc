/**
 * The single binary, in an empty folder of a machine that has nothing but a PostgreSQL to connect to.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import packageJson from "../../package.json" with { type: "json" };
import { Api } from "../support/api.ts";
import { Http } from "../support/http.ts";
import { type DebianPostgres, debianPostgresMissing, startDebianPostgres } from "./debian-postgres.ts";
import { MAIN_PATH, MAIN_PATH_ENV, stopsWell } from "./main-path.ts";
import { type Program, type ProgramOptions, ROOT, runProgram, startProgram, temporaryFolder } from "./program.ts";

setDefaultTimeout(120_000);
if (debianPostgresMissing !== null) console.warn(`partly skipped: ${debianPostgresMissing}`);

const folder = temporaryFolder();
const queen = join(folder, "queen");
const empty = join(folder, "empty");

/** Nothing of this machine: no PATH, no home, an empty folder. */
function alone(env: Record<string, string> = {}): ProgramOptions {
  return { cwd: empty, env: { PATH: "/nowhere", HOME: empty, ...env } };
}

beforeAll(async () => {
  mkdirSync(empty);
  const built = await runProgram([process.execPath, "run", "server/build.ts", queen, "--slim"], {
    cwd: ROOT,
    env: { PATH: process.env.PATH ?? "", HOME: folder },
  });
  if (built.code !== 0) throw new Error(built.output);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("dist/queen", () => {
  test("--version prints the version of the package", async () => {
    expect(await runProgram([queen, "--version"], alone())).toEqual({ code: 0, output: packageJson.version });
  });

  test("--help names the commands and where settings come from", async () => {
    const { code, output } = await runProgram([queen, "--help"], alone());
    expect(code).toBe(0);
    for (const word of ["serve", "migrate", "--version", "DATABASE_URL"]) expect(output).toContain(word);
  });

  test.each([["serve"], ["migrate"]])("%s without a database says in one sentence what to set", async (command) => {
    const { code, output } = await runProgram([queen, command], alone());
    expect(code).toBe(1);
    expect(output.split("\n")).toHaveLength(1);
    expect(output).toMatch(
      /^queen: No PostgreSQL comes with this build .*set DATABASE_URL to a PostgreSQL server of your own/,
    );
    expect(readdirSync(empty)).toEqual([]);
  });

  test("an unknown command is refused", async () => {
    expect((await runProgram([queen, "dance"], alone())).code).toBe(2);
  });
});

describe.skipIf(debianPostgresMissing !== null)("dist/queen with a PostgreSQL to connect to", () => {
  let postgres: DebianPostgres;
  let server: Program;
  const api = new Api(new Http(""));

  beforeAll(async () => {
    postgres = await startDebianPostgres();
  });
  afterAll(async () => {
    server?.signal("SIGTERM");
    await server?.exited;
    await postgres?.stop();
  });

  test("migrate applies the embedded migrations, once", async () => {
    const run = () => runProgram([queen, "migrate"], alone({ DATABASE_URL: postgres.url }));
    const first = await run();
    expect(first.code, first.output).toBe(0);
    expect(JSON.parse(first.output).applied).toContain("0000_tables");
    expect(JSON.parse((await run()).output).applied).toEqual([]);
  });

  test("serve listens, with its workers inside", async () => {
    const env = { ...MAIN_PATH_ENV, DATABASE_URL: postgres.url, HOST: "127.0.0.1", NUM_WORKERS: "2" };
    server = startProgram([queen, "serve", "--port", "0"], alone(env));
    api.http.url = await server.listening(30_000);
    const { json } = await api.http.get("/health");
    expect(json.workers).toHaveLength(2);
  });

  test.each([...MAIN_PATH])("%s", (_name, run) => run(api));

  test("answers a parked poll empty at a stop, and exits with 0, leaving nothing behind", async () => {
    await stopsWell(api, () => {
      server.signal("SIGTERM");
      return server.exited;
    });
    expect(readdirSync(empty)).toEqual([]);
  });
});
