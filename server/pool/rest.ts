/**
 * How fast workers that keep dying are replaced.
 *
 * @module
 */

/** Pause before the second rapid restart, doubled from death to death; the first restart is immediate. */
const REST_MS_MIN = 100;
/** Longest pause: also how long the pool needs to notice that a database is back. */
const REST_MS_MAX = 10_000;

/**
 * Pause before a dead worker is replaced.
 *
 * @param rapidDeaths - Deaths in a row, this one included, each soon after the start; 1 or more.
 * @returns Milliseconds: 0 after the first, then doubling from 100 to 10,000.
 */
export function restBeforeRestart(rapidDeaths: number): number {
  return rapidDeaths <= 1 ? 0 : Math.min(REST_MS_MAX, REST_MS_MIN * 2 ** (rapidDeaths - 2));
}
