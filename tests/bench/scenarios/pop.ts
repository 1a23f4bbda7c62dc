/** The pop rows: auto-acknowledged pops of stored messages, by growing groups so that the supply does not end. */

import { type Bench, partitionNames, sum } from "../bench.ts";
import type { Row, Scenario } from "../scenario.ts";

const PARTITIONS = 10;
const AIM = 1_500_000;

async function runPop(bench: Bench, name: string, batch: number): Promise<Row[]> {
  const queue = await bench.queue(name);
  const stored = bench.pick({ tiny: 4_000, normal: 500_000, full: 1_000_000 });
  const filled = await bench.fill(queue, partitionNames(PARTITIONS), stored, bench.pick({ tiny: 100, normal: 1000 }));
  const connections = bench.pick({ tiny: 3, normal: 4 });
  const outcome = await bench.load({
    actors: [
      {
        kind: "pop",
        name: "consumer",
        queue,
        group: "reader",
        endlessGroups: !bench.checks,
        batch: bench.pick({ tiny: Math.min(batch, 70), normal: batch }),
        connections,
        ack: "auto",
        stop: bench.checks ? { messages: sum(Object.values(filled.checks.pushed)) } : undefined,
      },
    ],
  });
  if (bench.checks) await bench.compare(queue, "reader", filled.checks, outcome.checks);
  const rate = bench.figures(outcome, "consumer.pop").messages / outcome.windowSeconds;
  return [
    bench.row(outcome, "consumer.pop", "consumer.pop", {
      scenario: name,
      label: `auto-ack pop, ${batch.toLocaleString("en-US")} a request, ${PARTITIONS} partitions, JSON`,
      aim: "1,500,000 msg/s",
      met: rate >= AIM,
      limit: await bench.limit("read", 1000, connections),
      parameters: { batch, connections, partitions: PARTITIONS, stored },
    }),
  ];
}

/** Both pop rows. */
export const popScenarios: Scenario[] = [1000, 10_000].map((batch) => ({
  name: `pop-${batch}`,
  about: `auto-ack pop, ${batch} messages a request, ${PARTITIONS} partitions`,
  run: (bench) => runPop(bench, `pop-${batch}`, batch),
}));
