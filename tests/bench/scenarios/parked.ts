/** What long polls cost that wait and get nothing. */

import type { Bench } from "../bench.ts";
import type { Row, Scenario } from "../scenario.ts";

const QUEUES = 100;

async function run(bench: Bench): Promise<Row[]> {
  const polls = bench.pick({ tiny: 50, normal: 1000 });
  const queues: string[] = [];
  for (let index = 0; index < bench.pick({ tiny: 5, normal: QUEUES }); index++)
    queues.push(await bench.queue("parked"));
  const outcome = await bench.load({
    // Polls outlast warm-up and window: what is measured is waiting, not asking again.
    warmupSeconds: bench.pick({ tiny: 0.2, normal: 4 }),
    seconds: bench.pick({ tiny: 1, short: bench.options.seconds, normal: Math.max(20, bench.options.seconds) }),
    actors: [{ kind: "park", name: "waiter", queues, connections: polls, waitMs: 100_000 }],
  });
  const figures = bench.figures(outcome, "waiter.park");
  if (figures.requests > 0) throw new Error(`${figures.requests} long polls of 100 s were answered early`);
  const share = (seconds: number) => (seconds / outcome.windowSeconds) * 100;
  const { cpu } = outcome;
  const server = share(cpu.router + cpu.workers + cpu.helpers);
  const database = share(cpu.postgres);
  return [
    {
      ...bench.row(outcome, "waiter.park", "waiter.park", {
        scenario: "parked",
        label: `${polls.toLocaleString("en-US")} parked long polls on ${queues.length} queues`,
        aim: "< 2 % of one core",
        met: polls === 1000 ? server + database < 2 : null,
        note: `server ${server.toFixed(2)} %, PostgreSQL ${database.toFixed(2)} % of one core`,
        parameters: { polls, queues: queues.length, serverPercent: server, postgresPercent: database },
      }),
      messagesPerSecond: null,
      p50Ms: null,
      p99Ms: null,
      cpuUs: null,
    },
  ];
}

/** See the module. */
export const parked: Scenario = { name: "parked", about: "processor share of 1,000 parked long polls", run };
