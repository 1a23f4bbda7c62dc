import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface, type Interface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import postgres from "postgres";
import { chooseAccount, closedFolder } from "../../../server/postgres/account.ts";
import { findNative } from "../../../server/postgres/binaries.ts";

export const isRoot = process.getuid?.() === 0;
export const isLinux = process.platform === "linux";

/** True when PostgreSQL's user can use the installed programs where they are. */
export const isInstallOpen = (await closedFolder(await findNative(), await chooseAccount([]))) === null;
/** `daemon`, which every system has: a user unlike root and unlike nobody. */
export const ORDINARY = 1;
export const NOBODY = 65534;
/** True when a test may start this checkout as {@link ORDINARY}; not so as an ordinary user, or below a closed `/root`. */
export const canSwitch = isRoot && (await isOpenTo(ORDINARY));

export interface Started {
  kind: "started";
  target: { hosts: string[]; port: number; user: string; password: null; database: string };
  version: string;
  dataDir: string;
  pid: number;
  firstStart: boolean;
  events: string[];
  ms: number;
}

export interface Failed {
  kind: "failed";
  code: string;
  message: string;
}

export interface Stopped {
  kind: "stopped";
  exit: { code: number | null; signal: string | null };
  ms: number;
}

type Line = Started | Failed | Stopped | { kind: "interrupted" };

const PROGRAM = join(import.meta.dir, "launch.ts");
const launched: Launched[] = [];
const folders: string[] = [];

/** A process of its own that runs an embedded server. */
export class Launched {
  readonly process: ChildProcess;
  readonly exited: Promise<unknown>;
  readonly #lines: AsyncIterator<string>;
  #errors = "";

  constructor(dataDir: string, options: { uid?: number; program?: string[] } = {}) {
    const account = options.uid === undefined ? {} : { uid: options.uid, gid: options.uid };
    const [command, ...args] = options.program ?? [process.execPath, PROGRAM];
    this.process = spawn(command!, [...args, dataDir], {
      ...account,
      detached: true,
      env: { PATH: process.env.PATH, HOME: tmpdir(), TMPDIR: process.env.TMPDIR },
      stdio: ["pipe", "pipe", "pipe"],
    });
    this.exited = new Promise((resolve) => {
      this.process.on("exit", resolve);
      this.process.on("error", resolve);
    });
    this.process.stderr!.on("data", (data) => {
      this.#errors += data;
    });
    const lines: Interface = createInterface({ input: this.process.stdout! });
    this.#lines = lines[Symbol.asyncIterator]();
    launched.push(this);
  }

  /** The next thing it tells; fails with what it wrote to standard error when it ends instead. */
  async next<Kind extends Line["kind"]>(kind: Kind): Promise<Extract<Line, { kind: Kind }>> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(`Ended without telling "${kind}": ${this.#errors}`);
    const line = JSON.parse(value) as Line;
    if (line.kind !== kind) throw new Error(`Told ${value} instead of "${kind}": ${this.#errors}`);
    return line as Extract<Line, { kind: Kind }>;
  }

  async stop(): Promise<Stopped> {
    this.process.stdin!.write("stop\n");
    const stopped = await this.next("stopped");
    await this.exited;
    return stopped;
  }

  async kill(): Promise<void> {
    this.process.kill("SIGKILL");
    await this.exited;
  }
}

/** Starts a server in a process of its own and waits until it is up. */
export async function launch(
  dataDir: string,
  options: { uid?: number; program?: string[] } = {},
): Promise<Launched & { started: Started }> {
  const server = new Launched(dataDir, options);
  return Object.assign(server, { started: await server.next("started") });
}

/** Starts a server that must refuse, and tells how it did. */
export async function launchRefused(
  dataDir: string,
  options: { uid?: number; program?: string[] } = {},
): Promise<Failed> {
  const server = new Launched(dataDir, options);
  const failed = await server.next("failed");
  await server.exited;
  return failed;
}

/** A temporary folder that every user may pass through, removed after the test. */
export function temporaryFolder(owner?: number): string {
  const folder = keptFolder();
  if (owner !== undefined) chownSync(folder, owner, owner);
  folders.push(folder);
  return folder;
}

/** The same for several tests, which saves making a cluster for each; the file removes it with {@link removeFolder}. */
export function keptFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "queen-pg-"));
  chmodSync(folder, 0o755);
  return folder;
}

/** Ends the processes that a test left behind, and removes its folders. For `afterEach`. */
export async function cleanUp(): Promise<void> {
  for (const server of launched.splice(0)) if (server.process.exitCode === null) await server.kill();
  for (const folder of folders.splice(0)) await removeFolder(folder);
}

/** Ends the databases below a folder and removes it. */
export async function removeFolder(folder: string): Promise<void> {
  for (const pid of postmastersBelow(folder)) {
    killIfAlive(pid);
    await untilGone(pid);
  }
  rmSync(folder, { recursive: true, force: true });
}

function postmastersBelow(folder: string): number[] {
  const pids: number[] = [];
  for (const name of readdirSync(folder, { recursive: true }) as string[]) {
    if (!name.endsWith("postmaster.pid")) continue;
    const pid = Number(readFileSync(join(folder, name), "utf8").split("\n")[0]);
    const cwd = isLinux && isAlive(pid) && existsSync(`/proc/${pid}/cwd`) ? statSync(`/proc/${pid}/cwd`).ino : 0;
    if (cwd === statSync(join(folder, name, "..")).ino) pids.push(pid);
  }
  return pids;
}

function killIfAlive(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It ended in the meantime.
  }
}

async function isOpenTo(uid: number): Promise<boolean> {
  const account = { uid, gid: uid, switched: true };
  const closed = await Promise.all([import.meta.dir, process.execPath].map((path) => closedFolder(path, account)));
  return closed.every((folder) => folder === null);
}

/** Waits for a condition; the limit is only there to fail. */
export async function until(what: string, holds: () => boolean | Promise<boolean>, limitMs = 20_000): Promise<void> {
  for (const deadline = Date.now() + limitMs; !(await holds()); await sleep(5)) {
    if (Date.now() > deadline) throw new Error(`Waited ${limitMs} ms in vain until ${what}`);
  }
}

/** @returns Whether a process runs; one that only waits to be reaped does not. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  if (!isLinux) return true;
  try {
    return !/^\d+ \(.*\) Z/s.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}

/** Waits for the end of a process. */
export async function untilGone(pid: number): Promise<void> {
  await until(`process ${pid} is gone`, () => !isAlive(pid));
}

/** Runs statements on a server. */
export async function query(target: Started["target"], text: string): Promise<Record<string, unknown>[]> {
  const sql = postgres({ ...target, host: target.hosts[0]!, password: "", max: 1, onnotice: () => {} });
  try {
    return (await sql.unsafe(text)) as unknown as Record<string, unknown>[];
  } finally {
    // Without a limit, postgres.js waits for ever for a connection that broke during a statement.
    await sql.end({ timeout: 1 });
  }
}

/** User that runs a process (Linux). */
export function userOf(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/status`, "utf8").match(/^Uid:\s+(\d+)/m)![1]);
}

/** Processes whose command line holds a text (Linux). */
export function processesWith(text: string): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").includes(text);
      } catch {
        return false;
      }
    });
}
