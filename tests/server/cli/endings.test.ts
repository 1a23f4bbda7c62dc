/** How commands end: exit codes, pipes that close early, Ctrl-C, questions on a terminal, tokens; and those that watch. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { createServer } from "node:net";
import { join } from "node:path";
import { ended, queen, queenOn, startQueen } from "../../support/cli.ts";
import { uniqueName } from "../../support/names.ts";
import { sharedServer, startServer, type TestServer } from "../../support/server.ts";
import { useSharedServer } from "../../support/shared.ts";
import { HS256_ENV, hsToken } from "../../support/tokens.ts";
import { until } from "../../support/wait.ts";

const api = useSharedServer();
const q = queenOn(() => api.http.url);
const MAIN = join(import.meta.dirname, "../../../server/main.ts");

/** A port that nobody listens on. */
async function closedPort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe("a wrong command line ends with 2, and says what would do", () => {
  test.each([
    [["dance"], "unknown command 'dance'"],
    [["pusj"], "Did you mean push?"],
    [["queue", "dance"], "unknown command 'dance'"],
    [["push"], "missing required argument 'queue'"],
    [["queues", "--jsn"], "Did you mean --json?"],
    [["pop", "q", "--wait", "soon"], "Expected a length of time"],
    [["queues", "--url", "ftp://x"], "expected http or https"],
    [["queues", "--url", "http://"], "no address of a server"],
    [["completion", "tcsh"], "Allowed choices are bash, zsh, fish"],
  ])("%j", async (args, error) => {
    const refused = await q(...args);
    expect(refused).toMatchObject({ code: 2, out: "" });
    expect(refused.err).toContain(error);
  });
});

test("an unreachable server ends with 4, at once, and says what to do", async () => {
  const url = `http://127.0.0.1:${await closedPort()}`;
  for (const args of [["queues"], ["push", "q", "1"], ["pop", "q"], ["tail", "q"], ["top"], ["bench"]]) {
    const refused = await queen(args, { env: { QUEEN_URL: url } });
    expect(refused).toMatchObject({ code: 4, out: "" });
    expect(refused.err).toContain(`Cannot reach ${url}`);
    expect(refused.err).toContain("queen serve");
  }
  const json = await queen(["queues", "--json", "--url", url]);
  expect(json).toMatchObject({ code: 4, json: { exitCode: 4 } });
});

test("something else that answers is told apart", async () => {
  const other = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("<p>hello</p>") });
  const refused = await queen(["queues"], { env: { QUEEN_URL: other.url.href } });
  await other.stop(true);
  expect(refused).toMatchObject({ code: 1, out: "" });
  expect(refused.err).toContain("does not answer as a Queen server does");
});

test("a reader that has seen enough is no failure", async () => {
  const queue = uniqueName("cli");
  await api.pushAll(
    queue,
    "p",
    Array.from({ length: 3_000 }, (_, n) => ({ n, filler: "x".repeat(200) })),
  );
  const child = spawn(
    "bash",
    [
      "-c",
      `"$0" run "$1" pop ${queue} -n 3000 --json | head -1 >/dev/null; echo "\${PIPESTATUS[0]}"`,
      process.execPath,
      MAIN,
    ],
    {
      env: { ...process.env, QUEEN_URL: api.http.url },
    },
  );
  expect(await ended(child)).toMatchObject({ code: 0, out: "0\n", err: "" });
});

describe("queen top", () => {
  test("looks so many times, as text and as JSON", async () => {
    const text = await q("top", "--count", "1", "--interval", "200ms");
    expect(text).toMatchObject({ code: 0, err: "" });
    expect(text.out).toMatch(/push \d[\d,]*\/s +pop .*\npending /);
    const { json } = await q("top", "--count", "2", "--interval", "200ms", "--json");
    expect(json).toMatchObject([{ rates: { push: expect.any(Number) } }, { messages: { queues: expect.any(Number) } }]);
  });

  test("ends well with Ctrl-C", async () => {
    const child = startQueen(["top", "--json", "--interval", "200ms"], { env: { QUEEN_URL: api.http.url } });
    let out = "";
    child.stdout!.on("data", (part) => {
      out += part;
    });
    const end = ended(child);
    await until(() => out.includes("\n"), 30_000, "a look");
    child.kill("SIGINT");
    expect(await end).toMatchObject({ code: 0, err: "" });
  });
});

test("queen bench counts every message, and leaves no queue", async () => {
  const bench = await q("bench", "-n", "500", "--batch", "50", "-c", "2", "--json");
  expect(bench).toMatchObject({ code: 0, err: "", json: { messages: 500, missing: 0, wrong: 0 } });
  expect((await q("bench", "-n", "20", "--batch", "1", "--partitions", "1")).out).toContain(
    "arrived once and in order",
  );
  expect((await q("queues")).out).not.toContain("bench-");
});

describe("on a terminal", () => {
  /** Runs a command on a terminal of its own and types a line when it is asked. */
  async function asked(args: string[], answer: string, env: Record<string, string> = {}) {
    let out = "";
    let typed = false;
    const child = Bun.spawn([process.execPath, "run", MAIN, ...args], {
      env: { ...process.env, NO_COLOR: undefined, QUEEN_URL: api.http.url, ...env },
      terminal: {
        cols: 100,
        rows: 30,
        data(terminal, data) {
          out += new TextDecoder().decode(data);
          if (typed || !out.includes("Type ")) return;
          typed = true;
          terminal.write(`${answer}\n`);
        },
      },
    });
    return { code: await child.exited, out };
  }

  test("what would be lost is asked for by name", async () => {
    const queue = uniqueName("cli");
    await api.pushAll(queue, "p", [1]);
    const no = await asked(["queue", "delete", queue], "yes");
    expect(no.code).toBe(1);
    expect(no.out).toContain("cannot be brought back");
    expect(no.out).toContain("Nothing was done.");
    expect(await asked(["queue", "delete", queue], queue)).toMatchObject({ code: 0 });
    expect((await q("queue", "show", queue)).code).toBe(3);
  });

  test("tables have colours there, unless NO_COLOR is set", async () => {
    await api.pushAll(uniqueName("cli"), "p", [1]);
    expect((await asked(["queues"], "")).out).toContain("\u001b[1m");
    expect((await asked(["queues"], "", { NO_COLOR: "1" })).out).not.toContain("\u001b[1m");
  });

  test("top draws a screen and leaves it as it was", async () => {
    const { code, out } = await asked(["top", "--count", "1", "--interval", "200ms"], "");
    expect(code).toBe(0);
    expect(out).toContain("\u001b[?1049h");
    expect(out.trimEnd().endsWith("\u001b[?1049l")).toBe(true);
  });
});

describe("a server that asks for tokens", () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startServer({ env: HS256_ENV });
  });
  afterAll(async () => {
    await server.stop();
  });

  test("refusals end with 5 and say what is missing; a token is taken from the environment or the command line", async () => {
    const env = { QUEEN_URL: server.url };
    const none = await queen(["queues"], { env });
    expect(none).toMatchObject({ code: 5, out: "" });
    expect(none.err).toContain("give a token with --token or QUEEN_TOKEN");
    const reader = await hsToken({ sub: "r", role: "read-only" });
    expect((await queen(["queues", "--token", reader], { env })).code).toBe(0);
    const refused = await queen(["push", "q", "1"], { env: { ...env, QUEEN_TOKEN: reader } });
    expect(refused).toMatchObject({ code: 5, out: "" });
    expect(refused.err).toContain("role");
    const doctor = await queen(["doctor", "--json"], { env: { ...env, QUEEN_DATA_DIR: server.dataDir } });
    expect(doctor.code).toBe(1);
    expect(doctor.json.checks).toContainEqual(expect.objectContaining({ name: "token", state: "failed" }));
  });
});

describe("queen doctor", () => {
  test("finds a server and its database well", async () => {
    const { dataDir, url } = await sharedServer();
    const doctor = await queen(["doctor", "--json"], {
      env: { QUEEN_URL: url, QUEEN_DATA_DIR: dataDir, HOST: "127.0.0.1" },
    });
    expect(doctor.code).toBe(0);
    const names = doctor.json.checks.map(({ name }: { name: string }) => name);
    for (const name of [
      "settings",
      "access",
      "disk",
      "database",
      "durability",
      "connections",
      "schema",
      "clock",
      "server",
      "token",
    ])
      expect(names).toContain(name);
    expect(doctor.json.checks.filter(({ state }: { state: string }) => state === "failed")).toEqual([]);
  });

  test("says what is wrong, and what to do", async () => {
    const env = { QUEEN_URL: api.http.url, NUM_WORKERS: "0" };
    const settings = await queen(["doctor"], { env });
    expect(settings.code).toBe(1);
    expect(settings.out).toContain("FAILED   settings      NUM_WORKERS: expected an integer");
    const port = await closedPort();
    const database = await queen(["doctor", "--no-server"], {
      env: { DATABASE_URL: `postgres://x@127.0.0.1:${port}/x` },
    });
    expect(database.code).toBe(1);
    expect(database.out).toMatch(/FAILED {3}database .*ECONNREFUSED.*\n +→ /);
    const many = await queen(["doctor", "--no-server"], {
      env: {
        QUEEN_DATA_DIR: (await sharedServer()).dataDir,
        DB_POOL_SIZE: "5000",
      },
    });
    expect(many.out).toMatch(/FAILED {3}connections .*\n +→ raise max_connections/);
  });
});
