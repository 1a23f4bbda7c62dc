/**
 * Says of the samples of a long run whether they are flat. Computed, not looked at: over the second half of the run, the
 * median of the slopes between all pairs of samples (Theil and Sen), which single peaks do not move, times the length of
 * that half is how much a measure grew.
 *
 * @module
 */

import { figure } from "./chart.ts";

/** One look: seconds since the load began, and every measure by name. */
export interface Sample {
  atS: number;
  values: Record<string, number>;
}

/** How much a measure may grow over the second half: the larger of a share of its median and an amount. */
interface Bound {
  pattern: RegExp;
  share: number;
  amount: number;
  /** `fall`: growing smaller is what is bad. */
  direction?: "fall";
}

/** The first that matches holds. Measures that match none are shown and not judged. */
const BOUNDS: readonly Bound[] = [
  { pattern: /^pushed_per_s$|^delivered_per_s$/, share: 0.1, amount: 0, direction: "fall" },
  { pattern: /^(push|pop|ack|delivery|listing)_p50_ms$/, share: 0.5, amount: 5 },
  { pattern: /^(push|pop|ack|delivery|listing)_p99_ms$/, share: 0.75, amount: 50 },
  { pattern: /^server_rss_mb$|^postgres_private_mb$/, share: 0.1, amount: 32 },
  { pattern: /^database_mb$/, share: 0.15, amount: 16 },
  { pattern: /^table_.*_mb$/, share: 0.2, amount: 8 },
  { pattern: /^dead_rows$/, share: 0.5, amount: 20_000 },
  { pattern: /^rows_(segments|dead_letters|transaction_keys)$/, share: 0.15, amount: 2_000 },
  { pattern: /^backlog$/, share: 0.5, amount: 5_000 },
  { pattern: /^loop_lag_avg_ms$/, share: 0.5, amount: 5 },
];

/** Measures with a ceiling instead of a slope, because they move in steps that are longer than a run. */
export interface Ceilings {
  wal_mb?: number;
  postgres_shared_mb?: number;
}

/** What is said of one measure. */
export interface Finding {
  measure: string;
  /** Growth over the second half, in the measure's unit; for a ceiling the highest value. */
  grew: number;
  bound: number;
  flat: boolean;
}

/** Runs shorter than this are still warming up in their second half: nothing is said about growth. */
export const JUDGED_FROM_S = 300;

/**
 * Judges every measure that has a bound.
 *
 * @param samples - In order of time; fewer than 8 give no findings.
 * @param ceilings - Largest values allowed.
 */
export function judge(samples: readonly Sample[], ceilings: Ceilings = {}): Finding[] {
  const last = samples.at(-1);
  if (last === undefined || samples.length < 8) return [];
  const halfS = (last.atS - samples[0]!.atS) / 2;
  const second = samples.filter(({ atS }) => atS >= samples[0]!.atS + halfS);
  const findings: Finding[] = [];
  for (const measure of Object.keys(last.values)) {
    const ceiling = ceilings[measure as keyof Ceilings];
    const points = second.flatMap(({ atS, values }) => {
      const value = values[measure];
      return value === undefined || !Number.isFinite(value) ? [] : [{ atS, value }];
    });
    if (points.length < 4) continue;
    if (ceiling !== undefined) {
      const highest = Math.max(...points.map(({ value }) => value));
      findings.push({ measure, grew: highest, bound: ceiling, flat: highest <= ceiling });
      continue;
    }
    const found = judgeSlope(measure, points, halfS);
    if (found !== null) findings.push(found);
  }
  return findings;
}

function judgeSlope(measure: string, points: { atS: number; value: number }[], halfS: number): Finding | null {
  const rule = BOUNDS.find(({ pattern }) => pattern.test(measure));
  if (rule === undefined) return null;
  const grew = medianSlope(points) * halfS;
  const bound = Math.max(rule.amount, Math.abs(median(points.map(({ value }) => value))) * rule.share);
  return { measure, grew, bound, flat: rule.direction === "fall" ? grew >= -bound : grew <= bound };
}

/** @returns Units a second. */
export function medianSlope(points: readonly { atS: number; value: number }[]): number {
  const slopes: number[] = [];
  for (let late = 1; late < points.length; late++) {
    for (let early = 0; early < late; early++) {
      const seconds = points[late]!.atS - points[early]!.atS;
      if (seconds > 0) slopes.push((points[late]!.value - points[early]!.value) / seconds);
    }
  }
  return median(slopes);
}

/** @returns The median; 0 of nothing. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const at = Math.floor(sorted.length / 2);
  if (sorted.length === 0) return 0;
  return sorted.length % 2 === 1 ? sorted[at]! : (sorted[at - 1]! + sorted[at]!) / 2;
}

/** A finding in words. */
export function findingText({ measure, grew, bound, flat }: Finding, isCeiling: boolean): string {
  const what = isCeiling
    ? `highest ${figure(grew)}, may be ${figure(bound)}`
    : `grew ${figure(grew)}, may ${figure(bound)}`;
  return `${flat ? "flat " : "GROWS"} ${measure.padEnd(26)} ${what}`;
}
