/**
 * What a worker remembers of the leases it handed out: which messages, by transaction id. An acknowledgement that comes
 * back to this worker then needs no look-up. Nothing here decides whether a lease is valid; that is the store's to say.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { writeTransactionKey } from "../../schema/wire/ids.ts";
import type { Segment } from "./segment.ts";

/** Keys of a run of offsets. */
interface KeyRun {
  firstOffset: number;
  messageCount: number;
  keys: Buffer;
}

/** The messages of one partition under one lease. */
export class LeasePart {
  readonly #runs: KeyRun[];
  readonly #from: number;
  readonly #to: number;
  #next: number;
  #index: Map<string, number> | null = null;

  /** @param segments - Those that hold the offsets `[from, to)`, ascending. */
  constructor(segments: readonly Segment[], from: number, to: number) {
    this.#runs = segments.map(({ firstOffset, messageCount, keys }) => ({ firstOffset, messageCount, keys }));
    this.#from = from;
    this.#to = to;
    this.#next = from;
  }

  /**
   * Offset of a message of the lease, or null when it is none. Ids asked for in order cost one comparison each.
   */
  find(transactionId: string): number | null {
    writeTransactionKey(transactionId, scratch, 0);
    if (this.#next >= this.#to) this.#next = this.#from;
    for (const run of this.#runs) {
      const at = this.#next - run.firstOffset;
      if (at < 0 || at >= run.messageCount) continue;
      if (run.keys.compare(scratch, 0, 16, at * 16, at * 16 + 16) === 0) {
        this.#next += 1;
        return this.#next - 1;
      }
      break;
    }
    const found = this.#indexed().get(scratch.toString("latin1"));
    if (found === undefined) return null;
    this.#next = found + 1;
    return found;
  }

  #indexed(): Map<string, number> {
    if (this.#index) return this.#index;
    this.#index = new Map();
    for (const run of this.#runs) {
      const text = run.keys.toString("latin1");
      for (let at = 0; at < run.messageCount; at += 1) {
        const offset = run.firstOffset + at;
        if (offset >= this.#from && offset < this.#to) this.#index.set(text.slice(at * 16, at * 16 + 16), offset);
      }
    }
    return this.#index;
  }
}

const scratch = Buffer.alloc(16);
const PARTS_MAX = 100_000;

/** See the module comment. Bounded; the oldest leases are forgotten first. */
export class LeaseBook {
  readonly #byLease = new Map<string, LeasePart>();
  readonly #byCursor = new Map<string, LeasePart>();
  readonly #partitions = new Map<string, Set<number>>();

  /** Notes a lease of one partition. */
  add(lease: { leaseId: string; queueId: number; partitionId: number; groupId: number }, part: LeasePart): void {
    const cursor = `${lease.queueId} ${lease.partitionId} ${lease.groupId}`;
    this.#byCursor.delete(cursor);
    this.#byCursor.set(cursor, part);
    this.#byLease.set(`${lease.leaseId} ${lease.partitionId}`, part);
    const partitions = this.#partitions.get(lease.leaseId);
    if (partitions) partitions.add(lease.partitionId);
    else this.#partitions.set(lease.leaseId, new Set([lease.partitionId]));
    for (const map of [this.#byLease, this.#byCursor, this.#partitions]) {
      if (map.size <= PARTS_MAX) continue;
      for (const key of map.keys()) {
        map.delete(key);
        if (map.size <= PARTS_MAX * 0.9) break;
      }
    }
  }

  /** Forgets everything: the store may know nothing of these leases. */
  clear(): void {
    this.#byLease.clear();
    this.#byCursor.clear();
    this.#partitions.clear();
  }

  /** Forgets a lease that was given back. */
  release(leaseId: string, partitionId: number): void {
    this.#byLease.delete(`${leaseId} ${partitionId}`);
    const partitions = this.#partitions.get(leaseId);
    if (partitions?.delete(partitionId) && partitions.size === 0) this.#partitions.delete(leaseId);
  }

  /** All partitions that a lease was given on here and that were not given back here; null when it is not remembered. */
  partitionsOf(leaseId: string): readonly number[] | null {
    const partitions = this.#partitions.get(leaseId);
    return partitions ? [...partitions] : null;
  }

  /** What was handed out under a lease on a partition, or lately to a group when no lease is named. */
  find(at: { leaseId: string | null; queueId: number; partitionId: number; groupId: number }): LeasePart | null {
    const byLease = at.leaseId === null ? undefined : this.#byLease.get(`${at.leaseId} ${at.partitionId}`);
    return byLease ?? this.#byCursor.get(`${at.queueId} ${at.partitionId} ${at.groupId}`) ?? null;
  }
}
