/**
 * `bun run soak [minutes]`: a server under 70 % of what it can do, for long, with retention on. Ends with 0 when nothing
 * grew, nothing failed, and every message came to every group once; with 1 otherwise. Ctrl-C ends the load early.
 *
 * @module
 */

import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Presets, SingleBar } from "cli-progress";
import { Command } from "commander";
import { figure } from "./chart.ts";
import { csvText, passed, reportText } from "./report.ts";
import { runSoak } from "./soak.ts";
import type { Sample } from "./verdict.ts";

interface Flags {
  load: string;
  workers: string;
  retention: string;
  sample?: string;
  capacity: string;
  out?: string;
}

const SAMPLE_S_MAX = 10;

function readCommandLine(): { minutes: number; flags: Flags } {
  const command = new Command("soak")
    .description("Runs a server for long at a share of its capacity and says whether anything grows.")
    .argument("[minutes]", "length of the load; fractions are allowed", "60")
    .option("--load <share>", "share of the capacity that is offered", "0.7")
    .option("--workers <n>", "worker threads of the server", "2")
    .option("--retention <seconds>", "age at which messages are deleted", "60")
    .option("--sample <seconds>", "time between two looks; 10, less for short runs")
    .option("--capacity <seconds>", "length of the closed loop that finds the capacity", "30")
    .option("--out <folder>", "for samples.csv and report.txt; one in the temporary folder otherwise")
    .parse();
  return { minutes: number(command.args[0] ?? "60", "minutes"), flags: command.opts<Flags>() };
}

function number(text: string, name: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0) throw new Error(`${name} must be a number above 0, not ${text}`);
  return value;
}

/** Ctrl-C ends the load; a second one ends at once. */
function stopSignal(): AbortSignal {
  const controller = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      if (controller.signal.aborted) process.exit(1);
      console.error("\nending early");
      controller.abort();
    });
  }
  return controller.signal;
}

function progressBar(seconds: number): { update: (doneS: number, text: string) => void; stop: () => void } {
  const bar = new SingleBar(
    { format: "{bar} {percentage} %  {text}", hideCursor: true, noTTYOutput: true, notTTYSchedule: 60_000 },
    Presets.shades_classic,
  );
  bar.start(Math.ceil(seconds), 0, { text: "" });
  return { update: (doneS, text) => bar.update(Math.min(seconds, doneS), { text }), stop: () => bar.stop() };
}

function sampleText(sample: Sample | null): string {
  if (sample === null) return "";
  const { pushed_per_s, push_p99_ms, server_rss_mb, database_mb, backlog, errors } = sample.values;
  const parts = [
    `${figure(pushed_per_s!)} msg/s`,
    `push p99 ${figure(push_p99_ms!)} ms`,
    `server ${figure(server_rss_mb!)} MB`,
    `database ${figure(database_mb!)} MB`,
    `backlog ${figure(backlog!)}`,
    `errors ${errors}`,
  ];
  return parts.join(", ");
}

async function main(): Promise<number> {
  const { minutes, flags } = readCommandLine();
  const seconds = minutes * 60;
  const capacitySeconds = number(flags.capacity, "--capacity");
  const out = flags.out ?? mkdtempSync(join(tmpdir(), "queen-soak-"));
  mkdirSync(out, { recursive: true });
  const stop = stopSignal();
  const bar = progressBar(capacitySeconds + seconds);
  const report = await runSoak({
    seconds,
    workers: number(flags.workers, "--workers"),
    load: number(flags.load, "--load"),
    retentionSeconds: Math.max(2, number(flags.retention, "--retention")),
    sampleSeconds: flags.sample === undefined ? Math.min(SAMPLE_S_MAX, seconds / 20) : number(flags.sample, "--sample"),
    capacitySeconds,
    stop,
    progress: (phase, doneS, sample) => {
      const text =
        sample === null ? { capacity: "finding the capacity", drain: "draining", load: "" }[phase] : sampleText(sample);
      bar.update(phase === "capacity" ? doneS : capacitySeconds + (phase === "drain" ? seconds : doneS), text);
    },
  }).finally(() => bar.stop());
  const text = reportText(report);
  writeFileSync(join(out, "samples.csv"), csvText(report.samples));
  writeFileSync(join(out, "report.txt"), text);
  console.log(`\n${text}Samples and this report are in ${out}`);
  return passed(report) ? 0 : 1;
}

process.exitCode = await main().catch((error: unknown) => {
  console.error(`The soak failed: ${error instanceof Error ? error.message : String(error)}`);
  return 1;
});
