/**
 * How this process does right now: counts since its start, from which whoever looks twice makes rates, and how its parts
 * stand. Asks the workers, never the database.
 *
 * @module
 */
import process from "node:process";
import { DURATION_BOUNDS_S } from "../pool/durations.ts";
import type { Pool } from "../pool/pool.ts";
import type { Observer } from "./observer.ts";
import { processMemory, processorTime } from "./process.ts";

/** Operations whose durations are told, by what people call them; waiting pops are left out: they take as long as they wait. */
const KINDS: Readonly<Record<string, "push" | "pop" | "ack">> = {
  push: "push",
  pop: "pop",
  ack: "ack",
  ackBatch: "ack",
  leaseAcknowledge: "ack",
};

/**
 * Looks.
 *
 * @returns A value for JSON; `counts` and `durations` only grow while the process lives, times are in the unit of their name.
 */
export async function lookLive(pool: Pool, observer: Observer, instance: string): Promise<Record<string, unknown>> {
  await observer.collect();
  const { totals, latest } = observer;
  const durations = { push: emptyCounts(), pop: emptyCounts(), ack: emptyCounts() };
  let failures = 0;
  for (const { operation, counts, failures: failed } of pool.durations()) {
    failures += failed;
    const kind = KINDS[operation];
    if (kind === undefined) continue;
    for (const [at, count] of counts.entries()) durations[kind][at]! += count;
  }
  const { requests } = observer.rates.totals();
  const { pushMessages, popMessages, ackSuccess, autoAcked, ackFailed, deadLetters, lagCount, lagSumMs } = totals;
  const state = pool.state();
  const memory = await processMemory();
  const { user, system } = processorTime();
  return {
    timestamp: new Date().toISOString(),
    instance,
    uptimeSeconds: process.uptime(),
    counts: {
      pushMessages,
      popMessages,
      ackMessages: ackSuccess + autoAcked,
      ackFailed,
      deadLetters,
      requests,
      failures,
      databaseErrors: totals.databaseErrors,
      lagCount,
      lagSumMs,
    },
    durations: { boundsSeconds: DURATION_BOUNDS_S, ...durations },
    workers: state.workers.map(({ index, state: workerState, restartCount, requestCount, pollCount }) => ({
      workerId: index,
      state: workerState,
      restarts: restartCount,
      requests: requestCount,
      parked: pollCount,
      loopLagMaxMs: latest[index]?.loopLag.maxMs ?? 0,
      lanes: latest[index]?.lanes ?? [],
    })),
    buffering: state.instance.buffering,
    process: { rssBytes: memory.rss, cpuUserUs: user, cpuSystemUs: system },
  };
}

function emptyCounts(): number[] {
  return new Array<number>(DURATION_BOUNDS_S.length + 1).fill(0);
}
