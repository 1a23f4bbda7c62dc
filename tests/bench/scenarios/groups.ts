/** Ten consumer groups on one queue must together be delivered no less than one group with as many connections. */

import { type Bench, partitionNames, sum } from "../bench.ts";
import type { PopActor } from "../load/protocol.ts";
import type { LoadOutcome } from "../loader.ts";
import type { Row, Scenario } from "../scenario.ts";

const PARTITIONS = 10;
const BATCH = 1000;
const CONNECTIONS = 10;

async function deliver(bench: Bench, queue: string, groups: number, stored: number): Promise<LoadOutcome> {
  const actors: PopActor[] = Array.from({ length: groups }, (_, index) => ({
    kind: "pop",
    name: `group${index}`,
    queue,
    group: `${groups}-of-${index}`,
    endlessGroups: !bench.checks,
    batch: bench.pick({ tiny: 50, normal: BATCH }),
    connections: CONNECTIONS / groups,
    ack: "auto",
    stop: bench.checks ? { messages: stored } : undefined,
  }));
  return bench.load({ actors });
}

/** Puts the figures of all groups into those of the first one, whose latency then stands for all. */
function together(outcome: LoadOutcome, groups: number): LoadOutcome {
  const all = Array.from({ length: groups }, (_, index) => outcome.figures[`group${index}.pop`]!);
  const messages = sum(all.map((figures) => figures.messages));
  return {
    ...outcome,
    figures: { "all.pop": { ...all[0]!, messages, requests: sum(all.map((figures) => figures.requests)) } },
  };
}

async function run(bench: Bench): Promise<Row[]> {
  const queue = await bench.queue("groups");
  const filled = await bench.fill(
    queue,
    partitionNames(PARTITIONS),
    bench.pick({ tiny: 2000, normal: 500_000 }),
    bench.pick({ tiny: 100, normal: 1000 }),
  );
  const stored = filled.pushedInAll;
  const rows: Row[] = [];
  const rates: number[] = [];
  for (const groups of [1, 10]) {
    const played = await deliver(bench, queue, groups, stored);
    for (let index = 0; bench.checks && index < groups; index++) {
      await bench.compare(queue, `${groups}-of-${index}`, filled.checks, played.checks);
    }
    const outcome = together(played, groups);
    rates.push(bench.figures(outcome, "all.pop").messages / outcome.windowSeconds);
    rows.push(
      bench.row(outcome, "all.pop", "all.pop", {
        scenario: "groups",
        label: `${groups} group${groups === 1 ? "" : "s"} on one queue, 10 connections, auto-ack 1,000`,
        aim: groups === 1 ? "" : "no lower than 1 group",
        // Two runs of the same thing differ by a few percent; within five they count as equal.
        met: groups === 1 ? null : rates[1]! >= rates[0]! * 0.95,
        note: groups === 1 ? "" : `${(rates[1]! / rates[0]!).toFixed(2)} of one group`,
        limit: groups === 1 ? await bench.limit("read", BATCH, CONNECTIONS) : rows[0]!.limit,
        parameters: { groups, connections: CONNECTIONS, batch: BATCH, partitions: PARTITIONS },
      }),
    );
  }
  return rows;
}

/** See the module. */
export const groups: Scenario = { name: "groups", about: "10 consumer groups on one queue against 1", run };
