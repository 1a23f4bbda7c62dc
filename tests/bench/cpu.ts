/**
 * Processor time of a server, by thread, and of the PostgreSQL it runs, from `/proc`. Linux only; elsewhere everything is 0.
 *
 * @module
 */

import { readdirSync, readFileSync } from "node:fs";

const TICKS_PER_SECOND = 100;

/** Processor seconds. */
export interface CpuSeconds {
  /** The main thread of the server. */
  router: number;
  /** Its workers. */
  workers: number;
  /** Its other threads: garbage collection, compilation, file access. */
  helpers: number;
  /** PostgreSQL, all its processes. */
  postgres: number;
  /** Everything that runs on this machine, the above included. */
  machine: number;
}

/**
 * Reads what has been used so far.
 *
 * @param serverPid - Process of the server.
 * @param postmasterPid - First process of PostgreSQL, or null when there is none to be watched.
 * @returns Seconds since each began; threads that ended are missing, PostgreSQL processes that ended are counted.
 */
export function readCpu(serverPid: number, postmasterPid: number | null): CpuSeconds {
  const used: CpuSeconds = { router: 0, workers: 0, helpers: 0, postgres: 0, machine: machineSeconds() };
  for (const thread of list(`/proc/${serverPid}/task`)) {
    const seconds = threadSeconds(`/proc/${serverPid}/task/${thread}`);
    const name = read(`/proc/${serverPid}/task/${thread}/comm`).trim();
    if (thread === String(serverPid)) used.router += seconds;
    else if (/worker/i.test(name) && !/jit|heap/i.test(name)) used.workers += seconds;
    else used.helpers += seconds;
  }
  if (postmasterPid !== null) used.postgres = postgresSeconds(postmasterPid);
  return used;
}

/**
 * Subtracts two readings.
 *
 * @param after - The later reading.
 * @param before - The earlier one.
 * @returns Seconds used between them.
 */
export function cpuBetween(after: CpuSeconds, before: CpuSeconds): CpuSeconds {
  return {
    router: after.router - before.router,
    workers: after.workers - before.workers,
    helpers: after.helpers - before.helpers,
    postgres: after.postgres - before.postgres,
    machine: after.machine - before.machine,
  };
}

/** What one thread or process has used. */
export interface Used {
  /** Name of the thread, or what the process says it does. */
  name: string;
  seconds: number;
}

/**
 * Reads the threads of a process one by one.
 *
 * @param pid - Process.
 * @returns By thread id; empty when there is no such process.
 */
export function readThreads(pid: number): Map<number, Used> {
  return new Map(
    list(`/proc/${pid}/task`).map((thread) => {
      const path = `/proc/${pid}/task/${thread}`;
      return [Number(thread), { name: read(`${path}/comm`).trim(), seconds: threadSeconds(path) }];
    }),
  );
}

/**
 * Reads the processes of a PostgreSQL one by one.
 *
 * @param postmasterPid - Its first process, which is left out.
 * @returns By process id.
 */
export function readBackends(postmasterPid: number): Map<number, Used> {
  const found = new Map<number, Used>();
  for (const name of list("/proc")) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || statFields(pid)?.[3] !== postmasterPid) continue;
    const said = read(`/proc/${pid}/cmdline`).replaceAll("\0", " ").trim();
    found.set(pid, { name: said, seconds: threadSeconds(`/proc/${pid}`) });
  }
  return found;
}

/** user, nice, system, idle, iowait, irq, softirq, steal, in ticks. */
function machineTicks(): number[] {
  return read("/proc/stat").split("\n")[0]!.trim().split(/\s+/).slice(1).map(Number);
}

function machineSeconds(): number {
  // All but the two in which nothing runs, and what others took.
  const [user, nice, system, , , irq, softirq] = machineTicks();
  return ((user ?? 0) + (nice ?? 0) + (system ?? 0) + (irq ?? 0) + (softirq ?? 0)) / TICKS_PER_SECOND;
}

/** @returns Seconds of all cores in which this machine wanted to run and its host ran others, since it was started. */
export function stolenSeconds(): number {
  return (machineTicks()[7] ?? 0) / TICKS_PER_SECOND;
}

function postgresSeconds(postmasterPid: number): number {
  const fields = statFields(postmasterPid);
  // Its children that have ended are in its own `cutime` and `cstime`.
  let seconds = fields === null ? 0 : (fields[13]! + fields[14]! + fields[15]! + fields[16]!) / TICKS_PER_SECOND;
  for (const name of list("/proc")) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || statFields(pid)?.[3] !== postmasterPid) continue;
    seconds += threadSeconds(`/proc/${pid}`);
  }
  return seconds;
}

/** Nanosecond counters when the kernel keeps them, ticks of 10 ms otherwise. */
function threadSeconds(path: string): number {
  const nanoseconds = Number.parseInt(read(`${path}/schedstat`), 10);
  if (nanoseconds > 0) return nanoseconds / 1e9;
  const stat = read(`${path}/stat`);
  const rest = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(rest[11]) + Number(rest[12])) / TICKS_PER_SECOND || 0;
}

/** Fields of `/proc/<pid>/stat`, counted from 0 as in its manual page minus one; the name is left out as NaN. */
function statFields(pid: number): number[] | null {
  const stat = read(`/proc/${pid}/stat`);
  if (stat === "") return null;
  return [
    pid,
    Number.NaN,
    ...stat
      .slice(stat.lastIndexOf(")") + 2)
      .split(" ")
      .map(Number),
  ];
}

function list(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
