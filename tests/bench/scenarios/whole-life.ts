/**
 * Everything at once: producers push 100 a request, consumers pop 100 and acknowledge them. Producers wait while more
 * than a fixed number of messages is undelivered, so the rate is what the server sustains, and the backlog must be flat.
 */

import { type Bench, partitionNames } from "../bench.ts";
import type { Actor } from "../load/protocol.ts";
import type { LoadOutcome } from "../loader.ts";
import type { Row, Scenario } from "../scenario.ts";

const PER_REQUEST = 100;
const PARTITIONS = 100;
const RATE_AIM = 250_000;
const BACKLOG_MAX = 100_000;

/**
 * Plays the whole life of messages once; the `held-transaction` scenario plays it too.
 *
 * @param bench - Server.
 * @param queue - An empty queue.
 * @param seconds - Length of the window; not looked at in tiny runs, which end by count.
 * @returns What the load saw; `producer.push`, `consumer.pop` and `consumer.ack` are its figures.
 * @throws {Error} when a check failed.
 */
export async function playWholeLife(bench: Bench, queue: string, seconds: number): Promise<LoadOutcome> {
  const stop = bench.checks ? { messages: 10_000 } : undefined;
  const connections = bench.pick({ tiny: 4, normal: 25 });
  const actors: Actor[] = [
    {
      kind: "push",
      name: "producer",
      queue,
      partitions: partitionNames(PARTITIONS),
      perRequest: PER_REQUEST,
      connections,
      backlogMax: BACKLOG_MAX,
      stop,
    },
    {
      kind: "pop",
      name: "consumer",
      queue,
      group: "reader",
      batch: PER_REQUEST,
      connections,
      ack: "batch",
      waitMs: 2000,
      stop,
    },
  ];
  const outcome = await bench.load({ actors, seconds: bench.checks ? undefined : seconds });
  if (bench.checks) await bench.compare(queue, "reader", outcome.checks, outcome.checks);
  return outcome;
}

/**
 * Says whether the backlog grew: its mean over the last quarter against its mean over the second.
 *
 * @param backlog - One sample a second.
 * @returns True when it did not grow beyond a tenth plus a thousand messages.
 */
export function isFlat(backlog: number[]): boolean {
  const quarter = Math.max(1, Math.floor(backlog.length / 4));
  const mean = (samples: number[]) =>
    samples.reduce((total, sample) => total + sample, 0) / Math.max(1, samples.length);
  return mean(backlog.slice(-quarter)) <= mean(backlog.slice(quarter, quarter * 2)) * 1.1 + 1000;
}

async function run(bench: Bench): Promise<Row[]> {
  const queue = await bench.queue("whole-life");
  const before = await bench.tableBytes();
  const seconds = Math.max(bench.options.seconds, bench.pick({ tiny: 0, short: 0, normal: 60 }));
  const outcome = await playWholeLife(bench, queue, seconds);
  const stored = await bench.tableBytes();
  const acked = bench.figures(outcome, "consumer.ack");
  const rate = acked.messages / outcome.windowSeconds;
  const flat = isFlat(outcome.backlog);
  const waited = `producers waited ${(outcome.throttled * 100).toFixed(0)} %`;
  return [
    bench.row(outcome, "consumer.ack", "producer.push", {
      scenario: "whole-life",
      label: `push 100, pop 100, ack, all at once, ${bench.checks ? "10,000 messages" : `${seconds} s`}`,
      aim: "250,000 msg/s, flat",
      met: rate >= RATE_AIM && flat,
      diskBytesPerMessage: (stored - before) / outcome.pushedInAll,
      limit: await bench.limit("insert", PER_REQUEST, 25),
      note: `backlog ${flat ? "flat" : "grew"} (last ${outcome.backlog.at(-1) ?? 0}), ${waited}, pop p99 ${bench.figures(outcome, "consumer.pop").p99Ms.toFixed(1)} ms`,
      parameters: {
        perRequest: PER_REQUEST,
        partitions: PARTITIONS,
        seconds,
        backlogMax: BACKLOG_MAX,
        backlog: outcome.backlog,
      },
    }),
  ];
}

/** See the module. */
export const wholeLife: Scenario = {
  name: "whole-life",
  about: "push 100, pop 100 and ack, all at once for 60 s",
  run,
};
