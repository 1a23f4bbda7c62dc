/**
 * What a newcomer types in a fresh clone, on a machine with Node and npm and nothing else; and the same with Bun alone.
 * Needs a package registry, as the newcomer does.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { Api } from "../support/api.ts";
import { Http } from "../support/http.ts";
import { type ProgramOptions, ROOT, runProgram, startProgram, temporaryFolder } from "./program.ts";

/** Installing takes 15 s on a quiet machine with a near registry. */
const INSTALL_TIMEOUT_MS = 300_000;
setDefaultTimeout(INSTALL_TIMEOUT_MS);

const folder = temporaryFolder();
const clone = join(folder, "queen");
const SMOKE = "tests/runtime/configuration.test.ts";

/** A PATH with these programs and a shell, which npm and Bun need to run scripts. */
function onlyWith(...programs: string[]): ProgramOptions {
  const bin = join(folder, `bin-${programs.join("-")}`);
  mkdirSync(bin, { recursive: true });
  for (const name of [...programs, "sh"]) {
    const found = name === "bun" ? process.execPath : Bun.which(name);
    if (found === null) throw new Error(`${name} is not installed`);
    symlinkSync(found, join(bin, name));
  }
  // Where the registry is, and what lies in its cache, is the machine's business.
  const ofRegistry = Object.entries(process.env).filter(([name]) =>
    /^npm_config_|_proxy$|^HOME$|^NODE_EXTRA/i.test(name),
  );
  const env = {
    ...Object.fromEntries(ofRegistry.map(([name, value]) => [name, value ?? ""])),
    PATH: bin,
    PORT: "0",
    HOST: "127.0.0.1",
    QUEEN_DATA_DIR: join(folder, "data"),
  };
  return { cwd: clone, env };
}

async function expectSuccess(command: readonly [string, ...string[]], options: ProgramOptions): Promise<string> {
  const { code, output } = await runProgram(command, options);
  expect(code, output).toBe(0);
  return output;
}

/**
 * Starts the server, has `use` use it, and stops it.
 *
 * @param stop - How: SIGTERM to the command alone, or Ctrl-C, which reaches all it started.
 */
async function serveOnce(
  command: readonly [string, ...string[]],
  options: ProgramOptions,
  stop: "SIGTERM" | "Ctrl-C",
  use: (api: Api) => Promise<void>,
): Promise<void> {
  const server = startProgram(command, options);
  try {
    await use(new Api(new Http(await server.listening(60_000))));
  } finally {
    if (stop === "SIGTERM") server.signal("SIGTERM");
    else server.signalGroup("SIGINT");
  }
  expect(await server.exited, server.lines.join("\n")).toBe(0);
  expect(server.lines.join("\n")).toContain('"event":"stopped"');
}

beforeAll(async () => {
  const git = { cwd: ROOT, env: { PATH: process.env.PATH ?? "", HOME: process.env.HOME ?? "" } };
  await expectSuccess(["git", "clone", "--quiet", ROOT, clone], git);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("in a fresh clone, with Node and npm alone", () => {
  let npm: ProgramOptions;

  test("npm install", async () => {
    npm = onlyWith("node", "npm");
    await expectSuccess(["npm", "install"], npm);
  });

  test("npm start serves; SIGTERM ends it with 0", () =>
    serveOnce(["npm", "start"], npm, "SIGTERM", async (api) => {
      await api.pushAll("newcomer", "p", ["hello"]);
    }));

  test("npm start again finds what was pushed; Ctrl-C ends it with 0", () =>
    serveOnce(["npm", "start"], npm, "Ctrl-C", async (api) => {
      const messages = await api.pop("newcomer", { autoAck: true });
      expect(messages.map(({ data }) => data)).toEqual(["hello"]);
    }));

  test("npx queen is the command line, from a folder below as well, with the exit codes of commands", async () => {
    const npx = onlyWith("node", "npm", "npx", "readlink");
    const help = await expectSuccess(["npx", "--no", "queen", "completion", "fish"], {
      ...npx,
      cwd: join(clone, "docs"),
    });
    expect(help).toContain("complete -c queen");
    expect((await runProgram(["npx", "--no", "queen", "pop"], npx)).code).toBe(2);
  });

  test("npm test runs the tests", async () => {
    expect(await expectSuccess(["npm", "test", "--", SMOKE], npm)).toContain(" 0 fail");
  });

  test("npm start and npm test work when npm ran no install scripts", async () => {
    for (const name of ["bun", "@oven"]) rmSync(join(clone, "node_modules", name), { recursive: true });
    await expectSuccess(["npm", "install", "--ignore-scripts"], npm);
    const stub = await runProgram(["sh", join(clone, "node_modules/.bin/bun"), "--version"], npm);
    expect(stub.output).toContain("postinstall script was not run");
    await serveOnce(["npm", "start"], npm, "SIGTERM", async (api) => {
      expect((await api.http.get("/health")).status).toBe(200);
    });
    expect(await expectSuccess(["npm", "test", "--", SMOKE], npm)).toContain(" 0 fail");
  });
});

describe("in a fresh clone, with Bun alone", () => {
  let bun: ProgramOptions;

  test("bun install", async () => {
    rmSync(join(clone, "node_modules"), { recursive: true, force: true });
    bun = onlyWith("bun");
    await expectSuccess(["bun", "install", "--frozen-lockfile"], bun);
  });

  test("bun run server serves; Ctrl-C ends it with 0", () =>
    serveOnce(["bun", "run", "server"], bun, "Ctrl-C", async (api) => {
      expect((await api.http.get("/health")).status).toBe(200);
    }));

  test("bun run test runs the tests", async () => {
    expect(await expectSuccess(["bun", "run", "test", SMOKE], bun)).toContain(" 0 fail");
  });
});
