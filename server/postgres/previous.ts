import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { statOrNull } from "./account.ts";
import type { EmbeddedLog } from "./log.ts";
import { run } from "./run.ts";

const POLL_MS = 10;
/** Signals that end a postmaster, gentlest first, with how long each may take in milliseconds. */
const STEPS: { signal: NodeJS.Signals; waitMs: number }[] = [
  { signal: "SIGINT", waitMs: 30_000 },
  { signal: "SIGQUIT", waitMs: 10_000 },
  { signal: "SIGKILL", waitMs: 5_000 },
];
/** A pid that no system gives out; it fits the 32-bit number PostgreSQL reads. */
const PID_NEVER = 2 ** 31 - 2;

/**
 * Ends a database that outlived its server (killed with -9, say), so that the next start is an ordinary one. It is
 * stopped rather than adopted: its settings may be those of another program version, its log has no reader, and its
 * fast shutdown is usually under way already, by the watchdog of the dead server.
 *
 * The caller owns the data folder, so no live server uses that database.
 *
 * @param cluster - Absolute path of the cluster; it need not exist.
 * @param log - Told when something had to be stopped.
 * @returns What was found: nothing, a database now stopped, or the traces of a dead one, which PostgreSQL clears itself.
 */
export async function settlePrevious(cluster: string, log: EmbeddedLog): Promise<"none" | "stopped" | "stale"> {
  const pidFile = join(cluster, "postmaster.pid");
  const text = await readFile(pidFile, "utf8").catch(() => null);
  if (text === null) return "none";
  const [line, ...rest] = text.split("\n");
  const pid = Number(line);
  if (!Number.isInteger(pid) || pid <= 1) return "stale";
  if (await isPostmaster(pid, cluster)) {
    log("warn", "database_left_running", { pid, cluster });
    await end(pid, cluster);
    return "stopped";
  }
  // PostgreSQL takes any live process of its own user for a postmaster, and pids come back soon in containers. The file
  // itself must stay: it names the shared memory, by which PostgreSQL finds backends that outlived their postmaster.
  if (isAlive(pid)) await writeFile(pidFile, [String(PID_NEVER), ...rest].join("\n"));
  return "stale";
}

async function end(pid: number, cluster: string): Promise<void> {
  for (const { signal, waitMs } of STEPS) {
    const deadline = Date.now() + waitMs;
    if (!(await isPostmaster(pid, cluster))) return;
    process.kill(pid, signal);
    while (Date.now() < deadline) {
      if (!(await isPostmaster(pid, cluster))) return;
      await sleep(POLL_MS);
    }
  }
}

/** A postmaster works in its cluster's folder for all its life, wherever that folder is moved to. */
async function isPostmaster(pid: number, cluster: string): Promise<boolean> {
  if (!isAlive(pid)) return false;
  if (process.platform !== "linux") return await isPostmasterByCommand(pid, cluster);
  const [folder, home] = await Promise.all([statOrNull(`/proc/${pid}/cwd`), stat(cluster)]);
  if (!folder || folder.ino !== home.ino || folder.dev !== home.dev) return false;
  const name = await readFile(`/proc/${pid}/comm`, "utf8").catch(() => "");
  return name.trim() === "postgres";
}

async function isPostmasterByCommand(pid: number, cluster: string): Promise<boolean> {
  const account = { uid: -1, gid: -1, switched: false };
  const { stdout } = await run("/bin/ps", ["-o", "command=", "-p", String(pid)], account);
  return stdout.includes("postgres") && stdout.includes(cluster);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
