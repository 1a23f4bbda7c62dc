/** The push rows of the design's table: how many messages a request carries, over how many connections. */

import { type Bench, partitionNames } from "../bench.ts";
import type { Row, Scenario } from "../scenario.ts";

interface PushShape {
  name: string;
  about: string;
  perRequest: number;
  connections: number;
  partitions: number;
  aim: string;
  /** Messages a second, or null when the aim is a latency. */
  rateAim: number | null;
  p50AimMs: number | null;
  tinyMessages: number;
}

const SHAPES: PushShape[] = [
  {
    name: "push-1000",
    about: "push, 1,000 messages a request",
    perRequest: 1000,
    connections: 8,
    partitions: 10,
    aim: "500,000 msg/s",
    rateAim: 500_000,
    p50AimMs: null,
    tinyMessages: 10_000,
  },
  {
    name: "push-100",
    about: "push, 100 messages a request, 50 connections, 100 partitions",
    perRequest: 100,
    connections: 50,
    partitions: 100,
    aim: "250,000 msg/s",
    rateAim: 250_000,
    p50AimMs: null,
    tinyMessages: 10_000,
  },
  {
    name: "push-1",
    about: "push, 1 message a request, 50 connections",
    perRequest: 1,
    connections: 50,
    partitions: 10,
    aim: "20,000 msg/s",
    rateAim: 20_000,
    p50AimMs: null,
    tinyMessages: 1_000,
  },
  {
    name: "push-latency",
    about: "push, 1 message a request, 1 connection",
    perRequest: 1,
    connections: 1,
    partitions: 10,
    aim: "p50 < 1.5 ms",
    rateAim: null,
    p50AimMs: 1.5,
    tinyMessages: 100,
  },
];

async function runPush(bench: Bench, shape: PushShape): Promise<Row[]> {
  const queue = await bench.queue(shape.name);
  const before = await bench.tableBytes();
  const partitions = partitionNames(shape.partitions);
  const messages = bench.pick<number | null>({ tiny: shape.tinyMessages, normal: null });
  const outcome = await bench.load({
    actors: [
      {
        kind: "push",
        name: "producer",
        queue,
        partitions,
        perRequest: shape.perRequest,
        connections: shape.connections,
        stop: messages === null ? undefined : { messages },
      },
    ],
  });
  const stored = await bench.tableBytes();
  await bench.drainAndCompare(queue, outcome.checks);
  const figures = bench.figures(outcome, "producer.push");
  const rate = figures.messages / outcome.windowSeconds;
  return [
    bench.row(outcome, "producer.push", "producer.push", {
      scenario: shape.name,
      label: shape.about,
      aim: shape.aim,
      met: shape.rateAim !== null ? rate >= shape.rateAim : figures.p50Ms < shape.p50AimMs!,
      diskBytesPerMessage: (stored - before) / outcome.pushedInAll,
      limit: await bench.limit("insert", shape.perRequest, shape.connections),
      parameters: { perRequest: shape.perRequest, connections: shape.connections, partitions: shape.partitions },
    }),
  ];
}

/** All push rows. */
export const pushScenarios: Scenario[] = SHAPES.map((shape) => ({
  name: shape.name,
  about: shape.about,
  run: (bench) => runPush(bench, shape),
}));
