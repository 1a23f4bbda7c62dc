/** Latency from the sending of a push to the arrival of its message at a consumer that was waiting for it. */

import { type Bench, partitionNames } from "../bench.ts";
import type { Row, Scenario } from "../scenario.ts";

const PUSHES_PER_SECOND = 100;

async function run(bench: Bench): Promise<Row[]> {
  const queue = await bench.queue("long-poll");
  const stop = bench.checks ? { messages: 50 } : undefined;
  const consumers = 4;
  const outcome = await bench.load({
    actors: [
      {
        kind: "pop",
        name: "consumer",
        queue,
        group: "waiter",
        batch: 10,
        connections: consumers,
        ack: "auto",
        waitMs: 30_000,
        stop,
      },
      {
        kind: "push",
        name: "producer",
        queue,
        partitions: partitionNames(10),
        perRequest: 1,
        connections: 4,
        pacePerSecond: PUSHES_PER_SECOND,
        timed: true,
        stop,
      },
    ],
  });
  if (bench.checks) await bench.compare(queue, "waiter", outcome.checks, outcome.checks);
  const delivery = bench.figures(outcome, "consumer.delivery");
  const push = bench.figures(outcome, "producer.push");
  return [
    bench.row(outcome, "consumer.delivery", "consumer.delivery", {
      scenario: "long-poll",
      label: `push to parked long poll, ${PUSHES_PER_SECOND} msg/s`,
      aim: "p50 < 3 ms, p99 < 10 ms",
      met: delivery.p50Ms < 3 && delivery.p99Ms < 10 && delivery.messages > 0,
      limit: await bench.limit("insert", 1, 1),
      note: `push itself p50 ${push.p50Ms.toFixed(1)} ms, longest delivery ${delivery.maxMs.toFixed(1)} ms`,
      parameters: { pushesPerSecond: PUSHES_PER_SECOND, consumers },
    }),
  ];
}

/** See the module. */
export const longPoll: Scenario = { name: "long-poll", about: "push to parked long poll at 100 msg/s", run };
