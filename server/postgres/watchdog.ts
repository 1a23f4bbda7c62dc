import { spawn } from "node:child_process";
import { type Account, spawnAs } from "./account.ts";
import type { EmbeddedLog } from "./log.ts";
import { PROGRAM_ENV } from "./run.ts";

/**
 * Waits for a line (the server stopped the database itself) or for the end of input (the server is gone), and then asks
 * the postmaster for a fast shutdown, if the cluster is still its own. A server may die before its postmaster has
 * written its pid, hence the few tries.
 */
const SCRIPT = `
read -r line && exit 0
for try in 1 2 3 4 5; do
  if read -r pid < postmaster.pid && [ "$pid" = "$1" ]; then kill -INT "$1"; exit 0; fi
  kill -0 "$1" || exit 0
  sleep 1
done`;

/** A small process that outlives the server just long enough to stop the database. */
export interface Watchdog {
  /** Ends it without touching the database. */
  dismiss(): void;
}

/**
 * Starts a process that stops the database when this one ends without doing so, kill -9 included: the kernel then closes
 * the pipe between them.
 *
 * @param postmasterPid - The database to stop.
 * @param cluster - Its folder.
 * @param account - Who runs it.
 * @param log - Told when there can be no watchdog; the database then stays until the next start finds it.
 * @returns The watchdog.
 */
export function startWatchdog(postmasterPid: number, cluster: string, account: Account, log: EmbeddedLog): Watchdog {
  const child = spawn("/bin/sh", ["-c", SCRIPT, "queen-watchdog", String(postmasterPid)], {
    ...spawnAs(account),
    // Out of reach of Ctrl-C, like the database itself.
    detached: true,
    cwd: cluster,
    env: PROGRAM_ENV,
    stdio: ["pipe", "ignore", "ignore"],
  });
  child.on("error", (error) => log("warn", "database_watchdog_missing", { reason: error.message }));
  child.stdin.on("error", () => {});
  child.unref();
  return {
    dismiss() {
      child.stdin.end("stop\n");
    },
  };
}
