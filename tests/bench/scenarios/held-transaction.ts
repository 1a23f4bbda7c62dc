/**
 * The whole life of messages while another session holds a transaction open, so that vacuum can remove nothing that died
 * since. It is the same queue all along: what died lies in its rows and indexes. 10 minutes with `--full`, shorter otherwise.
 */

import type { Bench } from "../bench.ts";
import type { LoadOutcome } from "../loader.ts";
import type { Row, Scenario } from "../scenario.ts";
import { playWholeLife } from "./whole-life.ts";

const SHARE_AIM = 0.9;

function row(bench: Bench, outcome: LoadOutcome, label: string, rest: Partial<Row>): Row {
  return bench.row(outcome, "consumer.ack", "producer.push", { scenario: "held-transaction", label, aim: "", ...rest });
}

async function run(bench: Bench): Promise<Row[]> {
  const seconds = bench.options.seconds;
  const heldSeconds = bench.pick({ tiny: 0, short: bench.options.seconds, normal: 60, full: 600 });
  const queue = await bench.queue("held");
  const free = await playWholeLife(bench, queue, seconds);
  const session = await bench.sql.reserve();
  try {
    await session`begin isolation level repeatable read`;
    // A snapshot and a transaction id of its own: both keep dead rows from being removed.
    await session`select pg_current_xact_id()`;
    await playWholeLife(bench, queue, heldSeconds);
    const held = await playWholeLife(bench, queue, seconds);
    const rate = (outcome: LoadOutcome) => bench.figures(outcome, "consumer.ack").messages / outcome.windowSeconds;
    const share = rate(held) / rate(free);
    return [
      row(bench, free, "whole life, no transaction held", {}),
      row(bench, held, `whole life, a transaction held for ${heldSeconds + seconds} s`, {
        aim: "0.9 of it after 10 min",
        met: bench.options.size === "full" ? share >= SHARE_AIM : null,
        note: `${share.toFixed(2)} of it${bench.options.size === "full" ? "" : "; 10 minutes with --full"}`,
        parameters: { heldSeconds: heldSeconds + seconds, share },
      }),
    ];
  } finally {
    await session`rollback`;
    session.release();
  }
}

/** See the module. */
export const heldTransaction: Scenario = {
  name: "held-transaction",
  about: "the whole-life row while another session holds a transaction open (10 minutes with --full)",
  run,
};
