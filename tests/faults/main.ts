/**
 * `bun run test:faults [names...]`: the long form of the fault campaigns. Prints a table, appends a line for each campaign to
 * `tests/faults/results`, and ends with 1 when there was a violation.
 *
 * @module
 */
import process from "node:process";
import { Command, InvalidArgumentError } from "commander";
import { runSeed } from "../support/random.ts";
import { stopServers } from "../support/server.ts";
import { type CampaignResult, runCampaign } from "./campaign/campaign.ts";
import type { Fault } from "./campaign/fault.ts";
import { keep, table } from "./campaign/report.ts";
import { FAULTS } from "./kinds/all.ts";
import { main as overload } from "./overload/main.ts";

interface Options {
  times?: number;
  seed: number;
  short?: true;
  list?: true;
  keep: boolean;
}

/** Violations that are printed of each campaign. */
const VIOLATIONS_SHOWN = 12;

function whole(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError("expected a whole number from 1 on");
  return value;
}

function chosen(names: readonly string[]): readonly Fault[] {
  const unknown = names.filter((name) => !FAULTS.some((fault) => fault.name === name));
  if (unknown.length > 0) throw new Error(`no fault is named ${unknown.join(", ")}; see --list`);
  return names.length === 0 ? FAULTS : FAULTS.filter(({ name }) => names.includes(name));
}

/** Runs one campaign and tells how it goes. @returns Null when it could not be run here. */
async function run(fault: Fault, { times, seed, short, keep: kept }: Options): Promise<CampaignResult | null> {
  const reason = (await fault.unable?.()) ?? null;
  if (reason !== null) {
    process.stdout.write(`${fault.name}: not tried here: ${reason}\n`);
    return null;
  }
  process.stdout.write(`${fault.name}: ${fault.what}, seed ${seed}\n`);
  const result = await runCampaign({
    ...{ fault, form: short ? "short" : "long", seed },
    ...(times === undefined ? {} : { times }),
    onInjection: (done, ms) => process.stdout.write(`  ${done}: recovered in ${Math.round(ms)} ms\n`),
  });
  for (const violation of result.violations.slice(0, VIOLATIONS_SHOWN)) process.stdout.write(`  ${violation}\n`);
  for (const file of result.files) process.stdout.write(`  history: bun run check:history ${file}\n`);
  if (kept) keep(result);
  return result;
}

async function main(names: string[], options: Options): Promise<void> {
  const faults = chosen(names);
  if (options.list) {
    for (const { name, what } of faults) process.stdout.write(`${name.padEnd(32)} ${what}\n`);
    return;
  }
  const results: CampaignResult[] = [];
  let failed = false;
  for (const fault of faults) {
    try {
      const result = await run(fault, options);
      if (result !== null) results.push(result);
      failed ||= (result?.violations.length ?? 0) > 0;
    } catch (error) {
      failed = true;
      process.stdout.write(`  ${fault.name} failed: ${error instanceof Error ? error.message : error}\n`);
      await stopServers();
    }
  }
  if (results.length > 0) process.stdout.write(`\n${table(results)}\n`);
  process.exit(failed ? 1 : 0);
}

// Not a fault that is injected and heals, but load: it has options and figures of its own.
if (process.argv[2] === "overload") process.exit(await overload(process.argv.slice(3)));

// Without this a campaign that is broken off leaves its servers running.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));

await new Command("test:faults")
  .description(
    "Injects faults under load, many times each, and checks all that clients saw. `overload --help`: three times what the server can do.",
  )
  .argument("[names...]", "faults; all unless told")
  .option("--times <n>", "injections of each fault", whole)
  .option("--seed <n>", "for all random choices; MODEL_SEED or the clock unless told", whole, runSeed())
  .option("--short", "as in CI")
  .option("--no-keep", "append nothing to tests/faults/results")
  .option("--list", "only list the faults")
  .action(main)
  .parseAsync();
