/** The pop rows: auto-acknowledged pops of stored messages, by growing groups so that the supply does not end. */

import { type Bench, partitionNames, sum } from "../bench.ts";
import type { Row, Scenario } from "../scenario.ts";

const PARTITIONS = 10;

interface PopShape {
  name: string;
  batch: number;
  segments: boolean;
  rateAim: number;
}

const SHAPES: PopShape[] = [
  { name: "pop-1000", batch: 1000, segments: false, rateAim: 1_500_000 },
  { name: "pop-10000", batch: 10_000, segments: false, rateAim: 1_500_000 },
  { name: "pop-segments-1000", batch: 1000, segments: true, rateAim: 4_000_000 },
  { name: "pop-segments", batch: 10_000, segments: true, rateAim: 4_000_000 },
];

function aboutOf({ batch, segments }: PopShape): string {
  const form = segments ? "stored segments" : "JSON";
  return `auto-ack pop, ${batch.toLocaleString("en-US")} a request, ${PARTITIONS} partitions, ${form}`;
}

async function runPop(bench: Bench, shape: PopShape): Promise<Row[]> {
  const { name, batch, segments, rateAim } = shape;
  const queue = await bench.queue(name);
  const stored = bench.pick({ tiny: 4_000, short: 100_000, normal: 500_000, full: 1_000_000 });
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
        segments,
        stop: bench.checks ? { messages: sum(Object.values(filled.checks.pushed)) } : undefined,
      },
    ],
  });
  if (bench.checks) await bench.compare(queue, "reader", filled.checks, outcome.checks);
  const rate = bench.figures(outcome, "consumer.pop").messages / outcome.windowSeconds;
  return [
    bench.row(outcome, "consumer.pop", "consumer.pop", {
      scenario: name,
      label: aboutOf(shape),
      aim: `${rateAim.toLocaleString("en-US")} msg/s`,
      met: rate >= rateAim,
      limit: await bench.limit("read", 1000, connections),
      parameters: { batch, connections, partitions: PARTITIONS, stored, segments },
    }),
  ];
}

/** All pop rows. */
export const popScenarios: Scenario[] = SHAPES.map((shape) => ({
  name: shape.name,
  about: aboutOf(shape),
  run: (bench) => runPop(bench, shape),
}));
