/**
 * `bun run bench:profile SCENARIO...`: where the processor time of a scenario goes.
 *
 * @module
 */

import { Command } from "commander";
import { checkOut, workingTree } from "../compare/revision.ts";
import { allScenarios } from "../scenarios/all.ts";
import { type Profile, profileScenario } from "./profile.ts";
import { profileText } from "./report.ts";
import { summaryText } from "./summary.ts";

interface Flags {
  seconds: string;
  seed: string;
  workers?: string;
  revision?: string;
}

const command = new Command("bench:profile")
  .description(
    "Profiles the server under a scenario: JavaScript by stage, the kernel by system call, PostgreSQL by statement.",
  )
  .argument("<scenario...>", "scenarios by name; see bun run bench --list")
  .option("--seconds <n>", "length of each of the two windows", "5")
  .option("--seed <n>", "seed of payloads and choices", "1")
  .option("--workers <n>", "worker threads of the server; its own choice when absent")
  .option("--revision <rev>", "profile a revision instead of the tree, which must not change meanwhile")
  .parse();
const flags = command.opts<Flags>();
const source = flags.revision === undefined ? workingTree : await checkOut(flags.revision);
const profiles: Profile[] = [];
for (const name of command.args) {
  const scenario = allScenarios.find((candidate) => candidate.name === name);
  if (scenario === undefined) throw new Error(`no scenario is named ${name}; see bun run bench --list`);
  const profile = await profileScenario(scenario, {
    size: "short",
    seconds: Number(flags.seconds),
    workers: flags.workers === undefined ? undefined : Number(flags.workers),
    seed: Number(flags.seed),
    root: source.root,
  });
  profiles.push(profile);
  console.log(`${profileText(profile)}\n`);
}
await source.remove();
console.log(summaryText(profiles));
process.exit(0);
