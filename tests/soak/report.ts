/**
 * A soak's report: a CSV of the samples, and text for people.
 *
 * @module
 */

import { figure, sparkline } from "./chart.ts";
import type { SoakReport } from "./soak.ts";
import { findingText, median, type Sample } from "./verdict.ts";

/** @returns The samples as CSV, a column a measure. */
export function csvText(samples: readonly Sample[]): string {
  const names = Object.keys(samples.at(-1)?.values ?? {});
  const rows = samples.map(({ atS, values }) => [atS.toFixed(1), ...names.map((name) => cell(values[name]))].join(","));
  return `${[["seconds", ...names].join(","), ...rows].join("\n")}\n`;
}

function cell(value: number | undefined): string {
  return value === undefined || !Number.isFinite(value) ? "" : String(Number(value.toPrecision(6)));
}

/** Share of the retention that a delivery may be late before messages may have been deleted unseen. */
const OVERDUE = 0.8;

/** Whether the run passed: no error, the sums hold, and, when it was long enough, everything is flat. */
export function passed({ problems, findings, judgesGrowth, samples }: SoakReport): boolean {
  if (problems.length > 0 || samples.length === 0) return false;
  return !judgesGrowth || findings.every(({ flat }) => flat);
}

/** @returns Charts and verdict, many lines. */
export function reportText(report: SoakReport): string {
  const { capacityPerS, offeredPerS, seconds, pushed, delivered, deadLetters, buffered, expired } = report;
  const lines = [
    `${figure(seconds / 60)} minutes; capacity ${figure(capacityPerS)} msg/s, offered ${figure(offeredPerS)} msg/s`,
    `${figure(pushed)} messages pushed, ${figure(delivered)} deliveries, ${figure(deadLetters)} dead letters, ` +
      `${figure(expired)} deleted by retention, ${figure(buffered)} buffered on disk meanwhile`,
    "",
    ...chartLines(report.samples),
    "",
    "Over the second half: the median slope between all pairs of samples, times its length.",
    ...report.findings.map((finding) => `  ${findingText(finding, finding.measure in report.ceilings)}`),
    "",
    ...report.problems.slice(0, 40).map((problem) => `WRONG ${problem}`),
    ...overloadLines(report),
    ...report.complaints.slice(-10).map((line) => `the server said ${line}`),
    verdictLine(report),
  ];
  return `${lines.join("\n")}\n`;
}

/** Retention by age does not wait for consumers: a machine that falls that far behind loses what it promised to delete. */
function overloadLines({ retentionSeconds, samples }: SoakReport): string[] {
  const slowestMs = Math.max(0, ...samples.map(({ values }) => values.delivery_p99_ms ?? 0).filter(Number.isFinite));
  if (slowestMs < retentionSeconds * 1000 * OVERDUE) return [];
  return [
    `deliveries were up to ${figure(slowestMs / 1000)} s late, and retention deletes after ${retentionSeconds} s whatever was not consumed: ` +
      "the machine could not carry the load that was offered (it had other work, or had it not while the capacity was found)",
  ];
}

function chartLines(samples: readonly Sample[]): string[] {
  const names = Object.keys(samples.at(-1)?.values ?? {});
  const head = `${"".padEnd(26)} ${"lowest".padStart(9)} ${"median".padStart(9)} ${"highest".padStart(9)}`;
  const lines = names.flatMap((name) => {
    const values = samples.map((sample) => sample.values[name] ?? Number.NaN).filter(Number.isFinite);
    if (values.length === 0 || values.every((value) => value === 0)) return [];
    const numbers = [Math.min(...values), median(values), Math.max(...values)].map((v) => figure(v).padStart(9));
    return [`${name.padEnd(26)} ${numbers.join(" ")}  ${sparkline(values)}`];
  });
  return [head, ...lines];
}

function verdictLine(report: SoakReport): string {
  const growing = report.findings.filter(({ flat }) => !flat).map(({ measure }) => measure);
  const sums = report.problems.length === 0 ? "every message came to every group once, no error" : "something is WRONG";
  if (!report.judgesGrowth) return `${sums}; too short to judge growth: ${passed(report) ? "PASSED" : "FAILED"}`;
  const flat = growing.length === 0 ? "everything is flat" : `growing: ${growing.join(", ")}`;
  return `${sums}; ${flat}: ${passed(report) ? "PASSED" : "FAILED"}`;
}
