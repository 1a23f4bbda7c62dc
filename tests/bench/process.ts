/**
 * Starts a Queen server of its own for a bench, an example or a test: own port, own data folder, own PostgreSQL.
 *
 * @module
 */

import { spawn } from "node:child_process";
import { chmod, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { lagFile } from "./watch.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const PROBE = new URL("./probe.ts", import.meta.url).pathname;
const START_MS_MAX = 30_000;
const STOP_MS_MAX = 20_000;

/** A running server. */
export interface ServerProcess {
  /** Without a slash at the end. */
  url: string;
  pid: number;
  dataDir: string;
  /** Lines the server wrote that were warnings or errors, for the report of a failed run. */
  complaints: string[];
  /** Stops the server with SIGTERM, with SIGKILL after 20 s, and removes the data folder it made. */
  stop(): Promise<void>;
}

/** How a server is started. */
export interface ServerOptions {
  /** Worker threads; the server decides when absent. */
  workers?: number;
  /** Folder of the server's source; this repository's when absent. */
  root?: string;
  /** A module that the server's main thread loads before its own; the probe of lateness when absent. */
  preload?: string;
  /** Data folder, which is then kept; a new one that is removed at the stop when absent. */
  dataDir?: string;
  /** Further environment. */
  env?: Record<string, string>;
  /** In a process group of its own, which a Ctrl-C of the terminal does not reach. */
  detached?: boolean;
}

/**
 * Starts a server and waits until it listens.
 *
 * @param options - See {@link ServerOptions}.
 * @returns The server; whoever asked for it must stop it.
 * @throws {Error} when it ended or did not listen within 30 s, with what it wrote. Nothing is left running then.
 */
export async function startServer(options: ServerOptions = {}): Promise<ServerProcess> {
  const dataDir = options.dataDir ?? (await makeDataDir());
  const env: Record<string, string | undefined> = { ...process.env, ...options.env };
  // As the scripts of package.json start it.
  env.MIMALLOC_PURGE_DELAY ??= "60000";
  env.MIMALLOC_PURGE_HOLES_MIN_INTERVAL ??= "60000";
  Object.assign(env, {
    PORT: "0",
    HOST: "127.0.0.1",
    QUEEN_DATA_DIR: dataDir,
    LOG_LEVEL: "info",
    QUEEN_LAG_FILE: lagFile(dataDir),
  });
  for (const name of ["DATABASE_URL", "PG_HOST", "PG_PORT", "PG_USER", "PG_PASSWORD", "PG_DB"]) delete env[name];
  if (options.workers !== undefined) env.NUM_WORKERS = String(options.workers);
  const preload = ["--preload", options.preload ?? PROBE];
  const child = spawn(process.execPath, ["run", ...preload, "server/main.ts", "serve"], {
    cwd: options.root ?? ROOT,
    env,
    stdio: ["ignore", "pipe", "pipe"],
    detached: options.detached ?? false,
  });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const written: string[] = [];
  const complaints: string[] = [];
  const listening = new Promise<string>((resolve) => {
    const read = (line: string) => {
      if (written.push(line) > 50) written.shift();
      const record = parseLine(line);
      if (record?.event === "listening" && typeof record.url === "string") resolve(record.url);
      if (record === null || ["warn", "error", "fatal"].includes(String(record.level))) complaints.push(line);
    };
    createInterface({ input: child.stdout }).on("line", read);
    createInterface({ input: child.stderr }).on("line", read);
  });
  const stop = async () => {
    child.kill("SIGTERM");
    const killer = setTimeout(() => child.kill("SIGKILL"), STOP_MS_MAX);
    await ended;
    clearTimeout(killer);
    await killPostmaster(dataDir);
    if (options.dataDir === undefined) await rm(dataDir, { recursive: true, force: true });
  };
  let timer: ReturnType<typeof setTimeout> | undefined;
  const tooLate = new Promise<null>((resolve) => {
    timer = setTimeout(resolve, START_MS_MAX, null);
  });
  const url = await Promise.race([listening, ended.then(() => null), tooLate]);
  clearTimeout(timer);
  if (url === null) {
    await stop();
    throw new Error(`the server did not start:\n${written.join("\n")}`);
  }
  return { url: url.replace(/\/$/, ""), pid: child.pid!, dataDir, complaints, stop };
}

/**
 * Makes a data folder.
 *
 * @returns Its path; whoever asked for it must remove it.
 */
export async function makeDataDir(): Promise<string> {
  const dataDir = await mkdtemp(join(tmpdir(), "queen-bench-"));
  // PostgreSQL refuses root, so a server started by root runs it as another user, who must be able to enter the folder.
  await chmod(dataDir, 0o755);
  return dataDir;
}

/** Where the embedded PostgreSQL of a server is. */
export interface Postmaster {
  pid: number;
  /** Folder of the cluster, with `base/` and `pg_wal/`. */
  folder: string;
  port: number;
  /** Folder of its unix socket. */
  socketDir: string;
}

/**
 * Finds the PostgreSQL that a server runs, by the pid file in its data folder.
 *
 * @param dataDir - Data folder of the server.
 * @returns Null when none runs there.
 */
export async function findPostmaster(dataDir: string): Promise<Postmaster | null> {
  const names = await readdir(dataDir, { recursive: true }).catch(() => []);
  const name = names.find((candidate) => candidate.endsWith("postmaster.pid"));
  if (name === undefined) return null;
  const file = join(dataDir, name);
  const lines = (await readFile(file, "utf8")).split("\n");
  return { pid: Number(lines[0]), folder: join(file, ".."), port: Number(lines[3]), socketDir: lines[4] ?? "" };
}

/** A server that was killed cannot stop its PostgreSQL; nothing must outlive the bench. */
async function killPostmaster(dataDir: string): Promise<void> {
  const postmaster = await findPostmaster(dataDir);
  if (postmaster === null) return;
  try {
    process.kill(postmaster.pid, "SIGQUIT");
    for (let tries = 0; tries < 100; tries++) {
      process.kill(postmaster.pid, 0);
      await Bun.sleep(50);
    }
  } catch {
    // It is gone, which is what is wanted.
  }
}

function parseLine(line: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
