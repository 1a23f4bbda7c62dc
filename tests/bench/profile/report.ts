/**
 * Writes a profile for people: processor microseconds a message by stage.
 *
 * @module
 */

import { formatNumber, layOutTable } from "../table.ts";
import type { Profile } from "./profile.ts";
import { type Side, STAGES } from "./stages.ts";

const STATEMENTS_MAX = 10;
const FUNCTIONS_MAX = 12;
const STATEMENT_LENGTH_MAX = 90;
const SAMPLE_SECONDS = 0.001;

/** Microseconds a message by what they were for. */
export type Costs = [what: string, us: number][];

/**
 * Splits what a message costs on one side of the server.
 *
 * @param profile - The profile.
 * @param side - Router or workers.
 * @returns Stages in the order of a message's life, then what was outside JavaScript: their sum is the side's cost in the run
 *   without samplers. Where samplers counted more than the processor time, because the thread had to wait for a core, all are
 *   scaled down and nothing is known to be outside.
 */
export function stageCosts(profile: Profile, side: Side): Costs {
  const us = profile.plain.cpuUs![side];
  const samples = profile.javaScript[side];
  const inside = samples.total * SAMPLE_SECONDS;
  const whole = Math.max(profile.cpu[side], inside, Number.MIN_VALUE);
  const costs = STAGES.flatMap((stage): Costs => {
    const count = samples.stages.get(stage) ?? 0;
    return count === 0 ? [] : [[stage, (us * count * SAMPLE_SECONDS) / whole]];
  });
  return [...costs, ["outside JavaScript", (us * (whole - inside)) / whole]];
}

/**
 * Writes the whole profile.
 *
 * @param profile - The profile.
 * @returns Text of several tables.
 */
export function profileText(profile: Profile): string {
  return [
    headingText(profile),
    sideText(profile, "router"),
    sideText(profile, "workers"),
    sharesText("helpers, by thread", profile.helpers, profile.plain.cpuUs!.helpers),
    perfText(profile, "postgres", "PostgreSQL, by work (perf, innermost function)"),
    sharesText("PostgreSQL, by session", profile.backends, profile.plain.cpuUs!.postgres),
    databaseText(profile),
  ].join("\n\n");
}

function headingText({ plain, sampled }: Profile): string {
  const cpu = plain.cpuUs!;
  const total = (row: typeof plain) =>
    row.cpuUs!.router + row.cpuUs!.workers + row.cpuUs!.helpers + row.cpuUs!.postgres;
  return [
    `${plain.scenario}: ${plain.label}`,
    `processor us a message: router ${formatNumber(cpu.router)}, workers ${formatNumber(cpu.workers)}, helpers ${formatNumber(cpu.helpers)}, PostgreSQL ${formatNumber(cpu.postgres)}`,
    `samplers made it ${((total(sampled) / total(plain) - 1) * 100).toFixed(0)} % dearer; cores busy with other programs ${plain.othersCores?.toFixed(1)}, ${sampled.othersCores?.toFixed(1)}`,
  ].join("\n");
}

function sideText(profile: Profile, side: Side): string {
  const functions = [...profile.javaScript[side].functions].sort((a, b) => b[1] - a[1]).slice(0, FUNCTIONS_MAX);
  const { total } = profile.javaScript[side];
  const top = functions.map(([name, count]) => shareLine(count / Math.max(1, total), name));
  return [
    costText(`${side}, by stage (samples of JavaScript: ${total})`, stageCosts(profile, side)),
    `${side}, functions:`,
    ...top,
    perfText(profile, side, `${side}, by perf`),
  ].join("\n");
}

function shareLine(share: number, name: string): string {
  return `  ${(share * 100).toFixed(1).padStart(5)} %  ${name}`;
}

function costText(heading: string, costs: Costs): string {
  const whole = costs.reduce((total, [, us]) => total + us, 0);
  const cells = costs.map(([what, us]) => [what, formatNumber(us), `${((us / whole) * 100).toFixed(0)} %`]);
  const columns = [
    { heading, numeric: false },
    { heading: "us/msg", numeric: true },
    { heading: "share", numeric: true },
  ];
  return layOutTable(columns, cells);
}

function perfText({ perf, plain }: Profile, group: "router" | "workers" | "postgres", heading: string): string {
  const found = perf?.get(group);
  if (found === undefined) return `${heading}: perf is not here, or may not look`;
  const us = plain.cpuUs![group];
  const table = costText(
    `${heading}; ${found.samples} samples`,
    found.shares.map(([what, share]) => [what, share * us]),
  );
  const functions = group === "postgres" ? found.functions.slice(0, FUNCTIONS_MAX) : [];
  return [table, ...functions.map(([name, share]) => shareLine(share, name))].join("\n");
}

function sharesText(heading: string, seconds: Map<string, number>, us: number): string {
  const whole = [...seconds.values()].reduce((total, one) => total + one, 0);
  const costs = [...seconds].map(([what, one]): [string, number] => [
    what,
    (us * one) / Math.max(whole, Number.MIN_VALUE),
  ]);
  return costText(
    heading,
    costs.filter(([, cost]) => cost > us / 200).sort((a, b) => b[1] - a[1]),
  );
}

function databaseText({ database, sampled, seconds }: Profile): string {
  const messages = Math.max(1, sampled.messagesPerSecond! * seconds);
  const { wal, statements } = database;
  const cells = statements
    .slice(0, STATEMENTS_MAX)
    .map((one) => [
      formatNumber((one.execMs * 1000) / messages),
      formatNumber((one.execMs * 1000) / one.calls),
      formatNumber((one.calls / messages) * 1000),
      formatNumber(one.rows / one.calls),
      formatNumber(one.walBytes / messages),
      formatNumber(one.bufferHits / one.calls),
      one.top ? "" : "in a function",
      one.text.slice(0, STATEMENT_LENGTH_MAX),
    ]);
  const columns = ["us/msg", "us/call", "calls/1000 msg", "rows/call", "WAL B/msg", "buffers/call"]
    .map((heading) => ({ heading, numeric: true }))
    .concat([
      { heading: "where", numeric: false },
      { heading: "statement (time on the clock)", numeric: false },
    ]);
  const flushes =
    wal.flushes === null ? "flushes not known" : `${formatNumber(wal.flushes / seconds)} flushes a second`;
  return [
    layOutTable(columns, cells),
    `log: ${formatNumber(wal.bytes / messages)} bytes and ${formatNumber(wal.records / messages)} records a message, ${formatNumber(wal.fullPages)} full pages, ${flushes}`,
  ].join("\n");
}
