/**
 * Fifty clients that read answers of 10,000 messages slowly, and one that pushes now and then: whether the router stays awake for
 * the others, and whether answers that wait for their readers pile up.
 */

import { type Bench, partitionNames, sum } from "../bench.ts";
import type { Row, Scenario } from "../scenario.ts";

const PARTITIONS = 10;
const PAUSE_MS = 100;
const LAG_AIM_MS = 50;
const PUSHES_PER_SECOND = 20;

async function run(bench: Bench): Promise<Row[]> {
  const queue = await bench.queue("slow-readers");
  const other = await bench.queue("slow-readers-others");
  const stored = bench.pick({ tiny: 4_000, short: 100_000, normal: 500_000 });
  const filled = await bench.fill(queue, partitionNames(PARTITIONS), stored, bench.pick({ tiny: 100, normal: 1000 }));
  const readers = bench.pick({ tiny: 5, normal: 50 });
  const batch = bench.pick({ tiny: 400, normal: 10_000 });
  const wanted = bench.checks ? sum(Object.values(filled.checks.pushed)) : undefined;
  const { outcome, lag, memory } = await bench.watch({
    actors: [
      {
        kind: "pop",
        name: "reader",
        queue,
        group: "reader",
        endlessGroups: !bench.checks,
        batch,
        connections: readers,
        pauseMs: PAUSE_MS,
        ack: "auto",
        stop: wanted === undefined ? undefined : { messages: wanted },
      },
      {
        kind: "push",
        name: "other",
        queue: other,
        partitions: ["p"],
        perRequest: 1,
        connections: 1,
        pacePerSecond: PUSHES_PER_SECOND,
        stop: bench.checks ? { messages: 5 } : undefined,
      },
    ],
  });
  if (bench.checks) await bench.compare(queue, "reader", filled.checks, outcome.checks);
  const flat = memory.secondHalfMaxMb <= memory.firstHalfMaxMb * 1.1;
  const lagText =
    lag === null ? "lag unknown" : `router late p99 ${lag.p99Ms.toFixed(1)}, at most ${lag.maxMs.toFixed(1)} ms`;
  return [
    bench.row(outcome, "reader.pop", "other.push", {
      scenario: "slow-readers",
      label: `${readers} slow readers of ${batch.toLocaleString("en-US")} messages; latency of pushes meanwhile`,
      aim: "router late < 50 ms, memory flat",
      met: lag === null || bench.checks ? null : lag.maxMs < LAG_AIM_MS && flat,
      note: `${lagText}; memory ${memory.firstHalfMaxMb.toFixed(0)}, then ${memory.secondHalfMaxMb.toFixed(0)} MB at most`,
      parameters: { readers, batch, pauseMs: PAUSE_MS, stored, lag, memory },
    }),
  ];
}

/** See the module. */
export const slowReaders: Scenario = {
  name: "slow-readers",
  about: "50 slow readers of answers of 10,000 messages: lateness of the router, memory",
  run,
};
