/**
 * Runs scenarios on two servers in turn: one load generator, one machine, the order reversed every round.
 *
 * @module
 */

import { Bench, type BenchOptions } from "../bench.ts";
import type { Row, Scenario } from "../scenario.ts";
import type { Round } from "./ratios.ts";
import type { Source } from "./revision.ts";

/** The two servers, and how often each is asked. */
export interface Comparison {
  base: Source;
  candidate: Source;
  /** Windows on each server, 1 or more. */
  rounds: number;
  /** Starts both servers again before every round: what luck a process had with its memory and its compiler then shows in the spread. */
  fresh: boolean;
  options: BenchOptions;
  /** Called as rounds begin. */
  onRound?: (round: number) => void;
}

/**
 * Compares two servers in one scenario.
 *
 * @param scenario - Runs once per server and round, on queues of its own each time.
 * @param comparison - See {@link Comparison}.
 * @returns The rounds of each row that both servers gave in every round.
 * @throws {Error} when a server does not start or a run fails. Nothing is left running then.
 */
export async function compare(scenario: Scenario, comparison: Comparison): Promise<Round[][]> {
  const given: { base: Row[]; candidate: Row[] }[] = [];
  let pair: Pair | null = null;
  try {
    for (let round = 0; round < comparison.rounds; round++) {
      comparison.onRound?.(round);
      if (comparison.fresh) {
        await pair?.stop();
        pair = null;
      }
      if (pair === null) {
        pair = await startPair(comparison);
        // What is not compiled yet, or cached for the first time, belongs to no measurement.
        if (comparison.options.size !== "tiny") await playRound(scenario, pair, round);
      }
      given.push(await playRound(scenario, pair, round));
    }
  } finally {
    await pair?.stop();
  }
  const rows = Math.min(...given.flatMap(({ base, candidate }) => [base.length, candidate.length]));
  return Array.from({ length: rows }, (_, row) =>
    given.map(({ base, candidate }) => ({ base: base[row]!, candidate: candidate[row]! })),
  );
}

interface Pair {
  base: Bench;
  candidate: Bench;
  stop(): Promise<void>;
}

async function startPair({ base, candidate, options }: Comparison): Promise<Pair> {
  const first = await Bench.start({ ...options, root: base.root });
  let second: Bench;
  try {
    second = await Bench.start({ ...options, root: candidate.root });
  } catch (error) {
    await first.stop();
    throw error;
  }
  const stop = async () => {
    await Promise.all([first.stop(), second.stop()]);
  };
  return { base: first, candidate: second, stop };
}

async function playRound(scenario: Scenario, pair: Pair, round: number): Promise<{ base: Row[]; candidate: Row[] }> {
  if (round % 2 === 0) {
    const base = await scenario.run(pair.base);
    return { base, candidate: await scenario.run(pair.candidate) };
  }
  const candidate = await scenario.run(pair.candidate);
  return { base: await scenario.run(pair.base), candidate };
}
