import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { type Account, spawnAs } from "./account.ts";
import { EmbeddedError } from "./errors.ts";
import type { EmbeddedLog } from "./log.ts";
import { PROGRAM_ENV } from "./run.ts";
import { startWatchdog, type Watchdog } from "./watchdog.ts";

/** How a process ended. */
export interface Exit {
  code: number | null;
  signal: string | null;
}

/** A running PostgreSQL that accepts connections. */
export interface Postmaster {
  pid: number;
  /** Settles when the process has ended, for whatever reason. Never rejects. */
  exited: Promise<Exit>;
  /** Stops it; resolves when it is gone. Calling it again waits for the same stop. */
  stop(): Promise<void>;
}

/** What a postmaster is started with. */
export interface PostmasterOptions {
  postgres: string;
  cluster: string;
  /** Arguments after the folder. */
  args: string[];
  account: Account;
  log: EmbeddedLog;
}

/** Time for each way of stopping, in milliseconds; a fast shutdown writes a checkpoint, which a slow disk draws out. */
const STOP_STEPS: { signal: NodeJS.Signals; waitMs: number }[] = [
  { signal: "SIGINT", waitMs: 30_000 },
  { signal: "SIGQUIT", waitMs: 10_000 },
  { signal: "SIGKILL", waitMs: 5_000 },
];

const READY_LINE = "database system is ready to accept connections";

/**
 * Starts PostgreSQL and waits until it accepts connections. Recovery after a crash may take a while: there is no time
 * limit, but what PostgreSQL says about its progress is logged.
 *
 * It runs in a session of its own, so that Ctrl-C in a terminal reaches only the server, which then drains and calls
 * `stop()`. Should the server die instead, a watchdog stops the database.
 *
 * @param options - Program, folder, arguments, account.
 * @returns The running postmaster.
 * @throws {@link EmbeddedError} `START_FAILED` with PostgreSQL's own reason; no process is left then.
 */
export async function startPostmaster(options: PostmasterOptions): Promise<Postmaster> {
  const child = spawn(options.postgres, ["-D", options.cluster, ...options.args], {
    ...spawnAs(options.account),
    detached: true,
    cwd: "/",
    env: PROGRAM_ENV,
    stdio: ["ignore", "ignore", "pipe"],
  });
  const exited = new Promise<Exit>((resolve) => {
    child.on("exit", (code, signal) => resolve({ code, signal }));
    child.on("error", (error) => resolve({ code: null, signal: error.message }));
  });
  if (child.pid === undefined) throw startFailed([`cannot run ${options.postgres}: ${(await exited).signal}`]);
  const watchdog = startWatchdog(child.pid, options.cluster, options.account, options.log);
  const stopping = { value: false };
  void exited.then(() => watchdog.dismiss());
  await untilReady(child, exited, options.log, stopping);
  return { pid: child.pid, exited, stop: stopper(child, exited, watchdog, options.log, stopping) };
}

/** Resolves at the line that says so; rejects with the last words of a process that ended first. */
function untilReady(
  child: ChildProcess,
  exited: Promise<Exit>,
  log: EmbeddedLog,
  stopping: { value: boolean },
): Promise<void> {
  const lastWords: string[] = [];
  return new Promise((resolve, reject) => {
    const lines = createInterface({ input: child.stderr! });
    lines.on("line", (line) => {
      forward(line, log, stopping.value);
      if (line.includes(READY_LINE)) resolve();
      else if (/^(FATAL|PANIC|HINT|DETAIL):/.test(line) || lastWords.length === 0) lastWords.push(line);
      // Only a start that fails is told by its last words.
      if (lastWords.length > 20) lastWords.shift();
    });
    const closed = new Promise<void>((done) => lines.on("close", done));
    void exited.then(async (exit) => {
      await closed;
      reject(startFailed(lastWords, exit));
    });
  });
}

function startFailed(words: string[], exit?: Exit): EmbeddedError {
  const fatal = words.filter((line) => /^(FATAL|PANIC):/.test(line)).at(-1) ?? words[0] ?? "";
  const hint = words.find((line) => line.startsWith("HINT:")) ?? "";
  const reason = `${fatal} ${hint}`.replaceAll(/\b(FATAL|PANIC|HINT|LOG):\s*/g, "").trim();
  const ended = exit ? `it ended with ${exit.signal ?? `code ${exit.code}`}` : "";
  return new EmbeddedError(
    "START_FAILED",
    `The embedded PostgreSQL did not start: ${reason || ended}; put that right, or set DATABASE_URL to a PostgreSQL server of your own`,
  );
}

const LEVELS: Record<string, "debug" | "warn" | "error"> = {
  LOG: "debug",
  WARNING: "warn",
  ERROR: "warn",
  FATAL: "error",
  PANIC: "error",
};

function forward(line: string, log: EmbeddedLog, stopping: boolean): void {
  const [, severity = "", text = line] = line.match(/^([A-Z]+):\s+(.*)$/) ?? [];
  // Every connection that a shutdown ends says FATAL.
  const level = stopping ? "debug" : (LEVELS[severity] ?? "debug");
  log(level, "database_log", { severity: severity || "LOG", text });
}

function stopper(
  child: ChildProcess,
  exited: Promise<Exit>,
  watchdog: Watchdog,
  log: EmbeddedLog,
  stopping: { value: boolean },
): () => Promise<void> {
  let stopped: Promise<void> | null = null;
  const stop = async () => {
    stopping.value = true;
    for (const { signal, waitMs } of STOP_STEPS) {
      if (signal !== "SIGINT") log("warn", "database_stop_slow", { signal });
      child.kill(signal);
      if (await within(exited, waitMs)) break;
    }
    watchdog.dismiss();
  };
  return () => {
    stopped ??= stop();
    return stopped;
  };
}

async function within(exited: Promise<Exit>, waitMs: number): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(resolve, waitMs, false);
  });
  try {
    return await Promise.race([exited.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}
