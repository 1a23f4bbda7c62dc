/**
 * Ratios between rows that two servers gave in turn. Only what was measured side by side is divided, so what the machine did
 * besides weighs on both alike; what remains of it shows in the spread.
 *
 * @module
 */

import type { Row } from "../scenario.ts";
import { formatNumber, layOutTable } from "../table.ts";

/** One round of one row: what each server gave. */
export interface Round {
  base: Row;
  candidate: Row;
}

/** A quotient candidate / base over all rounds. */
export interface Ratio {
  what: string;
  median: number;
  min: number;
  max: number;
  /** Rounds in which it was above 1, and below. */
  above: number;
  below: number;
  /** Share of the base's processor time that this part is, 0 to 1; null for what is no part of it. */
  share: number | null;
}

const PARTS = ["router", "workers", "helpers", "postgres"] as const;

type Measure = (row: Row) => number | null | undefined;

const MEASURES: [what: string, measure: Measure][] = [
  ["rate", (row) => row.messagesPerSecond],
  ["p50", (row) => row.p50Ms],
  ["p99", (row) => row.p99Ms],
  ["disk", (row) => row.diskBytesPerMessage],
  ["cpu server+db", serverCpuUs],
  ...PARTS.map((part): [string, Measure] => [`cpu ${part}`, (row) => row.cpuUs?.[part]]),
];

function serverCpuUs(row: Row): number | null {
  const { cpuUs } = row;
  return cpuUs === null ? null : PARTS.reduce((total, part) => total + cpuUs[part], 0);
}

/**
 * Divides candidate by base, round by round.
 *
 * @param rounds - At least one.
 * @returns What both servers measured above 0 in every round, in a fixed order.
 */
export function ratiosOf(rounds: Round[]): Ratio[] {
  return MEASURES.flatMap(([what, measure]) => {
    const quotients: number[] = [];
    for (const { base, candidate } of rounds) {
      const [below, above] = [measure(base), measure(candidate)];
      if (!below || !above) return [];
      quotients.push(above / below);
    }
    const share = what.startsWith("cpu ") ? shareOf(rounds, measure) : null;
    return [
      {
        what,
        median: median(quotients),
        min: Math.min(...quotients),
        max: Math.max(...quotients),
        above: quotients.filter((quotient) => quotient > 1).length,
        below: quotients.filter((quotient) => quotient < 1).length,
        share,
      },
    ];
  });
}

function shareOf(rounds: Round[], measure: Measure): number {
  return median(rounds.map(({ base }) => measure(base)! / serverCpuUs(base)!));
}

/**
 * Finds the middle one.
 *
 * @param values - At least one.
 * @returns The mean of the two middle ones when their count is even.
 */
export function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/**
 * Writes the ratios of one row for people.
 *
 * @param rounds - Of this row; at least one.
 * @returns Lines: what it is, then one per ratio with the rounds that agree on which side of 1 it is.
 */
export function ratioText(rounds: Round[]): string {
  const { base } = rounds[0]!;
  const others = (side: keyof Round) => rounds.map((round) => round[side].othersCores ?? 0);
  const heading = [
    `${base.scenario}: ${base.label}`,
    `${rounds.length} rounds; cores busy with other programs: base ${spread(others("base"))}, candidate ${spread(others("candidate"))}`,
  ].join("\n");
  const cells = ratiosOf(rounds).map((ratio) => [
    ratio.what,
    ratio.median.toFixed(3),
    `${ratio.min.toFixed(3)}..${ratio.max.toFixed(3)}`,
    ratio.share === null ? "" : `${formatNumber(Math.round(ratio.share * 100))} %`,
    ratio.above > ratio.below ? `${ratio.above} more` : ratio.below > ratio.above ? `${ratio.below} less` : "",
  ]);
  const columns = [
    { heading: "", numeric: false },
    { heading: "ratio", numeric: true },
    { heading: "min..max", numeric: true },
    { heading: "share", numeric: true },
    { heading: "rounds", numeric: false },
  ];
  return `${heading}\n${layOutTable(columns, cells)}`;
}

function spread(values: number[]): string {
  return `${median(values).toFixed(1)} (${Math.min(...values).toFixed(1)}..${Math.max(...values).toFixed(1)})`;
}
