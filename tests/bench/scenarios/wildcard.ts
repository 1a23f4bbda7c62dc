/**
 * A pop on a whole queue with very many partitions of which about ten have messages. All partitions were used and
 * emptied before, so every one of them has a cursor of the group.
 */

import { type Bench, partitionNames } from "../bench.ts";
import { seededRandom } from "../load/payloads.ts";
import type { Row, Scenario } from "../scenario.ts";

const PER_SETUP_REQUEST = 1000;
const HOT_PARTITIONS = 10;

async function prepare(bench: Bench, queue: string, partitions: string[]): Promise<number> {
  const startedAt = performance.now();
  const messages = partitions.length;
  const perRequest = Math.min(PER_SETUP_REQUEST, partitions.length);
  const common = { tag: "s", warmupSeconds: 0, seconds: 1800 };
  await bench.load({
    ...common,
    actors: [
      {
        kind: "push",
        name: "setup",
        queue,
        partitions,
        partitionsPerRequest: perRequest,
        perRequest,
        connections: 2,
        stop: { messages },
      },
    ],
  });
  await bench.load({
    ...common,
    actors: [
      {
        kind: "pop",
        name: "empty",
        queue,
        group: "reader",
        batch: perRequest,
        partitionsPerPop: perRequest,
        connections: 2,
        ack: "auto",
        stop: { messages },
      },
    ],
  });
  return (performance.now() - startedAt) / 1000;
}

async function run(bench: Bench): Promise<Row[]> {
  const count = bench.pick({ tiny: 200, normal: 50_000, full: 1_000_000 });
  const queue = await bench.queue("wildcard");
  const partitions = partitionNames(count);
  const setupSeconds = await prepare(bench, queue, partitions);
  const random = seededRandom(bench.options.seed);
  const hot = Array.from({ length: HOT_PARTITIONS }, () => partitions[Math.floor(random() * count)]!);
  const stop = bench.checks ? { messages: 200 } : undefined;
  const outcome = await bench.load({
    actors: [
      {
        kind: "push",
        name: "producer",
        queue,
        partitions: [...new Set(hot)],
        perRequest: 1,
        // Of two that stop together one may push a message more, which nobody is left to take.
        connections: bench.checks ? 1 : 2,
        backlogMax: HOT_PARTITIONS,
        stop,
      },
      {
        kind: "pop",
        name: "consumer",
        queue,
        group: "reader",
        batch: 1,
        connections: 2,
        ack: "auto",
        waitMs: 1000,
        stop,
      },
    ],
  });
  if (bench.checks) await bench.compare(queue, "reader", outcome.checks, outcome.checks);
  const pops = bench.figures(outcome, "consumer.pop");
  return [
    bench.row(outcome, "consumer.pop", "consumer.pop", {
      scenario: "wildcard",
      label: `wildcard pop among ${count.toLocaleString("en-US")} partitions, ${HOT_PARTITIONS} with messages`,
      aim: "p99 < 10 ms at 1,000,000",
      met: count === 1_000_000 ? pops.p99Ms < 10 : null,
      limit: await bench.limit("read", 1, 2),
      note: `setup took ${setupSeconds.toFixed(0)} s, longest pop ${pops.maxMs.toFixed(1)} ms${count < 1_000_000 ? "; 1,000,000 with --full" : ""}`,
      parameters: { partitions: count, hot: HOT_PARTITIONS, setupSeconds },
    }),
  ];
}

/** See the module. */
export const wildcard: Scenario = {
  name: "wildcard",
  about: "wildcard pop among many partitions (1,000,000 with --full)",
  run,
};
