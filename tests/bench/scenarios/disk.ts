/** Bytes on disk per message after its whole life, all indexes and side tables included, nothing deleted yet. */

import { type Bench, partitionNames, sum } from "../bench.ts";
import type { Row, Scenario } from "../scenario.ts";

const BYTES_AIM = 60;

async function runOne(bench: Bench, perRequest: number, connections: number, messages: number): Promise<Row> {
  const queue = await bench.queue("disk");
  const before = await bench.tableBytes();
  const pushed = await bench.load({
    warmupSeconds: 0,
    seconds: 600,
    actors: [
      {
        kind: "push",
        name: "producer",
        queue,
        partitions: partitionNames(100),
        perRequest,
        connections,
        stop: { messages },
      },
    ],
  });
  const popped = await bench.load({
    warmupSeconds: 0,
    seconds: 600,
    actors: [
      {
        kind: "pop",
        name: "consumer",
        queue,
        group: "reader",
        batch: 1000,
        partitionsPerPop: 10,
        connections: 4,
        ack: "batch",
        stop: { messages: pushed.pushedInAll },
      },
    ],
  });
  if (bench.checks) await bench.compare(queue, "reader", pushed.checks, popped.checks);
  const bytes = ((await bench.tableBytes()) - before) / pushed.pushedInAll;
  const limit = await bench.limit("insert", perRequest, connections);
  return bench.row(pushed, "producer.push", "producer.push", {
    scenario: "disk",
    label: `disk after push ${perRequest} a request (${connections} connections), pop and ack`,
    aim: "< 60 bytes a message",
    met: bench.checks ? null : bytes < BYTES_AIM,
    diskBytesPerMessage: bytes,
    limit,
    note: `${sum(Object.values(pushed.figures).map((figures) => figures.messages)).toLocaleString("en-US")} messages`,
    parameters: { perRequest, connections, messages },
  });
}

async function run(bench: Bench): Promise<Row[]> {
  return [
    await runOne(
      bench,
      bench.pick({ tiny: 50, normal: 1000 }),
      bench.pick({ tiny: 2, normal: 4 }),
      bench.pick({ tiny: 2_000, normal: 500_000 }),
    ),
    await runOne(
      bench,
      bench.pick({ tiny: 10, normal: 100 }),
      bench.pick({ tiny: 4, normal: 50 }),
      bench.pick({ tiny: 1_000, normal: 500_000 }),
    ),
    await runOne(bench, 1, bench.pick({ tiny: 4, normal: 50 }), bench.pick({ tiny: 200, normal: 50_000 })),
  ];
}

/** See the module. */
export const disk: Scenario = { name: "disk", about: "bytes on disk per message, all indexes included", run };
