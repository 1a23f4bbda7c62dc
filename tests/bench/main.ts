/**
 * `bun run bench [scenario...]`: runs scenarios, each on a server and database of its own, and prints their table.
 *
 * @module
 */

import { Command } from "commander";
import { Bench, type BenchOptions } from "./bench.ts";
import { appendResults, resultTable } from "./results.ts";
import type { Row, Scenario } from "./scenario.ts";
import { allScenarios } from "./scenarios/all.ts";

interface Flags {
  seconds: string;
  seed: string;
  workers?: string;
  tiny?: boolean;
  full?: boolean;
  list?: boolean;
  results: boolean;
}

function readCommandLine(): { names: string[]; flags: Flags } {
  const command = new Command("bench")
    .description("Measures the server: message rates, latencies, processor time per message, bytes on disk.")
    .argument("[scenario...]", "scenarios by name; all of them when none is named")
    .option("--seconds <n>", "length of a measured window", "10")
    .option("--seed <n>", "seed of payloads and choices", "1")
    .option("--workers <n>", "worker threads of the server; its own choice when absent")
    .option("--tiny", "small counts with all checks on, as in the test suite")
    .option("--full", "sizes of the design's table: a million partitions, ten minutes of a held transaction")
    .option("--list", "name the scenarios and end")
    .option("--no-results", "do not append to tests/bench/results")
    .parse();
  return { names: command.args, flags: command.opts<Flags>() };
}

async function runScenario(scenario: Scenario, options: BenchOptions): Promise<Row[]> {
  const bench = await Bench.start(options);
  try {
    return await scenario.run(bench);
  } catch (error) {
    for (const line of bench.server.complaints.slice(-10)) console.error(line);
    throw error;
  } finally {
    await bench.stop();
  }
}

async function main(): Promise<void> {
  const { names, flags } = readCommandLine();
  if (flags.list) {
    for (const scenario of allScenarios) console.log(`${scenario.name.padEnd(18)}${scenario.about}`);
    return;
  }
  const unknown = names.filter((name) => !allScenarios.some((scenario) => scenario.name === name));
  if (unknown.length > 0) throw new Error(`no scenario is named ${unknown.join(", ")}; see --list`);
  const options: BenchOptions = {
    size: flags.tiny ? "tiny" : flags.full ? "full" : "normal",
    seconds: Number(flags.seconds),
    workers: flags.workers === undefined ? undefined : Number(flags.workers),
    seed: Number(flags.seed),
  };
  console.log(`size ${options.size}, windows of ${options.seconds} s, seed ${options.seed}`);
  const rows: Row[] = [];
  const failures: string[] = [];
  for (const scenario of allScenarios.filter(({ name }) => names.length === 0 || names.includes(name))) {
    console.error(`${scenario.name}: ${scenario.about} ...`);
    try {
      const got = await runScenario(scenario, options);
      if (flags.results) appendResults(got, options);
      rows.push(...got);
    } catch (error) {
      failures.push(`${scenario.name}: ${error instanceof Error ? error.message : String(error)}`);
      console.error(failures.at(-1));
    }
  }
  console.log(resultTable(rows));
  console.log(
    "router to load: processor microseconds per message; others: cores busy with other programs; bare loop: msg/s of one row per batch with the same driver",
  );
  for (const failure of failures) console.log(`FAILED ${failure}`);
  process.exit(failures.length === 0 ? 0 : 1);
}

await main();
