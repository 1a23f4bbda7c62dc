/**
 * Segments that were lately appended or read, bounded by bytes. A segment never changes, so nothing needs to be
 * invalidated: a claim only ever asks for offsets that still exist. It is forgotten only when the store itself may be another
 * one ({@link SegmentCache.clear}).
 *
 * What is stored of a segment is kept longer than its unpacked body, which takes some ten times as much memory: unpacked
 * bodies have half of the room, and the least recently used of them are forgotten first.
 *
 * @module
 */

import { type Place, placeOf, Recency } from "./recency.ts";
import type { Segment, SegmentKeeper } from "./segment.ts";
import { SegmentRun } from "./segment-run.ts";

/** Bytes a cached segment takes besides its body and keys, roughly. */
const OVERHEAD_BYTES = 1_400;

/** A segment that is kept, where it stands in the order of use, and its sizes. */
class Kept implements SegmentKeeper {
  readonly segment: Segment;
  readonly partition: string;
  /** Without the unpacked body. */
  readonly size: number;
  readonly place: Place<Kept> = placeOf<Kept>(this);
  /** Listed as long as there is an unpacked body. */
  readonly bodyPlace: Place<Kept> = placeOf<Kept>(this);
  bodySize = 0;
  readonly #cache: SegmentCache;

  constructor(segment: Segment, partition: string, size: number, cache: SegmentCache) {
    this.segment = segment;
    this.partition = partition;
    this.size = size;
    this.#cache = cache;
  }

  get firstOffset(): number {
    return this.segment.firstOffset;
  }

  get messageCount(): number {
    return this.segment.messageCount;
  }

  used(): void {
    this.#cache.used(this);
  }
}

/** See the module comment. */
export class SegmentCache {
  readonly #bytesMax: number;
  #bytes = 0;
  readonly #byPartition = new Map<string, SegmentRun<Kept>>();
  readonly #order = new Recency<Kept>();
  #bodies = new Recency<Kept>();
  #bodyBytes = 0;
  /** How often all of the offsets asked for were remembered, and were not, since the start. */
  hits = 0;
  misses = 0;

  /** @param bytesMax - Bodies and keys together; 0 keeps nothing. */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Bytes in use. */
  get bytes(): number {
    return this.#bytes + this.#bodyBytes;
  }

  /** Remembers a segment; one too large for an eighth of the cache is not kept. */
  put(queueId: number, segment: Segment): void {
    const size = segment.keptBytes + OVERHEAD_BYTES;
    if (size > this.#bytesMax / 8) return;
    const partition = `${queueId} ${segment.partitionId}`;
    let run = this.#byPartition.get(partition);
    if (!run) {
      run = new SegmentRun();
      this.#byPartition.set(partition, run);
    }
    const kept = new Kept(segment, partition, size, this);
    if (!run.add(kept)) return;
    this.#order.touch(kept.place);
    this.#bytes += size;
    segment.keeper = kept;
    this.used(kept);
    this.#shrink();
  }

  /** Forgets everything: the store may have lost what it had, and given its offsets to others. */
  clear(): void {
    for (let kept = this.#order.oldest; kept !== null; kept = this.#order.oldest) {
      kept.segment.keeper = null;
      this.#order.remove(kept.place);
    }
    this.#bodies = new Recency();
    this.#byPartition.clear();
    this.#bytes = 0;
    this.#bodyBytes = 0;
  }

  /** Counts the unpacked body of a segment, and marks it as the most recently used one. */
  used(kept: Kept): void {
    const size = kept.segment.bodyBytes;
    if (size === 0) return;
    const before = kept.bodySize;
    this.#bodies.touch(kept.bodyPlace);
    kept.bodySize = size;
    this.#bodyBytes += size - before;
    if (before === 0) this.#shrink();
  }

  #shrink(): void {
    while (this.#bodyBytes > this.#bytesMax / 2) {
      const kept = this.#bodies.oldest;
      if (kept === null) break;
      this.#dropBody(kept);
    }
    while (this.bytes > this.#bytesMax) {
      const kept = this.#order.oldest;
      if (kept === null) return;
      this.#forget(kept);
    }
  }

  #forget(kept: Kept): void {
    this.#dropBody(kept);
    kept.segment.keeper = null;
    this.#order.remove(kept.place);
    this.#bytes -= kept.size;
    const run = this.#byPartition.get(kept.partition)!;
    run.delete(kept.firstOffset);
    if (run.size === 0) this.#byPartition.delete(kept.partition);
  }

  #dropBody(kept: Kept): void {
    this.#bodyBytes -= kept.bodySize;
    kept.bodySize = 0;
    this.#bodies.remove(kept.bodyPlace);
    kept.segment.dropBody();
  }

  /** The segments that hold all of the offsets `[from, to)`, in order; null when some of them are not remembered. */
  find(queueId: number, partitionId: number, from: number, to: number): Segment[] | null {
    const found = this.#find(queueId, partitionId, from, to);
    if (found) this.hits += 1;
    else this.misses += 1;
    return found;
  }

  #find(queueId: number, partitionId: number, from: number, to: number): Segment[] | null {
    const run = this.#byPartition.get(`${queueId} ${partitionId}`);
    if (!run) return null;
    const found: Segment[] = [];
    for (let next = from; ; ) {
      const kept = run.holding(next);
      if (kept === null) return null;
      found.push(kept.segment);
      this.#order.touch(kept.place);
      next = kept.firstOffset + kept.messageCount;
      if (next >= to) return found;
    }
  }
}
