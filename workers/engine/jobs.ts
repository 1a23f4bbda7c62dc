/**
 * Background jobs of an instance. Worker 0 runs them, on a connection of their own; among instances, each step of a job
 * is done by the one that gets its advisory lock.
 *
 * A job runs, waits for its interval, runs again; it never overlaps itself. A run that fails is logged, and the next one
 * takes place all the same.
 *
 * @module
 */

import { openPool } from "../storage/database.ts";
import { isAway } from "../storage/failures.ts";
import { cursorSweep, jobElect } from "../storage/retention.ts";
import type { EngineContext } from "./context.ts";
import { newOctoberWalks, runOctoberForget } from "./october/forget.ts";
import { JOB, type JobRun, runCleanup, runEviction, runPurge, runRetention, type Walks } from "./retention.ts";
import { runSampleExpiry } from "./samples.ts";

/** Running jobs. */
export interface Jobs {
  /** Ends them after the step they are at. Legal more than once. */
  stop(): Promise<void>;
}

/** What the jobs of this process did since it started. */
export const jobCounters = {
  /** Lost wake-ups that the sweep found; anything but 0 is a defect. */
  sweepRepairs: 0,
  /** Runs that ended with an error. */
  failures: 0,
};

const SWEEP_INTERVAL_MS = 60_000;
/** The sweep looks back further than its interval: a push may commit long after it drew its time. */
const SWEEP_OVERLAP_S = 120;
/** How far back the first sweep of a process looks. */
const SWEEP_FIRST_S = 300;
const PURGE_INTERVAL_MS = 60_000;
/** Shortest pause between runs of the clean-up, which rides along with retention. */
const CLEANUP_INTERVAL_MS_MIN = 60_000;
const CONNECTIONS = 1;

interface Job {
  name: string;
  intervalMs: number;
  run(): Promise<void>;
}

/** Makes ready what a lost wake-up left behind, and says so. */
async function sweep(run: JobRun, seconds: number): Promise<boolean> {
  const repaired = await run.sql.begin(async (sql) =>
    (await jobElect(sql, JOB.sweep)) ? await cursorSweep(sql, seconds) : null,
  );
  if (repaired === null) return false;
  if (repaired.length > 0) {
    jobCounters.sweepRepairs += repaired.length;
    run.context.log("warn", "sweep_repaired", { cursors: repaired.length, first: { ...repaired[0] } });
    run.context.queuesReady(new Set(repaired.map((row) => row.queue_id)));
  }
  return true;
}

function jobsOf(run: JobRun): Job[] {
  const { settings } = run.context;
  const completedWalks: Walks = new Map();
  const evictionWalks: Walks = new Map();
  let cleanedUpTo = { queueId: 0, id: 0 };
  let sweptAt: number | null = null;
  const octoberWalks = newOctoberWalks();
  return [
    {
      name: "retention",
      intervalMs: settings.retentionIntervalMs,
      run: () => runRetention(run, completedWalks),
    },
    {
      name: "eviction",
      intervalMs: settings.evictionIntervalMs,
      run: () => runEviction(run, evictionWalks),
    },
    {
      name: "cleanup",
      intervalMs: Math.max(settings.retentionIntervalMs, CLEANUP_INTERVAL_MS_MIN),
      run: async () => {
        cleanedUpTo = await runCleanup(run, cleanedUpTo);
      },
    },
    {
      name: "october",
      intervalMs: CLEANUP_INTERVAL_MS_MIN,
      run: async () => {
        await runOctoberForget(run.sql, octoberWalks, run.proceed);
      },
    },
    {
      name: "purge",
      intervalMs: PURGE_INTERVAL_MS,
      run: () => runPurge(run),
    },
    {
      name: "samples",
      intervalMs: settings.retentionIntervalMs,
      run: () => runSampleExpiry(run),
    },
    {
      name: "sweep",
      intervalMs: SWEEP_INTERVAL_MS,
      run: async () => {
        const startedAt = performance.now();
        const seconds = sweptAt === null ? SWEEP_FIRST_S : (startedAt - sweptAt) / 1000 + SWEEP_OVERLAP_S;
        if (await sweep(run, seconds)) sweptAt = startedAt;
      },
    },
  ];
}

/**
 * Starts the jobs of an instance. The first run of each comes after its interval.
 *
 * @remarks Opens a connection when a job first needs it.
 */
export function startJobs(context: EngineContext): Jobs {
  const { settings } = context;
  const sql = openPool(settings.database, CONNECTIONS, `queen ${settings.instanceId} jobs`.slice(0, 60));
  let stopping = false;
  const timers = new Map<string, ReturnType<typeof setTimeout>>();
  const running = new Set<Promise<void>>();

  async function carryOut(job: Job): Promise<void> {
    try {
      await job.run();
    } catch (error) {
      jobCounters.failures += 1;
      context.counters.worker.databaseErrors += 1;
      const level = isAway(error) ? "warn" : "error";
      if (!stopping) context.log(level, "job_failed", { job: job.name, error: String(error) });
    }
    if (!stopping) schedule(job);
  }

  function schedule(job: Job): void {
    const timer = setTimeout(() => {
      const run = carryOut(job).finally(() => running.delete(run));
      running.add(run);
    }, job.intervalMs);
    timers.set(job.name, timer);
  }

  for (const job of jobsOf({ context, sql, proceed: () => !stopping })) schedule(job);
  return {
    async stop() {
      stopping = true;
      for (const timer of timers.values()) clearTimeout(timer);
      await Promise.all(running);
      await sql.end({ timeout: 5 });
    },
  };
}
