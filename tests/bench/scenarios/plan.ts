/**
 * The benchmark of the performance plan, as its authors ran it: 100,000 small messages in ten requests at once, then ten
 * consumers of one partition each. One wave of ten pops decides the figure. Acknowledgements are not awaited there; a
 * second run awaits them, and both count duplicates, of which there must be none.
 */

import { type Bench, partitionNames } from "../bench.ts";
import type { LoadOutcome } from "../loader.ts";
import type { Row, Scenario } from "../scenario.ts";

const PARTITIONS = 10;

async function runOne(bench: Bench, awaited: boolean): Promise<Row[]> {
  const perRequest = bench.pick({ tiny: 200, normal: 10_000 });
  const messages = perRequest * PARTITIONS;
  const queue = `bench-plan-${awaited ? "awaited" : "unawaited"}`;
  await bench.call("DELETE", `/api/v1/resources/queues/${queue}`);
  await bench.call("POST", "/api/v1/configure", {
    queue,
    namespace: "benchmark",
    options: { leaseTime: 10, retryLimit: 3 },
  });
  const partitions = partitionNames(PARTITIONS);
  const once = { warmupSeconds: 0, seconds: 60 };
  const pushed = await bench.load({
    ...once,
    actors: [
      {
        kind: "push",
        name: "producer",
        queue,
        partitions,
        perRequest,
        connections: PARTITIONS,
        numbered: true,
        stop: { messages },
      },
    ],
  });
  const popped = await bench.load({
    ...once,
    actors: [
      {
        kind: "pop",
        name: "consumer",
        queue,
        partitions,
        group: "",
        batch: 10_000,
        connections: PARTITIONS,
        ack: awaited ? "batch" : "unawaited",
        waitMs: 5_000,
        consecutive: true,
        stop: { messages },
      },
    ],
  });
  if (bench.checks) await bench.compare(queue, "__QUEUE_MODE__", pushed.checks, popped.checks);
  return [pushRow(bench, pushed), popRow(bench, popped, awaited)];
}

function pushRow(bench: Bench, pushed: LoadOutcome): Row {
  return bench.row(pushed, "producer.push", "producer.push", {
    scenario: "plan",
    label: "plan's producer: 10 requests of 10,000 at once",
    aim: "",
  });
}

function popRow(bench: Bench, popped: LoadOutcome, awaited: boolean): Row {
  const { messages } = bench.figures(popped, "consumer.pop");
  const slowest = popped.consumerBusyMs.reduce((longest, ms) => Math.max(longest, ms), 0) / 1000;
  const { wrong } = popped;
  return {
    ...bench.row(popped, "consumer.pop", "consumer.pop", {
      scenario: "plan",
      label: `plan's consumer: 10 pops of 10,000, ack ${awaited ? "awaited" : "not awaited"}`,
      aim: "1,500,000 msg/s (10 cores)",
      note: `${wrong} duplicates or gaps; by wall clock ${Math.round(messages / popped.windowSeconds).toLocaleString("en-US")} msg/s`,
    }),
    messagesPerSecond: messages / slowest,
  };
}

async function run(bench: Bench): Promise<Row[]> {
  return [...(await runOne(bench, false)), ...(await runOne(bench, true))];
}

/** See the module. */
export const plan: Scenario = {
  name: "plan",
  about: "the performance plan's own benchmark, with and without awaited acks",
  run,
};
