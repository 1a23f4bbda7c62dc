/**
 * Profiles one scenario: it runs twice on one server, first as it is, then with samplers and statistics on. Costs come from the first run,
 * what they are made of from the second.
 *
 * @module
 */

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Bench, type BenchOptions } from "../bench.ts";
import { type CpuSeconds, cpuBetween, readBackends, readCpu, readThreads, type Used } from "../cpu.ts";
import { findPostmaster, makeDataDir, type Postmaster } from "../process.ts";
import type { Row, Scenario } from "../scenario.ts";
import { PerfRecording, type PerfShares } from "./perf.ts";
import { type CpuProfile, countStages, type Side, type StageSamples } from "./stages.ts";
import { beginFigures, countStatements, type DatabaseFigures, prepareStatements, readFigures } from "./statements.ts";

const SAMPLER = new URL("./sampler.ts", import.meta.url).pathname;
const PROFILE_MS_MAX = 15_000;

/** What a profile found. */
export interface Profile {
  /** The run without samplers. */
  plain: Row;
  /** The run with them. */
  sampled: Row;
  seconds: number;
  /** Processor seconds of the sampled window. */
  cpu: CpuSeconds;
  /** Samples of one millisecond; those of all workers together. */
  javaScript: Record<Side, StageSamples>;
  /** By `router`, `workers`, `helpers`, `postgres`; null without perf. */
  perf: Map<string, PerfShares> | null;
  database: DatabaseFigures;
  /** Seconds by what processes of PostgreSQL, and helping threads of the server, are for. */
  backends: Map<string, number>;
  helpers: Map<string, number>;
}

/** What is gathered while a window is open. */
interface Gathered {
  seconds: number;
  cpu: CpuSeconds;
  perf: Map<string, PerfShares> | null;
  database: DatabaseFigures;
  threads: Map<number, Used>;
  backends: Map<number, Used>;
}

/**
 * Profiles a scenario.
 *
 * @param scenario - Only its first row counts.
 * @param options - As for a bench.
 * @returns See {@link Profile}.
 * @throws {Error} when the scenario fails or the server writes no profile. Nothing is left running then.
 */
export async function profileScenario(scenario: Scenario, options: BenchOptions): Promise<Profile> {
  const folder = await mkdtemp(join(tmpdir(), "queen-profile-"));
  const dataDir = await makeDataDir();
  try {
    const first = await Bench.start({ ...options, dataDir });
    await prepareStatements(first.sql).finally(() => first.stop());
    let onWindow: (open: boolean) => void = () => undefined;
    const bench = await Bench.start({
      ...options,
      dataDir,
      preload: SAMPLER,
      env: { QUEEN_PROFILE_DIR: folder },
      onWindow: (open) => onWindow(open),
    });
    try {
      await countStatements(bench.sql, false);
      // The first run compiles; it belongs to neither.
      if (bench.options.size !== "tiny") await scenario.run(bench);
      const helpers = new Map<string, number>();
      onWindow = watchHelpers(bench.server.pid, helpers);
      const [plain] = await scenario.run(bench);
      await countStatements(bench.sql, true);
      const windows: Promise<Gathered>[] = [];
      const postmaster = await findPostmaster(dataDir);
      onWindow = watchWindows(bench, postmaster!, folder, (gathered) => windows.push(gathered));
      const [sampled] = await scenario.run(bench);
      const gathered = await windows[0];
      if (gathered === undefined) throw new Error(`${scenario.name} opened no window`);
      return {
        plain: plain!,
        sampled: sampled!,
        ...gathered,
        backends: sumUpBackends(gathered),
        helpers,
        javaScript: await readProfiles(folder),
      };
    } finally {
      await bench.stop();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
    await rm(dataDir, { recursive: true, force: true });
  }
}

/** Sums up what the helping threads use while windows are open, by name. Samplers have threads of their own: not to be used with them. */
function watchHelpers(pid: number, helpers: Map<string, number>): (open: boolean) => void {
  let before = new Map<number, Used>();
  return (open) => {
    const now = readThreads(pid);
    for (const [id, { name, seconds }] of open ? [] : usedBetween(now, before)) {
      if (id !== pid && !isWorker(name)) helpers.set(name, (helpers.get(name) ?? 0) + seconds);
    }
    before = now;
  };
}

/** Watches the first window: what opens at its beginning is closed at its end. */
function watchWindows(
  bench: Bench,
  postmaster: Postmaster,
  folder: string,
  onGathered: (gathered: Promise<Gathered>) => void,
): (open: boolean) => void {
  const { pid } = bench.server;
  let end: (() => Promise<Gathered>) | null = null;
  let seen = false;
  return (open) => {
    if (!open) {
      if (end !== null) onGathered(end());
      end = null;
      return;
    }
    if (seen) return;
    seen = true;
    process.kill(pid, "SIGUSR2");
    const wal = beginFigures(bench.sql);
    const startedAt = performance.now();
    const before = {
      cpu: readCpu(pid, postmaster.pid),
      threads: readThreads(pid),
      backends: readBackends(postmaster.pid),
    };
    const perf = PerfRecording.start([pid, ...before.backends.keys()], folder);
    end = async () => {
      const cpu = cpuBetween(readCpu(pid, postmaster.pid), before.cpu);
      const seconds = (performance.now() - startedAt) / 1000;
      const threads = usedBetween(readThreads(pid), before.threads);
      const backends = usedBetween(readBackends(postmaster.pid), before.backends);
      process.kill(pid, "SIGUSR2");
      const database = readFigures(bench.sql, await wal);
      const shares = await perf.stop((process, thread) => {
        if (process !== pid) return "postgres";
        return thread === pid ? "router" : isWorker(threads.get(thread)?.name) ? "workers" : "helpers";
      });
      return { seconds, cpu, perf: shares, database: await database, threads, backends };
    };
  };
}

function isWorker(name: string | undefined): boolean {
  return name !== undefined && /worker/i.test(name) && !/jit|heap/i.test(name);
}

function usedBetween(after: Map<number, Used>, before: Map<number, Used>): Map<number, Used> {
  return new Map(
    [...after].map(([id, { name, seconds }]) => [id, { name, seconds: seconds - (before.get(id)?.seconds ?? 0) }]),
  );
}

function sumUpBackends({ backends, database, cpu }: Gathered): Map<string, number> {
  const byUse = new Map<string, number>();
  for (const [pid, { name, seconds }] of backends) {
    // `postgres: <cluster>: <what>`; sessions go by their lane.
    const use = database.lanes.get(pid) ?? name.replace(/^postgres: (\S+: )?/, "").replace(/ \S+ \S+ \[local\].*/, "");
    byUse.set(use, (byUse.get(use) ?? 0) + seconds);
  }
  const named = [...byUse.values()].reduce((total, seconds) => total + seconds, 0);
  byUse.set("ended meanwhile", Math.max(0, cpu.postgres - named));
  return byUse;
}

async function readProfiles(folder: string): Promise<Record<Side, StageSamples>> {
  const giveUpAt = performance.now() + PROFILE_MS_MAX;
  // Threads write theirs when they come to it.
  while (
    !existsSync(join(folder, "main.cpuprofile")) ||
    !profilesOf(folder).some((name) => name.startsWith("worker-"))
  ) {
    if (performance.now() > giveUpAt) throw new Error("the server wrote no profile");
    await Bun.sleep(50);
  }
  await Bun.sleep(500);
  const read = (name: string, side: Side) =>
    countStages(JSON.parse(readFileSync(join(folder, name), "utf8")) as CpuProfile, side);
  const workers = profilesOf(folder)
    .filter((name) => name.startsWith("worker-"))
    .map((name) => read(name, "workers"));
  return { router: read("main.cpuprofile", "router"), workers: merge(workers) };
}

function profilesOf(folder: string): string[] {
  return readdirSync(folder).filter((name) => name.endsWith(".cpuprofile"));
}

function merge(all: StageSamples[]): StageSamples {
  const merged: StageSamples = { total: 0, stages: new Map(), functions: new Map() };
  for (const one of all) {
    merged.total += one.total;
    for (const [stage, count] of one.stages) merged.stages.set(stage, (merged.stages.get(stage) ?? 0) + count);
    for (const [name, count] of one.functions) merged.functions.set(name, (merged.functions.get(name) ?? 0) + count);
  }
  return merged;
}
