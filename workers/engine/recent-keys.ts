/**
 * The transaction keys a worker itself appended lately, by partition, so that duplicates among them are found without
 * asking the store.
 *
 * What is remembered of a partition holds while its head and epoch are those of {@link Recent}. It covers all
 * time-ordered ids above `floor`: older ones, and anything after another writer moved the head, are the store's to find.
 *
 * @module
 */

import type { Buffer } from "node:buffer";

/** Keys of one appended segment. */
interface Run {
  min: string;
  max: string;
  firstOffset: number;
  idBase: string;
  keys: Buffer;
  /** Index in the segment by key (16 bytes as latin1 text); made when first needed. */
  index: Map<string, number> | null;
}

/** What is remembered of one partition. */
export interface Recent {
  head: number;
  epoch: number;
  /** Largest time-ordered id before the first remembered run, as UUID text; null: there was none. */
  floor: string | null;
  runs: Run[];
}

const PARTITIONS_MAX = 20_000;
const RUNS_MAX = 8;
const KEY_BYTES_MAX = 32 * 1024 * 1024;

/** See the module comment. */
export class RecentKeys {
  readonly #partitions = new Map<string, Recent>();
  #bytes = 0;

  /** What is known of a partition if it covers ids from `txMin` on, else null. */
  covering(partition: string, txMin: string | null): Recent | null {
    const recent = this.#partitions.get(partition);
    if (!recent) return null;
    if (txMin !== null && recent.floor !== null && txMin <= recent.floor) return null;
    return recent;
  }

  /** Where a remembered key stands, or null. `id` is the transaction id as text, `key` its 16 bytes as latin1. */
  static find(recent: Recent, id: string, key: string): { idBase: string; index: number } | null {
    for (const run of recent.runs) {
      if (id < run.min || id > run.max) continue;
      if (run.index === null) {
        run.index = new Map();
        const text = run.keys.toString("latin1");
        for (let at = 0; at < text.length; at += 16) run.index.set(text.slice(at, at + 16), at / 16);
      }
      const index = run.index.get(key);
      if (index !== undefined) return { idBase: run.idBase, index };
    }
    return null;
  }

  /**
   * Notes what was appended.
   *
   * @param txHighBefore - Largest time-ordered id the partition held before, or null.
   */
  appended(
    partition: string,
    segment: {
      firstOffset: number;
      messageCount: number;
      epoch: number;
      idBase: string;
      min: string | null;
      max: string | null;
      keys: Buffer;
      txHighBefore: string | null;
    },
  ): void {
    let recent = this.#partitions.get(partition);
    if (!recent || recent.head !== segment.firstOffset || recent.epoch !== segment.epoch) {
      if (recent) this.#forget(partition, recent);
      recent = { head: 0, epoch: segment.epoch, floor: segment.txHighBefore, runs: [] };
    } else {
      // Moves it to the young end.
      this.#partitions.delete(partition);
    }
    this.#partitions.set(partition, recent);
    recent.head = segment.firstOffset + segment.messageCount;
    if (segment.min !== null && segment.max !== null) {
      const { firstOffset, idBase, min, max, keys } = segment;
      recent.runs.push({ min, max, firstOffset, idBase, keys, index: null });
      this.#bytes += keys.length;
      if (recent.runs.length > RUNS_MAX) {
        const oldest = recent.runs.shift()!;
        this.#bytes -= oldest.keys.length;
        if (recent.floor === null || oldest.max > recent.floor) recent.floor = oldest.max;
      }
    }
    if (this.#bytes > KEY_BYTES_MAX || this.#partitions.size > PARTITIONS_MAX) this.#shrink();
  }

  /** Forgets everything: the store may have lost what was appended. */
  clear(): void {
    this.#partitions.clear();
    this.#bytes = 0;
  }

  #forget(partition: string, recent: Recent): void {
    for (const run of recent.runs) this.#bytes -= run.keys.length;
    this.#partitions.delete(partition);
  }

  #shrink(): void {
    for (const [partition, recent] of this.#partitions) {
      if (this.#bytes <= KEY_BYTES_MAX / 2 && this.#partitions.size <= PARTITIONS_MAX / 2) return;
      this.#forget(partition, recent);
    }
  }
}
