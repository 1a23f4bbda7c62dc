/**
 * Below which time nothing is ready any more, for each group of a queue. A claim that starts there does not walk over the
 * index entries of everything that was ready before: dead, but not removed for as long as some session anywhere holds an
 * old snapshot.
 *
 * - The *proven* floor: the earliest living entry when the store was last asked, but never younger than
 *   {@link COMMIT_MS_MAX} before that, since a transaction may write a time and commit a little later.
 * - The *likely* floor: what was claimed last. Entries below it are passed over, but a claim that comes back empty-handed is
 *   repeated from the proven floor (from no floor at all when its empty hands are the answer), and each {@link LIKELY_MS}
 *   one starts there anyway.
 *
 * Every {@link PROVEN_MS} everything is looked at again, so that a commit that took longer is found after all.
 *
 * Times of entries are those of the database's clock; ages of what is known here are those of this process.
 *
 * @module
 */

import { cursorNextReady } from "../storage/cursors.ts";
import type { Sql } from "../storage/database.ts";

const COMMIT_MS_MAX = 5_000;
const LIKELY_MARGIN_MS = 100;
const LIKELY_MS = 1_000;
const REFRESH_MS = 2_000;
const PROVEN_MS = 60_000;
/** The times of one answer are read one after another. */
const CLOCK_MARGIN_MS = 100;
const GROUPS_MAX = 100_000;

interface Floor {
  proven: number;
  /** Since when `proven` is built up, and when the store was last asked. */
  wholeAt: number;
  askedAt: number;
  likely: number;
  likelyAt: number;
}

/** See the module comment. */
export class ReadyFloors {
  readonly #floors = new Map<string, Floor>();

  #of(queueId: number, groupId: number): Floor {
    const key = `${queueId} ${groupId}`;
    const now = Date.now();
    let floor = this.#floors.get(key);
    if (!floor) {
      if (this.#floors.size >= GROUPS_MAX) this.#floors.clear();
      floor = { proven: -Infinity, wholeAt: now, askedAt: 0, likely: -Infinity, likelyAt: now };
      this.#floors.set(key, floor);
    }
    if (now - floor.wholeAt > PROVEN_MS) {
      floor = { proven: -Infinity, wholeAt: now, askedAt: 0, likely: -Infinity, likelyAt: now };
      this.#floors.set(key, floor);
    }
    if (now - floor.likelyAt > LIKELY_MS) {
      floor.likely = -Infinity;
      floor.likelyAt = now;
    }
    return floor;
  }

  /** Where a claim of a group may start. */
  likely(queueId: number, groupId: number): number {
    const floor = this.#of(queueId, groupId);
    return Math.max(floor.likely, floor.proven);
  }

  /** Where a claim must start whose empty hands mean that there is nothing. */
  proven(queueId: number, groupId: number): number {
    return this.#of(queueId, groupId).proven;
  }

  /** Whether it is time to {@link ask}; says so once each time. */
  isStale(queueId: number, groupId: number): boolean {
    const floor = this.#of(queueId, groupId);
    if (Date.now() - floor.askedAt <= REFRESH_MS) return false;
    floor.askedAt = Date.now();
    return true;
  }

  /** Notes when something claimed had become ready, in milliseconds since 1970. */
  claimed(queueId: number, groupId: number, readyAt: number): void {
    this.#of(queueId, groupId).likely = readyAt - LIKELY_MARGIN_MS;
  }

  /**
   * Asks the store when each of several groups, or one partition of it, may next have something, and learns from it.
   *
   * @param horizonMs - As of {@link cursorNextReady}.
   * @returns As {@link cursorNextReady}.
   * @throws The driver's error; nothing was learnt.
   */
  async ask(
    sql: Sql,
    pairs: readonly { queueId: number; groupId: number; partitionId: number | null }[],
    horizonMs: number,
  ): Promise<{ pair: number; wait_ms: number }[]> {
    const asked = pairs.map((pair) => {
      const known = this.#of(pair.queueId, pair.groupId);
      return { ...pair, known, floor: known.proven };
    });
    const rows = await cursorNextReady(sql, asked, horizonMs);
    const now = rows.find((row) => row.pair === -1)!.wait_ms;
    const waits = new Map(rows.map((row) => [row.pair, row.wait_ms]));
    for (let at = 0; at < asked.length; at += 1) {
      const { queueId, groupId, partitionId, known, floor } = asked[at]!;
      // What was forgotten or learnt meanwhile stands.
      if (partitionId !== null || this.#floors.get(`${queueId} ${groupId}`) !== known || known.proven !== floor)
        continue;
      const earliest = now + Math.min(waits.get(at) ?? Infinity, -COMMIT_MS_MAX);
      known.proven = Math.max(floor, Math.floor(earliest) - CLOCK_MARGIN_MS);
      known.askedAt = Date.now();
    }
    return rows.filter((row) => row.pair >= 0);
  }

  /** Forgets everything: times may have been written long before they were committed. */
  reset(): void {
    this.#floors.clear();
  }
}
