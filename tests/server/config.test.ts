import { describe, expect, test } from "bun:test";
import { ConfigError, type Flags, loadConfig, type Machine } from "../../server/config.ts";
import { VARIABLES, type Variable } from "../../server/config-variables.ts";

const machine: Machine = {
  cores: 4,
  hostname: "box",
  home: "/home/u",
  platform: "linux",
  isRoot: false,
  memoryBytes: 8 * 2 ** 30,
};

function load(env: Record<string, string | undefined> = {}, flags: Flags = {}, facts: Partial<Machine> = {}) {
  return loadConfig(env, flags, { ...machine, ...facts });
}

function problemsOf(env: Record<string, string>): readonly string[] {
  try {
    load(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

describe("loadConfig()", () => {
  test("has a default for everything", () => {
    const config = load();
    expect(config).toMatchObject({
      port: 6632,
      host: "0.0.0.0",
      workerCount: 4,
      instanceId: "box",
      connections: { total: 32, perWorker: 8 },
      pop: { timeoutMs: 30_000, batch: 1, subscriptionMode: "" },
      bodyBytesMax: 104_857_600,
      encryptionKeys: [],
      autoCreateQueues: true,
    });
  });

  test("gives a value that cannot be changed, however deep", () => {
    const config = load();
    expect(() => Object.assign(config, { port: 1 })).toThrow();
    expect(() => Object.assign(config.pop.pollMs, { initial: 1 })).toThrow();
  });

  test("takes an empty variable for an unset one", () => {
    expect(load({ PORT: "", DATABASE_URL: " ", QUEEN_ENCRYPTION_KEY: "" })).toEqual(load());
  });

  test("ignores variables of earlier servers that mean nothing here", () => {
    expect(load({ SIDECAR_POOL_SIZE: "x", QUEEN_VEGAS_ALPHA: "-1", DB_KEEPALIVES_IDLE: "never" })).toEqual(load());
  });

  test("prefers flags to the environment", () => {
    expect(load({ PORT: "1", HOST: "a" }, { port: "2", host: "b" })).toMatchObject({ port: 2, host: "b" });
  });

  test.each([
    ["PORT", "65535", undefined],
    ["PORT", "65536", 'PORT: expected an integer from 0 to 65535, got "65536"'],
    ["PORT", "1.5", 'PORT: expected an integer from 0 to 65535, got "1.5"'],
    ["NUM_WORKERS", "64", undefined],
    ["NUM_WORKERS", "65", 'NUM_WORKERS: expected an integer from 1 to 64, got "65"'],
    ["NUM_WORKERS", "0", 'NUM_WORKERS: expected an integer from 1 to 64, got "0"'],
    ["NUM_WORKERS", "x", 'NUM_WORKERS: expected an integer from 1 to 64, got "x"'],
    ["PG_USE_SSL", "true", undefined],
    ["PG_USE_SSL", "yes", 'PG_USE_SSL: expected true or false, got "yes"'],
    ["QUEEN_AUTO_CREATE", "TRUE", 'QUEEN_AUTO_CREATE: expected true or false, got "TRUE"'],
    ["LOG_LEVEL", "WARN", undefined],
    ["LOG_LEVEL", "loud", 'LOG_LEVEL: expected one of trace, debug, info, warn, error, fatal, silent, got "loud"'],
    ["JWT_ENABLED", "true", "JWT_SECRET: expected a secret, because JWT_ALGORITHM is HS256"],
    ["JWT_ENABLED", "false", undefined],
  ])("%s=%s", (name, value, problem) => {
    expect(problemsOf({ [name]: value })).toEqual(problem === undefined ? [] : [problem]);
  });

  test("lists every problem at once", () => {
    expect(problemsOf({ PORT: "x", NUM_WORKERS: "x", MAX_BODY_SIZE: "x" })).toHaveLength(3);
  });

  test("wants four connections a worker, not fewer", () => {
    expect(load({ NUM_WORKERS: "3", DB_POOL_SIZE: "12" }).connections.perWorker).toBe(4);
    expect(problemsOf({ NUM_WORKERS: "3", DB_POOL_SIZE: "11" })).toEqual([
      "DB_POOL_SIZE: expected at least 12 (4 for each of 3 workers), got 11",
    ]);
  });

  test("wants polling intervals in order", () => {
    expect(problemsOf({ POP_WAIT_INITIAL_INTERVAL_MS: "50", POP_WAIT_MAX_INTERVAL_MS: "49" })).toHaveLength(1);
    expect(problemsOf({ POP_WAIT_INITIAL_INTERVAL_MS: "50", POP_WAIT_MAX_INTERVAL_MS: "50" })).toEqual([]);
  });
});

describe("encryption keys", () => {
  const [first, second] = ["0123456789abcdef".repeat(4), "FEDCBA9876543210".repeat(4)];

  test("come newest first", () => {
    const config = load({ QUEEN_ENCRYPTION_KEY: first, QUEEN_ENCRYPTION_PREVIOUS_KEYS: `${second}, ${first}` });
    expect(config.encryptionKeys).toEqual([first, second, first]);
  });

  test("are never printed, right or wrong", () => {
    const [problem] = problemsOf({ QUEEN_ENCRYPTION_KEY: `${first.slice(1)}g` });
    expect(problem).toBe("QUEEN_ENCRYPTION_KEY: expected 64 hexadecimal digits, got something else");
  });

  test("of the past need one of the present", () => {
    expect(problemsOf({ QUEEN_ENCRYPTION_PREVIOUS_KEYS: first })).toHaveLength(1);
  });
});

describe("the choice of a database", () => {
  test("is DATABASE_URL before PG_HOST before the embedded one", () => {
    expect(load({ DATABASE_URL: "postgres://h/d", PG_HOST: "h" }).database).toEqual({
      kind: "url",
      url: "postgres://h/d",
    });
    expect(load({ PG_HOST: "a, b", PG_USE_SSL: "1" }).database).toEqual({
      kind: "parts",
      hosts: ["a", "b"],
      port: 5432,
      user: "postgres",
      password: "postgres",
      database: "postgres",
      tls: "verify",
    });
    expect(load({ PG_HOST: "a", PG_USE_SSL: "true", PG_SSL_REJECT_UNAUTHORIZED: "false" }).database).toMatchObject({
      tls: "no-verify",
    });
  });

  test.each([
    [{}, {}, "/home/u/.local/share/queen"],
    [{ XDG_DATA_HOME: "/x" }, {}, "/x/queen"],
    [{ XDG_DATA_HOME: "/x", QUEEN_DATA_DIR: "/y" }, {}, "/y"],
    [{}, { isRoot: true }, "/var/lib/queen"],
    [{}, { platform: "darwin", home: "/Users/u" }, "/Users/u/Library/Application Support/queen"],
  ])("%j on %j keeps its data in %s", (env, facts, dataDir) => {
    expect(load(env, {}, facts).database).toEqual({ kind: "embedded", dataDir });
  });
});

describe("the table of variables", () => {
  test.each(Object.entries<Variable>(VARIABLES))("%s can be documented from its entry", (name, variable) => {
    expect(name).toMatch(/^[A-Z][A-Z0-9_]+$/);
    expect(variable.description).toEndWith(".");
    if (variable.default === null) expect(variable.defaultText).toBeString();
    if (variable.type === "integer") expect([typeof variable.min, typeof variable.max]).toEqual(["number", "number"]);
    if (typeof variable.default === "number") {
      expect(variable.default).toBeGreaterThanOrEqual(variable.min!);
      expect(variable.default).toBeLessThanOrEqual(variable.max!);
    }
  });
});

describe("SEGMENT_CACHE_BYTES", () => {
  const MiB = 2 ** 20;

  test.each([
    ["a small machine keeps the least", 512 * MiB, 32 * MiB],
    ["a machine of 4 GiB and 4 workers gives each a sixty-fourth", 4096 * MiB, 64 * MiB],
    ["a large machine stops at the most", 256 * 1024 * MiB, 256 * MiB],
  ])("%s", (_, memoryBytes, expected) => {
    expect(loadConfig({}, {}, { ...machine, memoryBytes }).segmentCacheBytesMax).toBe(expected);
  });

  test("is what it is set to", () => {
    expect(loadConfig({ SEGMENT_CACHE_BYTES: "0" }, {}, machine).segmentCacheBytesMax).toBe(0);
  });
});
