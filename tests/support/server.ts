/**
 * Real servers for tests: child processes over an embedded database in a temporary folder.
 *
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** How long a first start may take, initdb on a busy machine included. */
const START_TIMEOUT_MS = 45_000;
/** How long a stop may take before the test fails. */
const STOP_TIMEOUT_MS = 20_000;
/** Lines of output kept for error messages. */
const LOG_LINES_MAX = 200;
const ROOT = join(import.meta.dirname, "..", "..");

/** A running server. */
export interface TestServer {
  /** Base address without a trailing slash. */
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  readonly dataDir: string;
  /** The last lines it printed. */
  readonly log: readonly string[];
  /** Resolves with the exit code (null after a signal) once the process is gone. */
  readonly exited: Promise<number | null>;
  /**
   * SIGTERM, then waits for the end.
   *
   * @param keepData - True leaves the data folder for the next server.
   * @returns The exit code.
   */
  stop(keepData?: boolean): Promise<number | null>;
}

/** Settings of {@link startServer}. */
export interface StartOptions {
  /** Added to the environment; `undefined` removes a variable. */
  env?: Record<string, string | undefined>;
  /** Reuses this folder; a fresh temporary one otherwise. */
  dataDir?: string;
  /** Program and arguments; `bun run server/main.ts serve` otherwise. */
  command?: readonly [string, ...string[]];
}

const running = new Set<TestServer>();

/**
 * Starts a server of the caller's own on a free port of 127.0.0.1.
 *
 * @returns Once it answers; the caller stops it.
 * @throws Error with the server's last output when it exits or does not listen in time; nothing is left running.
 */
export async function startServer(options: StartOptions = {}): Promise<TestServer> {
  const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), "queen-"));
  const [program, ...args] = options.command ?? [process.execPath, "run", join(ROOT, "server/main.ts"), "serve"];
  const child = spawn(program, args, {
    cwd: ROOT,
    env: {
      ...process.env,
      HOST: "127.0.0.1",
      PORT: "0",
      NUM_WORKERS: "2",
      QUEEN_DATA_DIR: dataDir,
      DATABASE_URL: undefined,
      PG_HOST: undefined,
      RETENTION_INTERVAL: "500",
      EVICTION_INTERVAL: "500",
      ...options.env,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const log: string[] = [];
  const exited = new Promise<number | null>((resolve) => child.once("close", resolve));
  const url = await listening(child, log, exited).catch(async (error: unknown) => {
    child.kill("SIGTERM");
    await exited;
    if (options.dataDir === undefined) rmSync(dataDir, { recursive: true, force: true });
    throw error;
  });
  const server: TestServer = {
    url,
    port: Number(new URL(url).port),
    pid: child.pid!,
    dataDir,
    log,
    exited,
    stop: async (keepData = false) => {
      child.kill("SIGTERM");
      const code = await withTimeout(
        exited,
        STOP_TIMEOUT_MS,
        () => `server ${child.pid} did not stop\n${log.join("\n")}`,
      );
      running.delete(server);
      if (!keepData) rmSync(dataDir, { recursive: true, force: true });
      return code;
    },
  };
  running.add(server);
  return server;
}

let shared: Promise<TestServer> | undefined;

/**
 * The one server that the test files of a run share, started on first use and stopped by `preload.ts`. Tests keep apart
 * by unique queue and group names.
 */
export function sharedServer(): Promise<TestServer> {
  shared ??= startServer();
  return shared;
}

/** Stops every server that is still running, the shared one included. */
export async function stopServers(): Promise<void> {
  await Promise.all([...running].map((server) => server.stop()));
  shared = undefined;
}

/** Last resort when the test process ends without its hooks: servers must not outlive it. */
process.on("exit", () => {
  for (const server of running) process.kill(server.pid, "SIGTERM");
});

async function listening(child: ChildProcess, log: string[], exited: Promise<number | null>): Promise<string> {
  const found = new Promise<string>((resolve, reject) => {
    child.once("error", reject);
    for (const stream of [child.stdout!, child.stderr!]) {
      createInterface({ input: stream }).on("line", (line) => {
        log.push(line);
        if (log.length > LOG_LINES_MAX) log.shift();
        const url = listeningUrl(line);
        if (url !== undefined) resolve(url);
      });
    }
    exited.then((code) => reject(new Error(`server exited with ${code} before it listened\n${log.join("\n")}`)));
  });
  return withTimeout(found, START_TIMEOUT_MS, () => `server did not listen in time\n${log.join("\n")}`);
}

/** The address in a `listening` log line, without its trailing slash. */
function listeningUrl(line: string): string | undefined {
  if (!line.startsWith("{") || !line.includes("listening")) return undefined;
  try {
    const entry: unknown = JSON.parse(line);
    if (typeof entry !== "object" || entry === null || !("url" in entry)) return undefined;
    return typeof entry.url === "string" ? entry.url.replace(/\/$/, "") : undefined;
  } catch {
    return undefined;
  }
}

function withTimeout<T>(promise: Promise<T>, timeoutMs: number, message: () => string): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(message())), timeoutMs);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
