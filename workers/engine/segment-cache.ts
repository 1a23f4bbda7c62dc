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

import type { Segment, SegmentKeeper } from "./segment.ts";

/** Bytes a cached segment takes besides its body and keys, roughly. */
const OVERHEAD_BYTES = 1_400;

/** See the module comment. */
export class SegmentCache implements SegmentKeeper {
  readonly #bytesMax: number;
  #bytes = 0;
  readonly #byPartition = new Map<string, Map<number, Segment>>();
  /** All segments, least recently used first, with the key of their partition and their size without unpacked bodies. */
  readonly #order = new Map<Segment, { partition: string; size: number }>();
  /** Unpacked bodies and their sizes, least recently used first. */
  readonly #bodies = new Map<Segment, number>();
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
    let segments = this.#byPartition.get(partition);
    if (!segments) {
      segments = new Map();
      this.#byPartition.set(partition, segments);
    }
    const before = segments.get(segment.firstOffset);
    if (before) return;
    segments.set(segment.firstOffset, segment);
    this.#order.set(segment, { partition, size });
    this.#bytes += size;
    segment.keeper = this;
    this.used(segment);
    this.#shrink();
  }

  /** Forgets everything: the store may have lost what it had, and given its offsets to others. */
  clear(): void {
    for (const segment of this.#order.keys()) {
      segment.keeper = null;
    }
    this.#order.clear();
    this.#bodies.clear();
    this.#byPartition.clear();
    this.#bytes = 0;
    this.#bodyBytes = 0;
  }

  /** Counts the unpacked body of a segment, and marks it as the most recently used one. */
  used(segment: Segment): void {
    const before = this.#bodies.get(segment) ?? 0;
    const size = segment.bodyBytes;
    if (size === 0) return;
    this.#bodies.delete(segment);
    this.#bodies.set(segment, size);
    this.#bodyBytes += size - before;
    if (before === 0) this.#shrink();
  }

  #shrink(): void {
    for (const segment of this.#bodies.keys()) {
      if (this.#bodyBytes <= this.#bytesMax / 2) break;
      this.#dropBody(segment);
    }
    for (const [segment, { partition, size }] of this.#order) {
      if (this.bytes <= this.#bytesMax) return;
      this.#dropBody(segment);
      segment.keeper = null;
      this.#order.delete(segment);
      this.#bytes -= size;
      const segments = this.#byPartition.get(partition)!;
      segments.delete(segment.firstOffset);
      if (segments.size === 0) this.#byPartition.delete(partition);
    }
  }

  #dropBody(segment: Segment): void {
    this.#bodyBytes -= this.#bodies.get(segment) ?? 0;
    this.#bodies.delete(segment);
    segment.dropBody();
  }

  /**
   * The segments that hold all of the offsets `[from, to)`, in order; null when some of them are not remembered.
   *
   * @remarks A range that begins inside a segment is found by walking the partition's remembered segments.
   */
  find(queueId: number, partitionId: number, from: number, to: number): Segment[] | null {
    const found = this.#find(queueId, partitionId, from, to);
    if (found) this.hits += 1;
    else this.misses += 1;
    return found;
  }

  #find(queueId: number, partitionId: number, from: number, to: number): Segment[] | null {
    const segments = this.#byPartition.get(`${queueId} ${partitionId}`);
    if (!segments) return null;
    const found: Segment[] = [];
    let next = from;
    let segment = segments.get(from);
    if (!segment) {
      for (const candidate of segments.values()) {
        if (candidate.firstOffset <= from && candidate.firstOffset + candidate.messageCount > from) {
          segment = candidate;
          break;
        }
      }
    }
    while (segment) {
      found.push(segment);
      const kept = this.#order.get(segment)!;
      this.#order.delete(segment);
      this.#order.set(segment, kept);
      next = segment.firstOffset + segment.messageCount;
      if (next >= to) return found;
      segment = segments.get(next);
    }
    return null;
  }
}
