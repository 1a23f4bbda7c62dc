/**
 * Profiles side by side, as a table of a document: what a message costs by stage.
 *
 * @module
 */

import { formatNumber } from "../table.ts";
import type { Profile } from "./profile.ts";
import { type Costs, stageCosts } from "./report.ts";
import type { Side } from "./stages.ts";

type Reader = (profile: Profile) => number;

const LINES: [line: string, read: Reader][] = [
  ["router: HTTP and socket, outside JavaScript", stage("router", "outside JavaScript")],
  ["router: take the body, route", stage("router", "receive", "route")],
  ["router: send", stage("router", "send")],
  ["router: the runtime where it calls us (requests, promises, timers)", stage("router", "runtime")],
  ["hand over between threads, router", stage("router", "hand over")],
  ["hand over between threads, worker", stage("workers", "hand over")],
  ["parse and validate (one walk)", stage("workers", "parse and validate")],
  ["rules: batching, dedup, cursors, leases", stage("workers", "rules")],
  ["encode: bodies and keys of segments", stage("workers", "encode")],
  ["compress", stage("workers", "compress")],
  ["driver: build statements, read rows", stage("workers", "driver")],
  ["driver: socket", stage("workers", "driver socket")],
  ["decompress", stage("workers", "decompress")],
  ["decode: find messages in segments", stage("workers", "decode")],
  ["render answers", stage("workers", "render")],
  ["worker: promises, event loop, the rest outside JavaScript", stage("workers", "runtime", "outside JavaScript")],
  ["helpers: garbage collection, compilation, freed memory", ({ plain }) => plain.cpuUs!.helpers],
  ["PostgreSQL: execute", (profile) => postgres(profile, (what) => !/^kernel|^WAL/.test(what))],
  ["PostgreSQL: WAL and its flush", (profile) => postgres(profile, (what) => /^WAL|flush/.test(what))],
  ["PostgreSQL: files, sockets, waking, page faults", (profile) => postgres(profile, isOtherKernel)],
  ["**all**", ({ plain }) => sum(Object.entries(plain.cpuUs!).filter(([part]) => part !== "load"))],
  ["of which the kernel: page faults of router and workers", pageFaults],
];

function stage(side: Side, ...names: string[]): Reader {
  return (profile) => sum(stageCosts(profile, side).filter(([what]) => names.includes(what)));
}

function postgres({ plain, perf }: Profile, matches: (what: string) => boolean): number {
  const shares = perf?.get("postgres")?.shares;
  return shares === undefined ? Number.NaN : sum(shares.filter(([what]) => matches(what))) * plain.cpuUs!.postgres;
}

function isOtherKernel(what: string): boolean {
  return what.startsWith("kernel") && !what.includes("flush");
}

function pageFaults({ plain, perf }: Profile): number {
  const sides = (["router", "workers"] as const).map((side): [string, number] => {
    const share = perf?.get(side)?.shares.find(([what]) => what === "kernel: page faults")?.[1] ?? 0;
    return [side, share * plain.cpuUs![side]];
  });
  return perf === null ? Number.NaN : sum(sides);
}

function sum(costs: Costs): number {
  return costs.reduce((total, [, us]) => total + us, 0);
}

/**
 * Writes profiles side by side.
 *
 * @param profiles - One column each.
 * @returns A table of Markdown; `?` for what needs perf where there is none.
 */
export function summaryText(profiles: Profile[]): string {
  const row = (cells: string[]) => `| ${cells.join(" | ")} |`;
  return [
    row(["processor µs a message", ...profiles.map(({ plain }) => plain.scenario)]),
    row(["---", ...profiles.map(() => "---:")]),
    ...LINES.map(([line, read]) => row([line, ...profiles.map((profile) => cell(read(profile)))])),
  ].join("\n");
}

function cell(us: number): string {
  if (Number.isNaN(us)) return "?";
  return us === 0 ? "" : formatNumber(Number(us.toPrecision(2)));
}
