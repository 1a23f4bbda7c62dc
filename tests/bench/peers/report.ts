/**
 * Turns the rounds of the peers' bench into one table, and says where a peer beats this server.
 *
 * @module
 */

import type { Row } from "../scenario.ts";
import { type Column, formatNumber, layOutTable } from "../table.ts";
import type { ClientReport, Mode, PhaseFigures, PhaseName } from "./peer.ts";
import { PHASES } from "./peer.ts";
import type { Peer } from "./run.ts";

/** All rounds of one peer in one mode. */
export interface Rounds {
  peer: Peer;
  mode: Mode;
  messages: number;
  reports: ClientReport[];
  /** Why there are no reports. */
  reason: string;
}

/** Medians over rounds. */
export interface Medians {
  /** Messages a second by phase. */
  rate: Record<PhaseName, number>;
  /** Processor microseconds for pushing a message and for taking and acknowledging it, together. */
  clientUs: number;
  serverUs: number;
}

const MODE_WORDS: Record<Mode, string> = { batch: "batches", single: "one at a time" };

const COLUMNS: Column[] = [
  { heading: "peer", numeric: false },
  { heading: "how", numeric: false },
  { heading: "version", numeric: false },
  { heading: "push msg/s", numeric: true },
  { heading: "take+ack msg/s", numeric: true },
  { heading: "whole msg/s", numeric: true },
  { heading: "to us", numeric: true },
  { heading: "client us", numeric: true },
  { heading: "server us", numeric: true },
  { heading: "order", numeric: false },
  { heading: "durability", numeric: false },
  { heading: "note", numeric: false },
];

/**
 * Finds the middle value.
 *
 * @param values - At least one.
 * @returns The median; the mean of the middle two of an even number.
 */
export function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/**
 * Condenses rounds.
 *
 * @param rounds - Of one peer in one mode.
 * @returns Medians, or null when there is no report.
 */
export function mediansOf(rounds: Rounds): Medians | null {
  if (rounds.reports.length === 0) return null;
  const over = (value: (report: ClientReport) => number) => median(rounds.reports.map(value));
  return {
    rate: Object.fromEntries(PHASES.map((phase) => [phase, over((report) => rateOf(report, phase))])) as Record<
      PhaseName,
      number
    >,
    clientUs: over((report) => perMessage(report, (figures) => figures.clientCpuSeconds)),
    serverUs: over((report) => perMessage(report, (figures) => figures.serverCpuSeconds + figures.databaseCpuSeconds)),
  };
}

/**
 * Lays out the table. `to us` is a peer's whole rate divided by this server's in the same mode.
 *
 * @param all - Every peer and mode, this server first in each mode.
 * @returns An aligned table.
 */
export function peersTable(all: Rounds[]): string {
  return layOutTable(
    COLUMNS,
    all.map((rounds) => {
      const medians = mediansOf(rounds);
      const how = MODE_WORDS[rounds.mode];
      if (medians === null) return [rounds.peer.name, how, "", "-", "-", "-", "-", "-", "-", "", "", rounds.reason];
      const us = mediansOf(ours(all, rounds.mode));
      const last = rounds.reports.at(-1)!;
      return [
        rounds.peer.name,
        how,
        last.version,
        ...PHASES.map((phase) => formatNumber(medians.rate[phase])),
        us === null ? "-" : (medians.rate.whole / us.rate.whole).toFixed(3),
        formatNumber(medians.clientUs),
        formatNumber(medians.serverUs),
        rounds.peer.ordered.includes(rounds.mode) ? "by key" : "none",
        last.durability,
        noteOf(rounds),
      ];
    }),
  );
}

/**
 * Shows what every round measured.
 *
 * @param all - Every peer and mode.
 * @returns A line for each: rates by phase and round, and the cores that other programs kept busy meanwhile.
 */
export function rawLines(all: Rounds[]): string {
  return all
    .filter(({ reports }) => reports.length > 0)
    .map(({ peer, mode, reports }) => {
      const rates = PHASES.map((phase) => {
        const values = reports.map((report) => {
          const others = figuresOf(report, phase).othersCpuSeconds / figuresOf(report, phase).seconds;
          return `${formatNumber(rateOf(report, phase))} (${others.toFixed(1)})`;
        });
        return `${phase} ${values.join(" ")}`;
      });
      return `${peer.name}, ${MODE_WORDS[mode]}: ${rates.join("; ")}`;
    })
    .join("\n");
}

/**
 * Says where a peer beats this server.
 *
 * @param all - Every peer and mode.
 * @returns A sentence for each figure in which a peer is better, or one that says that there is none.
 */
export function winsOfPeers(all: Rounds[]): string[] {
  const wins: string[] = [];
  for (const rounds of all) {
    const theirs = mediansOf(rounds);
    const us = mediansOf(ours(all, rounds.mode));
    if (theirs === null || us === null || rounds.peer.on === "queen") continue;
    const who = `${rounds.peer.name}, ${MODE_WORDS[rounds.mode]},`;
    const caveat = /WEAKER/.test(rounds.reports.at(-1)!.durability) ? ", with weaker durability" : "";
    for (const phase of PHASES) {
      const [a, b] = [theirs.rate[phase], us.rate[phase]];
      if (a <= b) continue;
      const figures = `${formatNumber(a)} against ${formatNumber(b)} msg/s`;
      wins.push(`${who} is ${(a / b).toFixed(2)} times as fast at ${phase}: ${figures}${caveat}.`);
    }
    for (const [field, words] of [
      ["clientUs", "client"],
      ["serverUs", "server and database"],
    ] as const) {
      const [a, b] = [theirs[field], us[field]];
      if (a < b)
        wins.push(
          `${who} needs less processor time in the ${words}: ${formatNumber(a)} against ${formatNumber(b)} us a message${caveat}.`,
        );
    }
  }
  return wins.length > 0 ? wins : ["No peer was better in any of these figures."];
}

/**
 * Makes rows for the file of results.
 *
 * @param all - Every peer and mode.
 * @returns One row each; peers that did not run have no rate.
 */
export function resultRows(all: Rounds[]): Row[] {
  return all.map((rounds) => {
    const medians = mediansOf(rounds);
    return {
      scenario: "peers",
      label: `${rounds.peer.name}, ${MODE_WORDS[rounds.mode]}`,
      messagesPerSecond: medians?.rate.whole ?? null,
      p50Ms: null,
      p99Ms: null,
      cpuUs: null,
      othersCores: null,
      diskBytesPerMessage: null,
      limit: null,
      aim: "",
      met: null,
      note: noteOf(rounds),
      parameters: { messages: rounds.messages, medians, rounds: rounds.reports },
    };
  });
}

function ours(all: Rounds[], mode: Mode): Rounds {
  return all.find((rounds) => rounds.peer.on === "queen" && rounds.mode === mode)!;
}

function noteOf({ reports, messages, reason, peer }: Rounds): string {
  if (reports.length === 0) return reason;
  return [
    peer.share < 1 ? `${formatNumber(messages)} messages` : "",
    reports.some(({ cut }) => cut) ? "cut by the clock" : "",
    reason,
  ]
    .filter((part) => part !== "")
    .join(", ");
}

function figuresOf(report: ClientReport, phase: PhaseName): PhaseFigures {
  return report.phases.find((figures) => figures.phase === phase)!;
}

function rateOf(report: ClientReport, phase: PhaseName): number {
  const { messages, seconds } = figuresOf(report, phase);
  return messages / seconds;
}

function perMessage(report: ClientReport, seconds: (figures: PhaseFigures) => number): number {
  const cost = (phase: PhaseName) => {
    const figures = figuresOf(report, phase);
    return (seconds(figures) * 1e6) / Math.max(1, figures.messages);
  };
  return cost("push") + cost("take");
}
