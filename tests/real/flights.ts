/**
 * `bun run example:flights [--all] [--url http://...]`
 *
 * Sends real flights through a queue, partitioned by the airport they leave from, and reads them in two consumer groups
 * at once; {@link ./replay.ts} has the story. Starts a server of its own unless it is given the address of one. Ends
 * with 0 when every proof holds, and with 1 otherwise.
 *
 * @module
 */

import { MultiBar, Presets, type SingleBar } from "cli-progress";
import { Command } from "commander";
import { startServer } from "../bench/process.ts";
import { threeMillionFlights, twentyThousandFlights } from "./flight-data.ts";
import { replayFlights, stages } from "./replay.ts";

const command = new Command("flights")
  .description(
    "Replays real flights through a queue to two consumer groups and proves that nothing was lost or doubled.",
  )
  .option("--all", "3,000,000 flights, partitioned by day, instead of 20,000 by airport")
  .option("--url <url>", "a running server; without it the example starts one of its own")
  .parse();
const { all, url } = command.opts<{ all?: boolean; url?: string }>();

/** One bar per stage, added when the stage begins. */
function progressBars(): {
  update: (stage: keyof typeof stages, count: number, total: number) => void;
  stop: () => void;
} {
  const format = "{bar} {percentage} %  {value}/{total}  {stage}";
  const bars = new MultiBar(
    { format, hideCursor: true, clearOnComplete: false, noTTYOutput: true, notTTYSchedule: 5000 },
    Presets.shades_classic,
  );
  const byStage = new Map<string, SingleBar>();
  return {
    update: (stage, count, total) => {
      const bar = byStage.get(stage) ?? bars.create(total, 0, { stage: stages[stage] });
      byStage.set(stage, bar);
      bar.update(count);
    },
    stop: () => {
      if (bars.isActive) bars.stop();
    },
  };
}

async function main(): Promise<number> {
  const source = await (all ? threeMillionFlights() : twentyThousandFlights());
  const server = url === undefined ? await startServer() : null;
  const bars = progressBars();
  const startedAt = performance.now();
  try {
    const report = await replayFlights({
      url: url?.replace(/\/$/, "") ?? server!.url,
      queue: "flights",
      source,
      partitionOf: (flight) => (all ? flight.date.slice(0, 10).replaceAll("/", "-") : flight.origin),
      progress: bars.update,
    });
    bars.stop();
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
    console.log(`\n${report.flights} flights in ${report.partitions} partitions, ${seconds} s. The busiest airports:`);
    for (const line of report.statistics.busiest(5)) console.log(`  ${line}`);
    if (report.problems.length > 0) {
      console.error(`\nNOT PROVEN:\n  ${report.problems.join("\n  ")}`);
      return 1;
    }
    console.log(
      "\nProven: each group saw every flight exactly once, in order within each partition, and the delays by airport",
    );
    console.log("equal those computed from the file.");
    return 0;
  } finally {
    bars.stop();
    await server?.stop();
  }
}

process.exitCode = await main().catch((error: unknown) => {
  console.error(`The example failed: ${error instanceof Error ? error.message : String(error)}`);
  return 1;
});
