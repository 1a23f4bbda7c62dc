/**
 * `bun run bench:compare REV [scenario...]`: this tree against a revision, or with `OLD..NEW` one revision against another, as
 * ratios. Absolute figures of a shared machine mean little; what two servers did in turn within minutes can be divided.
 *
 * @module
 */

import { Command } from "commander";
import { allScenarios } from "../scenarios/all.ts";
import { compare } from "./compare.ts";
import { ratioText } from "./ratios.ts";
import { findSource, type Source } from "./revision.ts";

const SCENARIOS = ["push-1000", "push-1", "pop-1000", "pop-ack-1", "whole-life"];

interface Flags {
  seconds: string;
  rounds: string;
  seed: string;
  workers?: string;
  fresh?: boolean;
  tiny?: boolean;
  raw?: boolean;
}

function readCommandLine(): { revisions: string; names: string[]; flags: Flags } {
  const command = new Command("bench:compare")
    .description("Compares the server of this tree with one of another revision; prints new / old.")
    .argument("<revision>", "what to compare this tree with, or OLD..NEW; folders with a server's files will do, too")
    .argument("[scenario...]", `scenarios by name (default: ${SCENARIOS.join(", ")})`)
    .option("--seconds <n>", "length of a measured window", "2")
    .option("--rounds <n>", "windows on each server", "6")
    .option("--seed <n>", "seed of payloads and choices", "1")
    .option("--workers <n>", "worker threads of both servers; their own choice when absent")
    .option("--fresh", "start both servers again before every round")
    .option("--raw", "also print the rows that were divided, as JSON")
    .option("--tiny", "small counts with all checks on: shows that it works, measures nothing")
    .parse();
  const [revisions = "", ...names] = command.args;
  return { revisions, names: names.length > 0 ? names : SCENARIOS, flags: command.opts<Flags>() };
}

async function main(): Promise<boolean> {
  const { revisions, names, flags } = readCommandLine();
  const scenarios = names.map((name) => {
    const scenario = allScenarios.find((candidate) => candidate.name === name);
    if (scenario === undefined) throw new Error(`no scenario is named ${name}; see bun run bench --list`);
    return scenario;
  });
  const [old = "", recent = ""] = revisions.split("..");
  const sources: Source[] = [];
  let sound = true;
  try {
    const base = await findSource(old);
    sources.push(base);
    const candidate = await findSource(recent);
    sources.push(candidate);
    console.log(`${candidate.name} / ${base.name}, windows of ${flags.seconds} s`);
    for (const scenario of scenarios) {
      const comparison = {
        base,
        candidate,
        rounds: Math.max(1, Number(flags.rounds)),
        fresh: flags.fresh === true,
        options: {
          size: flags.tiny ? ("tiny" as const) : ("short" as const),
          seconds: Number(flags.seconds),
          workers: flags.workers === undefined ? undefined : Number(flags.workers),
          seed: Number(flags.seed),
        },
        onRound: (round: number) => console.error(`${scenario.name}: round ${round + 1} of ${flags.rounds}`),
      };
      try {
        for (const rounds of await compare(scenario, comparison)) {
          console.log(`\n${ratioText(rounds)}`);
          if (flags.raw) for (const round of rounds) console.log(JSON.stringify(round));
        }
      } catch (error) {
        sound = false;
        console.log(`\nFAILED ${scenario.name}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
  } finally {
    for (const source of sources) await source.remove();
  }
  return sound;
}

process.exit((await main()) ? 0 : 1);
