/**
 * Segments that were lately appended or read, unpacked, bounded by bytes. A segment never changes, so nothing needs to be
 * invalidated: a claim only ever asks for offsets that still exist.
 *
 * @module
 */

import type { Buffer } from "node:buffer";

/** An unpacked segment. */
export interface Segment {
  partitionId: number;
  firstOffset: number;
  messageCount: number;
  /** Whether the body is CBOR; JSON otherwise. */
  cbor: boolean;
  /** ISO 8601 with microseconds. */
  createdAt: string;
  /** Message id of the first message. */
  idBase: string;
  /** 16 bytes a message: the keys of the transaction ids. */
  keys: Buffer;
  body: Buffer;
}

/** Bytes a cached segment takes besides its body and keys, roughly. */
const OVERHEAD_BYTES = 300;

/** See the module comment. Least recently used segments go first. */
export class SegmentCache {
  readonly #bytesMax: number;
  #bytes = 0;
  readonly #byPartition = new Map<string, Map<number, Segment>>();
  readonly #order = new Map<Segment, string>();

  /** @param bytesMax - Bodies and keys together; 0 keeps nothing. */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  static #size(segment: Segment): number {
    return segment.body.length + segment.keys.length + OVERHEAD_BYTES;
  }

  /** Remembers a segment; one too large for an eighth of the cache is not kept. */
  put(queueId: number, segment: Segment): void {
    const size = SegmentCache.#size(segment);
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
    this.#order.set(segment, partition);
    this.#bytes += size;
    this.#shrink();
  }

  #shrink(): void {
    for (const [segment, partition] of this.#order) {
      if (this.#bytes <= this.#bytesMax) return;
      this.#order.delete(segment);
      this.#bytes -= SegmentCache.#size(segment);
      const segments = this.#byPartition.get(partition)!;
      segments.delete(segment.firstOffset);
      if (segments.size === 0) this.#byPartition.delete(partition);
    }
  }

  /**
   * The segments that hold all of the offsets `[from, to)`, in order; null when some of them are not remembered.
   *
   * @remarks A range that begins inside a segment is found by walking the partition's remembered segments.
   */
  find(queueId: number, partitionId: number, from: number, to: number): Segment[] | null {
    const partition = `${queueId} ${partitionId}`;
    const segments = this.#byPartition.get(partition);
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
      this.#order.delete(segment);
      this.#order.set(segment, partition);
      next = segment.firstOffset + segment.messageCount;
      if (next >= to) return found;
      segment = segments.get(next);
    }
    return null;
  }
}
