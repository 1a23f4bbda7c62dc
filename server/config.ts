/**
 * The only reader of the environment: one deep-frozen, validated value. The variables are described, as data, in
 * `config-variables.ts`.
 *
 * Variables that earlier servers had and this one has no use for are ignored without a word.
 *
 * @module
 */
import { availableParallelism, homedir, hostname, totalmem } from "node:os";
import { join } from "node:path";
import { type AccessConfig, accessConfig } from "./config-access.ts";
import { type SpoolConfig, spoolConfig } from "./config-spool.ts";
import {
  CONNECTIONS_PER_WORKER_DEFAULT,
  CONNECTIONS_PER_WORKER_MIN,
  VARIABLES,
  type Values,
  type Variable,
  WORKERS_MAX,
} from "./config-variables.ts";

export type { TlsConfig } from "./config-access.ts";
export type { AuthConfig } from "./config-auth.ts";

/** Which PostgreSQL to use. */
export type DatabaseChoice =
  | { readonly kind: "url"; readonly url: string }
  | {
      readonly kind: "parts";
      /** One or more host names, or one absolute directory of a unix socket. */
      readonly hosts: readonly string[];
      readonly port: number;
      readonly user: string;
      readonly password: string;
      readonly database: string;
      readonly tls: "off" | "verify" | "no-verify";
    }
  | { readonly kind: "embedded"; readonly dataDir: string };

/** Everything that is configurable, validated. Deeply frozen. */
export interface Config extends AccessConfig {
  readonly port: number;
  readonly host: string;
  readonly workerCount: number;
  readonly instanceId: string;
  readonly logLevel: string;
  /** The line of rates and latencies; never when `intervalMs` is 0. */
  readonly performanceLog: { readonly intervalMs: number; readonly level: "debug" | "info" };
  readonly database: DatabaseChoice;
  readonly connections: {
    /** All workers together. */
    readonly total: number;
    /** 4 or more. */
    readonly perWorker: number;
    readonly prepare: boolean;
    readonly connectTimeoutMs: number;
    readonly idleTimeoutMs: number;
    readonly statementTimeoutMs: number;
    readonly lockTimeoutMs: number;
  };
  readonly pop: {
    readonly timeoutMs: number;
    readonly batch: number;
    readonly subscriptionMode: string;
    readonly pollMs: { readonly initial: number; readonly max: number };
  };
  readonly jobs: {
    readonly retentionIntervalMs: number;
    readonly retentionBatchSize: number;
    readonly evictionIntervalMs: number;
    readonly evictionBatchSize: number;
    readonly partitionCleanupDays: number;
  };
  readonly metrics: {
    readonly retentionDays: number;
    readonly sampleIntervalMs: number;
    readonly aggregateIntervalMs: number;
  };
  /** The first encrypts, all decrypt; empty without encryption. */
  readonly encryptionKeys: readonly string[];
  readonly autoCreateQueues: boolean;
  readonly bodyBytesMax: number;
  readonly bodyTimeoutMs: number;
  /** A worker that stands still for so long is replaced; 0: never. */
  readonly workerStuckMs: number;
  /** Bounds per worker. */
  readonly backlog: {
    readonly requestsMax: number;
    readonly pollsMax: number;
    readonly bytesMax: number;
    readonly waitMaxMs: number;
  };
  readonly segmentCacheBytesMax: number;
  readonly spool: SpoolConfig;
  /** When answers are compressed for clients that accept it. */
  readonly compression: "off" | "on" | "auto";
}

/** Command-line flags that win over the environment; texts as typed. */
export interface Flags {
  port?: string | undefined;
  host?: string | undefined;
}

/** What the machine contributes to defaults. */
export interface Machine {
  cores: number;
  hostname: string;
  home: string;
  platform: string;
  isRoot: boolean;
  /** What this process may use. */
  memoryBytes: number;
}

/** The configuration cannot be used. `problems` lists everything that is wrong, one sentence each. */
export class ConfigError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join("\n"));
    this.name = "ConfigError";
    this.problems = problems;
  }
}

/**
 * Reads and checks the configuration.
 *
 * @param env - Environment variables; unset and empty mean the same.
 * @param flags - Win over the environment.
 * @param machine - Facts of the machine for the defaults; a parameter for tests.
 * @returns A deeply frozen value.
 * @throws {@link ConfigError} with every problem at once.
 */
export function loadConfig(
  env: Record<string, string | undefined> = process.env,
  flags: Flags = {},
  machine: Machine = thisMachine(),
): Config {
  const problems: string[] = [];
  const values = readValues(
    {
      ...env,
      ...(flags.port !== undefined && { PORT: flags.port }),
      ...(flags.host !== undefined && { HOST: flags.host }),
    },
    problems,
  );
  const workerCount = values.NUM_WORKERS ?? Math.min(WORKERS_MAX, Math.max(1, machine.cores));
  const total = values.DB_POOL_SIZE ?? workerCount * CONNECTIONS_PER_WORKER_DEFAULT;
  if (total < workerCount * CONNECTIONS_PER_WORKER_MIN) {
    problems.push(
      `DB_POOL_SIZE: expected at least ${workerCount * CONNECTIONS_PER_WORKER_MIN} (${CONNECTIONS_PER_WORKER_MIN} for each of ${workerCount} workers), got ${total}`,
    );
  }
  if (values.POP_WAIT_MAX_INTERVAL_MS < values.POP_WAIT_INITIAL_INTERVAL_MS) {
    problems.push(
      `POP_WAIT_MAX_INTERVAL_MS: expected at least POP_WAIT_INITIAL_INTERVAL_MS (${values.POP_WAIT_INITIAL_INTERVAL_MS}), got ${values.POP_WAIT_MAX_INTERVAL_MS}`,
    );
  }
  if (values.QUEEN_ENCRYPTION_PREVIOUS_KEYS !== null && values.QUEEN_ENCRYPTION_KEY === null) {
    problems.push("QUEEN_ENCRYPTION_PREVIOUS_KEYS: expected QUEEN_ENCRYPTION_KEY to be set as well");
  }
  const access = accessConfig(values, problems);
  if (problems.length > 0) throw new ConfigError(problems);
  return deepFreeze({ ...toConfig(values, machine, workerCount, total), ...access });
}

function toConfig(
  values: Values,
  machine: Machine,
  workerCount: number,
  total: number,
): Omit<Config, keyof AccessConfig> {
  return {
    port: values.PORT,
    host: values.HOST,
    workerCount,
    instanceId: values.WORKER_ID ?? machine.hostname,
    logLevel: values.LOG_LEVEL,
    performanceLog: {
      intervalMs: values.PERFORMANCE_LOG_INTERVAL_S * 1_000,
      level: values.PERFORMANCE_LOG_LEVEL as "debug" | "info",
    },
    database: databaseChoice(values, machine),
    connections: {
      total,
      perWorker: Math.floor(total / workerCount),
      prepare: values.PG_PREPARE,
      connectTimeoutMs: values.DB_CONNECTION_TIMEOUT,
      idleTimeoutMs: values.DB_IDLE_TIMEOUT,
      statementTimeoutMs: values.DB_STATEMENT_TIMEOUT,
      lockTimeoutMs: values.DB_LOCK_TIMEOUT,
    },
    pop: {
      timeoutMs: values.DEFAULT_TIMEOUT,
      batch: values.DEFAULT_BATCH_SIZE,
      subscriptionMode: values.DEFAULT_SUBSCRIPTION_MODE,
      pollMs: { initial: values.POP_WAIT_INITIAL_INTERVAL_MS, max: values.POP_WAIT_MAX_INTERVAL_MS },
    },
    jobs: {
      retentionIntervalMs: values.RETENTION_INTERVAL,
      retentionBatchSize: values.RETENTION_BATCH_SIZE,
      evictionIntervalMs: values.EVICTION_INTERVAL,
      evictionBatchSize: values.EVICTION_BATCH_SIZE,
      partitionCleanupDays: values.PARTITION_CLEANUP_DAYS,
    },
    metrics: {
      retentionDays: values.METRICS_RETENTION_DAYS,
      sampleIntervalMs: values.METRICS_SAMPLE_INTERVAL_MS,
      aggregateIntervalMs: values.METRICS_AGGREGATE_INTERVAL_S * 1_000,
    },
    encryptionKeys: [...(values.QUEEN_ENCRYPTION_KEY ?? []), ...(values.QUEEN_ENCRYPTION_PREVIOUS_KEYS ?? [])],
    autoCreateQueues: values.QUEEN_AUTO_CREATE,
    bodyBytesMax: values.MAX_BODY_SIZE,
    bodyTimeoutMs: values.BODY_TIMEOUT,
    workerStuckMs: values.WORKER_STUCK_MS,
    backlog: {
      requestsMax: values.BACKLOG_REQUESTS_MAX,
      pollsMax: values.BACKLOG_POLLS_MAX,
      bytesMax: values.BACKLOG_BYTES_MAX,
      waitMaxMs: values.BACKLOG_WAIT_MAX_MS,
    },
    segmentCacheBytesMax: values.SEGMENT_CACHE_BYTES ?? segmentCacheBytes(machine.memoryBytes, workerCount),
    spool: spoolConfig(values, values.QUEEN_DATA_DIR ?? machineDataDir(values.XDG_DATA_HOME, machine)),
    // One of its choices: parse() saw to that.
    compression: values.COMPRESSION as Config["compression"],
  };
}

function databaseChoice(values: Values, machine: Machine): DatabaseChoice {
  if (values.DATABASE_URL !== null) return { kind: "url", url: values.DATABASE_URL };
  if (values.PG_HOST === null)
    return { kind: "embedded", dataDir: values.QUEEN_DATA_DIR ?? machineDataDir(values.XDG_DATA_HOME, machine) };
  return {
    kind: "parts",
    hosts: values.PG_HOST.split(",").map((host) => host.trim()),
    port: values.PG_PORT,
    user: values.PG_USER,
    password: values.PG_PASSWORD,
    database: values.PG_DB,
    tls: values.PG_USE_SSL ? (values.PG_SSL_REJECT_UNAUTHORIZED ? "verify" : "no-verify") : "off",
  };
}

/** Where data belongs on this platform when nobody says: a folder that survives reboots and belongs to this user. */
function machineDataDir(xdgDataHome: string | null, machine: Machine): string {
  if (machine.platform === "darwin") return join(machine.home, "Library", "Application Support", "queen");
  if (machine.isRoot) return "/var/lib/queen";
  return join(xdgDataHome ?? join(machine.home, ".local", "share"), "queen");
}

/** Unpacked, the segments that a hundred busy partitions are read from take 40 MB; a small machine has better uses for it. */
function segmentCacheBytes(memoryBytes: number, workerCount: number): number {
  return Math.min(256, Math.max(32, Math.floor(memoryBytes / 16 / workerCount / 2 ** 20))) * 2 ** 20;
}

/** @returns The facts of the machine this process runs on. */
function thisMachine(): Machine {
  return {
    cores: availableParallelism(),
    hostname: hostname(),
    home: homeOrRoot(),
    platform: process.platform,
    isRoot: process.getuid?.() === 0,
    memoryBytes: Math.min(totalmem(), process.constrainedMemory?.() || Number.POSITIVE_INFINITY),
  };
}

/** A user without a name, as in a container, may have no home; a folder below `/` that cannot be made then says what to set. */
function homeOrRoot(): string {
  try {
    return homedir();
  } catch {
    return "/";
  }
}

function readValues(env: Record<string, string | undefined>, problems: string[]): Values {
  const values: Record<string, unknown> = {};
  for (const [name, variable] of Object.entries<Variable>(VARIABLES)) {
    const text = variable.raw ? env[name] : env[name]?.trim();
    if (text === undefined || text === "") {
      values[name] = variable.default;
      continue;
    }
    const parsed = parse(variable, text);
    if ("expected" in parsed) {
      const got = variable.secret ? "something else" : JSON.stringify(text);
      problems.push(`${name}: expected ${parsed.expected}, got ${got}`);
    } else {
      values[name] = parsed.value;
    }
  }
  // The loop above went over every key of VARIABLES, and parse() returns the type each entry names.
  return values as Values;
}

function parse(
  variable: Variable,
  text: string,
): { value: number | boolean | string | string[] } | { expected: string } {
  switch (variable.type) {
    case "text":
      return { value: text };
    case "integer": {
      const { min = 0, max = Number.MAX_SAFE_INTEGER } = variable;
      const value = /^[+-]?\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
      return value >= min && value <= max ? { value } : { expected: `an integer from ${min} to ${max}` };
    }
    case "boolean":
      if (text === "true" || text === "1") return { value: true };
      return text === "false" || text === "0" ? { value: false } : { expected: "true or false" };
    case "choice": {
      const choices = variable.choices ?? [];
      const value = text.toLowerCase();
      return choices.includes(value) ? { value } : { expected: `one of ${choices.join(", ")}` };
    }
    case "keys": {
      const keys = text.split(",").map((key) => key.trim());
      const usable = keys.length <= (variable.max ?? 1) && keys.every((key) => /^[0-9a-fA-F]{64}$/.test(key));
      const many =
        variable.max === 1
          ? "64 hexadecimal digits"
          : `1 to ${variable.max} keys of 64 hexadecimal digits, separated by commas`;
      return usable ? { value: keys } : { expected: many };
    }
  }
}

function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const child of Object.values(value)) deepFreeze(child);
  }
  return value;
}

/** What the commands that talk to a server take from the environment. */
export interface ClientEnvironment {
  /** `QUEEN_URL`; null when unset or empty. */
  readonly url: string | null;
  /** `QUEEN_TOKEN`. */
  readonly token: string | null;
  /** False when `NO_COLOR` is set to anything. */
  readonly color: boolean;
}

/** Reads the variables of the command line's own. */
export function clientEnvironment(env: Record<string, string | undefined> = process.env): ClientEnvironment {
  return {
    url: env.QUEEN_URL?.trim() || null,
    token: env.QUEEN_TOKEN?.trim() || null,
    color: (env.NO_COLOR ?? "") === "",
  };
}
