/**
 * Keeps results: one JSON line per row, in a file per day.
 *
 * @module
 */

import { execFileSync } from "node:child_process";
import { appendFileSync, mkdirSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { join } from "node:path";
import type { BenchOptions } from "./bench.ts";
import type { Row } from "./scenario.ts";
import { type Column, formatNumber, layOutTable } from "./table.ts";

const FOLDER = new URL("./results/", import.meta.url).pathname;

const COLUMNS: Column[] = [
  { heading: "scenario", numeric: false },
  { heading: "what", numeric: false },
  { heading: "msg/s", numeric: true },
  { heading: "p50 ms", numeric: true },
  { heading: "p99 ms", numeric: true },
  { heading: "router", numeric: true },
  { heading: "workers", numeric: true },
  { heading: "helpers", numeric: true },
  { heading: "postgres", numeric: true },
  { heading: "load", numeric: true },
  { heading: "others", numeric: true },
  { heading: "disk B", numeric: true },
  { heading: "bare loop", numeric: true },
  { heading: "aim", numeric: false },
  { heading: "met", numeric: false },
  { heading: "note", numeric: false },
];

/**
 * Lays out rows for people. Columns from `router` to `load` are processor microseconds per message.
 *
 * @param rows - In order.
 * @returns An aligned table.
 */
export function resultTable(rows: Row[]): string {
  const cells = rows.map((row) => [
    row.scenario,
    row.label,
    formatNumber(row.messagesPerSecond),
    formatNumber(row.p50Ms),
    formatNumber(row.p99Ms),
    ...(["router", "workers", "helpers", "postgres", "load"] as const).map((part) =>
      formatNumber(row.cpuUs?.[part] ?? null),
    ),
    row.othersCores === null ? "-" : row.othersCores.toFixed(1),
    formatNumber(row.diskBytesPerMessage),
    formatNumber(row.limit),
    row.aim,
    row.met === null ? "" : row.met ? "yes" : "no",
    row.note,
  ]);
  return layOutTable(COLUMNS, cells);
}

/**
 * Appends rows to today's file.
 *
 * @param rows - In order.
 * @param options - How the bench was run.
 * @returns Path of the file.
 */
export function appendResults(rows: Row[], options: BenchOptions): string {
  mkdirSync(FOLDER, { recursive: true });
  const at = new Date().toISOString();
  const file = join(FOLDER, `${at.slice(0, 10)}.jsonl`);
  const common = { at, commit: commit(), machine: machine(), runtime: `bun ${Bun.version}`, ...options };
  appendFileSync(file, rows.map((row) => `${JSON.stringify({ ...common, ...row })}\n`).join(""));
  return file;
}

/** The commit checked out, with `+` behind it when files differ from it. */
function commit(): string {
  const git = (...args: string[]) => execFileSync("git", args, { cwd: FOLDER, encoding: "utf8" }).trim();
  try {
    return (
      git("rev-parse", "--short=12", "HEAD") + (git("status", "--porcelain", "--untracked-files=no") === "" ? "" : "+")
    );
  } catch {
    return "unknown";
  }
}

function machine(): { cpu: string; cores: number; memoryGb: number } {
  const all = cpus();
  return { cpu: all[0]?.model ?? "unknown", cores: all.length, memoryGb: Math.round(totalmem() / 2 ** 30) };
}
