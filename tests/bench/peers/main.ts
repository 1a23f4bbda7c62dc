/**
 * `bun run bench:peers [peer...]`: the same durable workload against this server and against other queues, in turn on
 * one machine, and one table.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import { Command } from "commander";
import { PAYLOAD_BYTES } from "../bench.ts";
import { appendResults } from "../results.ts";
import type { Mode } from "./peer.ts";
import { peersTable, type Rounds, rawLines, resultRows, winsOfPeers } from "./report.ts";
import { missingProgram, PEERS, type Peer, runPeer, startHost, type Workload } from "./run.ts";

const KEYS = 100;
/** Cores that other programs may keep busy when a run begins. */
const QUIET_CORES = 0.3;
const TICKS_PER_SECOND = 100;

interface Flags {
  messages: string;
  singles: string;
  rounds: string;
  seconds: string;
  quiet: string;
  seed: string;
  mode?: Mode;
  results: boolean;
}

function readCommandLine(): { names: string[]; flags: Flags } {
  const command = new Command("bench:peers")
    .description("Pushes, takes and acknowledges the same messages with this server and with other queues.")
    .argument(
      "[peer...]",
      `peers beside this server; all of them when none is named: ${PEERS.map(({ name }) => name).join(", ")}`,
    )
    .option("--messages <n>", "messages of a run in batches", "100000")
    .option("--singles <n>", "messages of a run one at a time", "20000")
    .option("--rounds <n>", "rounds; every peer runs once in each, and medians are shown", "3")
    .option("--seconds <n>", "longest a phase may take", "30")
    .option(
      "--quiet <n>",
      "seconds to wait, at most, for other programs on this machine to be quiet before a run",
      "10",
    )
    .option("--seed <n>", "seed of payloads", "1")
    .option("--mode <mode>", "only batch, or only single")
    .option("--no-results", "do not append to tests/bench/results")
    .parse();
  return { names: command.args, flags: command.opts<Flags>() };
}

/** Seconds of processor time this machine has spent since it started, over all cores. */
function busySeconds(): number {
  const fields = readFileSync("/proc/stat", "utf8").split("\n")[0]!.trim().split(/\s+/).slice(1).map(Number);
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = fields;
  return (user + nice + system + irq + softirq) / TICKS_PER_SECOND;
}

async function waitForQuiet(secondsMax: number): Promise<void> {
  for (let waited = 0; waited < secondsMax; waited++) {
    const before = busySeconds();
    await Bun.sleep(1000);
    if (busySeconds() - before < QUIET_CORES) return;
  }
}

async function runOnce(rounds: Rounds, workload: Workload): Promise<void> {
  const { peer, mode } = rounds;
  const host = await startHost(peer.on);
  try {
    const report = await runPeer(host, peer, workload);
    rounds.reports.push(report);
    const whole = report.phases.at(-1)!;
    console.error(`${peer.name}, ${mode}: whole ${Math.round(whole.messages / whole.seconds)} msg/s`);
  } finally {
    await host.stop();
  }
}

async function main(): Promise<void> {
  const { names, flags } = readCommandLine();
  const unknown = names.filter((name) => !PEERS.some((peer) => peer.name === name));
  if (unknown.length > 0) throw new Error(`no peer is named ${unknown.join(", ")}`);
  const peers = PEERS.filter(({ name, on }) => on === "queen" || names.length === 0 || names.includes(name));
  const modes = (["batch", "single"] as const).filter((mode) => flags.mode === undefined || flags.mode === mode);
  const count = { batch: Number(flags.messages), single: Number(flags.singles) };
  const all: Rounds[] = modes.flatMap((mode) =>
    peers.map((peer: Peer) => {
      const missing = missingProgram(peer);
      const reason = missing === null ? "" : `${missing} is not installed`;
      return { peer, mode, messages: Math.ceil(count[mode] * peer.share), reports: [], reason };
    }),
  );
  let failed = false;
  for (let round = 0; round < Number(flags.rounds); round++) {
    // Every other round goes backwards, so that none always runs in the shadow of the same neighbour.
    for (const rounds of round % 2 === 0 ? all : all.toReversed()) {
      if (rounds.reason !== "") continue;
      await waitForQuiet(Number(flags.quiet));
      const { mode } = rounds;
      await runOnce(rounds, {
        mode,
        messages: count[mode],
        keys: KEYS,
        payloadBytes: PAYLOAD_BYTES,
        seed: Number(flags.seed) + round,
        secondsMax: Number(flags.seconds),
      }).catch((error: unknown) => {
        failed = true;
        rounds.reason = error instanceof Error ? error.message.slice(0, 300) : String(error);
        console.error(rounds.reason);
      });
    }
  }
  if (flags.results)
    appendResults(resultRows(all), { size: "normal", seconds: Number(flags.seconds), seed: Number(flags.seed) });
  console.log(peersTable(all));
  console.log(
    "\nMedians. to us: whole rate beside this server's. us: processor microseconds for push, take and acknowledgement of a message.",
  );
  console.log(`\nRound by round, with the cores that other programs kept busy:\n${rawLines(all)}`);
  console.log(`\nWhere a peer wins:\n${winsOfPeers(all).join("\n")}`);
  process.exit(failed ? 1 : 0);
}

await main();
