/** The rows of pop with an awaited acknowledgement of every message. */

import { type Bench, partitionNames, sum } from "../bench.ts";
import type { Row, Scenario } from "../scenario.ts";

interface PopAckShape {
  name: string;
  about: string;
  batch: number;
  /** How messages are acknowledged, and whether they come as segments. */
  ack: "batch" | "lease";
  segments?: boolean;
  connections: number;
  partitions: number;
  stored: { tiny: number; short: number; normal: number; full?: number };
  aim: string;
  rateAim: number;
}

const SHAPES: PopAckShape[] = [
  {
    name: "pop-ack-1000",
    about: "pop and awaited batch ack, 1,000 a request",
    batch: 1000,
    ack: "batch",
    connections: 10,
    partitions: 10,
    stored: { tiny: 4_000, short: 100_000, normal: 500_000, full: 1_000_000 },
    aim: "500,000 msg/s",
    rateAim: 500_000,
  },
  {
    name: "pop-ack-1",
    about: "pop and ack, 1 a request, 50 connections",
    batch: 1,
    ack: "batch",
    connections: 50,
    partitions: 100,
    stored: { tiny: 400, short: 100_000, normal: 500_000 },
    aim: "10,000 msg/s",
    rateAim: 10_000,
  },
  {
    name: "pop-lease-ack-1000",
    about: "pop and awaited ack of the lease, 1,000 a request",
    batch: 1000,
    ack: "lease",
    connections: 10,
    partitions: 10,
    stored: { tiny: 4_000, short: 100_000, normal: 500_000, full: 1_000_000 },
    aim: "500,000 msg/s",
    rateAim: 500_000,
  },
  {
    name: "segments-lease-ack-1000",
    about: "pop of segments and awaited ack of the lease, 1,000 a request",
    batch: 1000,
    ack: "lease",
    segments: true,
    connections: 10,
    partitions: 10,
    stored: { tiny: 4_000, short: 100_000, normal: 500_000, full: 1_000_000 },
    aim: "500,000 msg/s",
    rateAim: 500_000,
  },
];

async function runPopAck(bench: Bench, shape: PopAckShape): Promise<Row[]> {
  const queue = await bench.queue(shape.name);
  const filled = await bench.fill(
    queue,
    partitionNames(shape.partitions),
    bench.pick(shape.stored),
    bench.pick({ tiny: 20, normal: 1000 }),
  );
  const outcome = await bench.load({
    actors: [
      {
        kind: "pop",
        name: "consumer",
        queue,
        group: "reader",
        endlessGroups: !bench.checks,
        batch: bench.pick({ tiny: Math.min(shape.batch, 50), normal: shape.batch }),
        connections: bench.pick({ tiny: 4, normal: shape.connections }),
        ack: shape.ack,
        segments: shape.segments,
        stop: bench.checks ? { messages: sum(Object.values(filled.checks.pushed)) } : undefined,
      },
    ],
  });
  if (bench.checks) await bench.compare(queue, "reader", filled.checks, outcome.checks);
  const acks = bench.figures(outcome, "consumer.ack");
  const rate = acks.messages / outcome.windowSeconds;
  return [
    bench.row(outcome, "consumer.ack", "consumer.pop", {
      scenario: shape.name,
      label: shape.about,
      aim: shape.aim,
      met: rate >= shape.rateAim,
      limit: await bench.limit("read", shape.batch, shape.connections),
      note: `ack p50 ${acks.p50Ms.toFixed(1)} ms, p99 ${acks.p99Ms.toFixed(1)} ms`,
      parameters: { batch: shape.batch, connections: shape.connections, partitions: shape.partitions },
    }),
  ];
}

/** All rows. */
export const popAckScenarios: Scenario[] = SHAPES.map((shape) => ({
  name: shape.name,
  about: shape.about,
  run: (bench) => runPopAck(bench, shape),
}));
