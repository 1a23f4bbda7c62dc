/**
 * What is kept of campaigns: a line each in `tests/faults/results`, and a table for eyes.
 *
 * @module
 */
import { execFileSync } from "node:child_process";
import { appendFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import type { CampaignResult } from "./campaign.ts";

const FOLDER = join(import.meta.dirname, "..", "results");

/** @returns The value below which the given share of the values lies; NaN when there are none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

function commitNow(): string {
  const git = (...args: string[]) => execFileSync("git", args, { cwd: FOLDER, encoding: "utf8" }).trim();
  return `${git("rev-parse", "--short", "HEAD")}${git("status", "--porcelain", "-uno") === "" ? "" : "+"}`;
}

/** Appends a campaign to the file of the day. The commit has a `+` when the working tree differs from it. */
export function keep({ recoveryMs, violations, seconds, files: _, ...rest }: CampaignResult): void {
  mkdirSync(FOLDER, { recursive: true });
  const date = new Date().toISOString();
  const line = {
    ...rest,
    violations: violations.length,
    recoveryMsP50: Math.round(quantile(recoveryMs, 0.5)),
    recoveryMsMax: Math.round(Math.max(...recoveryMs)),
    seconds: Math.round(seconds),
    commit: commitNow(),
    date,
  };
  appendFileSync(join(FOLDER, `${date.slice(0, 10)}.jsonl`), `${JSON.stringify(line)}\n`);
}

const HEAD = ["fault", "times", "violations", "recovery p50", "max", "messages", "deliveries", "seconds"];

/** @returns A table of campaigns, a line each. */
export function table(results: readonly CampaignResult[]): string {
  const rows = results.map((result) => [
    result.fault,
    String(result.recoveryMs.length),
    String(result.violations.length),
    `${Math.round(quantile(result.recoveryMs, 0.5))} ms`,
    `${Math.round(Math.max(...result.recoveryMs))} ms`,
    String(result.messages),
    String(result.deliveries),
    String(Math.round(result.seconds)),
  ]);
  const widths = HEAD.map((head, at) => Math.max(head.length, ...rows.map((row) => row[at]!.length)));
  const line = (cells: readonly string[]) =>
    cells.map((cell, at) => (at === 0 ? cell.padEnd(widths[at]!) : cell.padStart(widths[at]!))).join("  ");
  return [HEAD, ...rows].map(line).join("\n");
}
