/**
 * What a queue does, said as simply as possible: maps, sets and loops, no storage, no concurrency. The sequential model
 * test does every operation here and on the server, and compares.
 *
 * @module
 */

/** A message of a partition's log; its offset is its index. */
export interface ReferenceMessage {
  transactionId: string;
  id: string;
  /** Deleted one by one; a cleared one lies below the partition's tail. */
  deleted: boolean;
}

/** A lease of one partition. */
export interface ReferenceLease {
  id: string;
  first: number;
  end: number;
  live: boolean;
  /** Offsets that were given back by hand since: not the holder's to answer for as a whole. */
  reopened: Set<number>;
}

/** Where a group stands on a partition. */
export interface ReferenceCursor {
  /** Offsets that are consumed, dead-lettered, deleted, or skipped. */
  resolved: Set<number>;
  lease: ReferenceLease | null;
  /** Failures counted for a message that has not been given up on. */
  failures: Map<number, number>;
}

/** A partition. */
export interface ReferencePartition {
  name: string;
  tail: number;
  log: ReferenceMessage[];
  cursors: Map<string, ReferenceCursor>;
  /** `group offset` of dead letters, with the count of failures before. */
  dead: Map<string, number>;
}

/** What an acknowledgement says of one message. */
export interface ReferenceAck {
  transactionId: string;
  status: string;
}

/** The answer to one acknowledgement. */
export interface ReferenceAckResult {
  success: boolean;
  error: string | null;
  leaseReleased: boolean | null;
  dlq: boolean;
}

const refused = (error: string): ReferenceAckResult => ({ success: false, error, leaseReleased: null, dlq: false });

/** One queue. See the module comment. */
export class ReferenceQueue {
  readonly partitions = new Map<string, ReferencePartition>();
  readonly groups = new Set<string>();
  readonly retryLimit: number;

  constructor(retryLimit: number) {
    this.retryLimit = retryLimit;
  }

  partition(name: string): ReferencePartition {
    let partition = this.partitions.get(name);
    if (!partition) {
      partition = { name, tail: 0, log: [], cursors: new Map(), dead: new Map() };
      this.partitions.set(name, partition);
    }
    return partition;
  }

  /** The kept message of an id, or -1. */
  find(partition: ReferencePartition, transactionId: string): number {
    for (let offset = partition.tail; offset < partition.log.length; offset += 1) {
      const message = partition.log[offset]!;
      if (!message.deleted && message.transactionId === transactionId) return offset;
    }
    return -1;
  }

  /** Appends, unless the id is there: then answers the id of the message that has it. */
  push(name: string, transactionId: string, id: string): { status: "queued" | "duplicate"; id: string } {
    const partition = this.partition(name);
    const found = this.find(partition, transactionId);
    if (found >= 0) return { status: "duplicate", id: partition.log[found]!.id };
    // A group without a cursor here has left out what was there before.
    for (const group of this.groups) this.#begin(partition, group, partition.log.length);
    partition.log.push({ transactionId, id, deleted: false });
    return { status: "queued", id };
  }

  /** Makes a group known; it starts with everything that is kept, or with what comes from now on. */
  register(group: string, fromNow = false): void {
    if (this.groups.has(group)) return;
    this.groups.add(group);
    if (fromNow) return;
    for (const partition of this.partitions.values()) {
      if (partition.log.length > partition.tail) this.#begin(partition, group, partition.tail);
    }
  }

  #begin(partition: ReferencePartition, group: string, from: number): ReferenceCursor {
    let cursor = partition.cursors.get(group);
    if (!cursor) {
      cursor = {
        resolved: new Set(Array.from({ length: from }, (_, offset) => offset)),
        lease: null,
        failures: new Map(),
      };
      partition.cursors.set(group, cursor);
    }
    return cursor;
  }

  /** Offsets that a group has yet to consume, ascending. */
  open(partition: ReferencePartition, group: string): number[] {
    const cursor = partition.cursors.get(group);
    const open: number[] = [];
    for (let offset = partition.tail; cursor && offset < partition.log.length; offset += 1) {
      if (!partition.log[offset]!.deleted && !cursor.resolved.has(offset)) open.push(offset);
    }
    return open;
  }

  /** Partitions that a pop of this group may be given now. */
  candidates(group: string): ReferencePartition[] {
    return [...this.partitions.values()].filter(
      (partition) => !partition.cursors.get(group)?.lease?.live && this.open(partition, group).length > 0,
    );
  }

  /** Hands out up to `count` messages of a partition that is a candidate. */
  take(partition: ReferencePartition, group: string, count: number, leaseId: string | null): number[] {
    const cursor = partition.cursors.get(group)!;
    const offsets = this.open(partition, group).slice(0, count);
    if (leaseId === null) for (const offset of offsets) cursor.resolved.add(offset);
    const lease = {
      id: leaseId ?? "",
      first: offsets[0]!,
      end: offsets.at(-1)! + 1,
      live: true,
      reopened: new Set<number>(),
    };
    cursor.lease = leaseId === null ? null : lease;
    return offsets;
  }

  /** The latest message of an id, kept or not, or -1. */
  recall(partition: ReferencePartition, transactionId: string): number {
    return partition.log.findLastIndex((message) => message.transactionId === transactionId);
  }

  /**
   * Acknowledgements of one request for one partition, group and lease.
   *
   * @param offsets - Of their messages, -1 where there is none.
   */
  acknowledge(
    partition: ReferencePartition,
    group: string,
    leaseId: string | null,
    acks: readonly ReferenceAck[],
    rules: { failedIsFinal: boolean } = { failedIsFinal: false },
    offsets: readonly number[] = acks.map((ack) => this.find(partition, ack.transactionId)),
  ): ReferenceAckResult[] {
    const failing = acks.some((ack) => ack.status === "failed" || ack.status === "dlq");
    if (!this.groups.has(group) && failing && leaseId === null) this.register(group);
    const cursor = partition.cursors.get(group) ?? null;
    const live = cursor?.lease?.live === true;
    // A group that is known but has no cursor here has nothing to lose.
    const held = leaseId === null || (live && cursor?.lease?.id === leaseId) || (this.groups.has(group) && !cursor);
    const lease = live ? cursor!.lease! : null;
    const inLease = (offset: number) => lease !== null && offset >= lease.first && offset < lease.end;
    const dead = new Set<number>();
    let left = false;
    let inside = leaseId !== null;
    let release = false;
    if (cursor && held) {
      const before = new Set(cursor.resolved);
      for (let offset = 0; offset < partition.log.length; offset += 1) {
        if (offset < partition.tail || partition.log[offset]!.deleted) before.add(offset);
      }
      const done = offsets.filter((offset, at) => offset >= 0 && ["completed", "success"].includes(acks[at]!.status));
      for (const offset of done) cursor.resolved.add(offset);
      for (const [at, { status }] of acks.entries()) {
        const offset = offsets[at]!;
        if (offset < 0) continue;
        if (status === "retry" || (rules.failedIsFinal && (status === "failed" || status === "dlq"))) {
          release ||= leaseId !== null || inLease(offset);
        }
        if ((status !== "failed" && status !== "dlq") || before.has(offset) || done.includes(offset)) continue;
        inside ||= inLease(offset);
        const failures = cursor.failures.get(offset) ?? 0;
        if (status === "dlq" || rules.failedIsFinal || failures + 1 > this.retryLimit) {
          dead.add(offset);
          partition.dead.set(`${group} ${offset}`, failures);
        } else {
          left = true;
          cursor.failures.set(offset, failures + 1);
        }
      }
      for (const offset of dead) cursor.resolved.add(offset);
      for (const offset of cursor.resolved) if (!before.has(offset)) cursor.failures.delete(offset);
      const whole = lease !== null && this.#isWhole(partition, cursor, lease);
      if (live && (whole || (left && inside) || release)) cursor.lease = null;
      // An expired lease that anybody acknowledges past is cleared away, which changes nothing that can be seen.
      if (!live) cursor.lease = null;
    }
    const released = cursor ? cursor.lease === null : null;
    return acks.map(({ status }, at) => {
      if (offsets[at]! < 0) return refused("Message not found");
      if (!["completed", "success", "failed", "dlq", "retry"].includes(status)) return { ...refused(""), error: null };
      if (!held) return refused("Invalid or expired lease");
      const dlq = (status === "failed" || status === "dlq") && dead.has(offsets[at]!);
      return { success: true, error: null, leaseReleased: dlq ? false : released, dlq };
    });
  }

  /** Says the same of everything that is open under a lease, on every partition that has it, and gives it back. */
  acknowledgeLease(
    group: string,
    leaseId: string,
    status: string,
  ): { acknowledged: number; partitions: number; dlq: number } {
    const sum = { acknowledged: 0, partitions: 0, dlq: 0 };
    for (const partition of this.partitions.values()) {
      const cursor = partition.cursors.get(group);
      const lease = cursor?.lease;
      if (!lease?.live || lease.id !== leaseId) continue;
      const open = this.open(partition, group).filter(
        (offset) => offset >= lease.first && offset < lease.end && !lease.reopened.has(offset),
      );
      const said = open.map((offset) => ({ transactionId: partition.log[offset]!.transactionId, status }));
      const results = this.acknowledge(partition, group, leaseId, said, { failedIsFinal: false }, open);
      cursor!.lease = null;
      sum.acknowledged += open.length;
      sum.partitions += 1;
      sum.dlq += results.filter((result) => result.dlq).length;
    }
    return sum;
  }

  /** Whether nothing that a lease covers is left to acknowledge. */
  #isWhole(partition: ReferencePartition, cursor: ReferenceCursor, lease: ReferenceLease): boolean {
    const { log } = partition;
    return log
      .slice(lease.first, lease.end)
      .every((message, at) => message.deleted || cursor.resolved.has(lease.first + at));
  }

  /** Resolves one offset under every cursor that has it open; leases that have nothing left are over. */
  #resolve(partition: ReferencePartition, groups: Iterable<string>, offset: number): string[] {
    const changed: string[] = [];
    for (const group of groups) {
      const cursor = partition.cursors.get(group);
      if (!cursor || cursor.resolved.has(offset)) continue;
      cursor.resolved.add(offset);
      changed.push(group);
      if (cursor.lease && this.#isWhole(partition, cursor, cursor.lease)) cursor.lease = null;
    }
    return changed;
  }

  /** Deletes a message. False when it is not there. */
  delete(partition: ReferencePartition, transactionId: string): boolean {
    const offset = this.find(partition, transactionId);
    if (offset < 0) return false;
    partition.log[offset]!.deleted = true;
    this.#resolve(partition, partition.cursors.keys(), offset);
    for (const cursor of partition.cursors.values()) cursor.failures.delete(offset);
    for (const key of partition.dead.keys()) if (key.endsWith(` ${offset}`)) partition.dead.delete(key);
    return true;
  }

  /** Gives a dead-lettered message back to the groups that gave up on it, or readies one that waits for a retry. */
  retry(partition: ReferencePartition, transactionId: string): boolean {
    const offset = this.find(partition, transactionId);
    if (offset < 0) return false;
    let changed = false;
    for (const [group, cursor] of partition.cursors) {
      if (!partition.dead.delete(`${group} ${offset}`)) continue;
      changed = true;
      cursor.resolved.delete(offset);
      cursor.failures.delete(offset);
      const { lease } = cursor;
      if (lease?.live && offset >= lease.first && offset < lease.end) lease.reopened.add(offset);
    }
    if (changed) return true;
    for (const cursor of partition.cursors.values()) changed = cursor.failures.delete(offset) || changed;
    return changed;
  }

  /** Gives up on a message for every group that has it open. */
  moveToDead(partition: ReferencePartition, transactionId: string): boolean {
    const offset = this.find(partition, transactionId);
    if (offset < 0) return false;
    if (this.groups.size === 0) this.register("__QUEUE_MODE__");
    const groups = this.#resolve(partition, this.groups, offset);
    for (const group of groups) {
      const { failures } = partition.cursors.get(group)!;
      partition.dead.set(`${group} ${offset}`, failures.get(offset) ?? 0);
      failures.delete(offset);
    }
    return groups.length > 0;
  }

  /** Takes everything away. Answers how many messages went. */
  clear(name: string | null): number {
    let count = 0;
    for (const partition of this.partitions.values()) {
      if (name !== null && partition.name !== name) continue;
      if (partition.log.length === partition.tail) continue;
      for (let offset = partition.tail; offset < partition.log.length; offset += 1) {
        if (!partition.log[offset]!.deleted) count += 1;
      }
      partition.tail = partition.log.length;
      partition.dead.clear();
      for (const cursor of partition.cursors.values()) {
        cursor.lease = null;
        cursor.failures.clear();
      }
    }
    return count;
  }

  /** Moves a group to the end, or so that what lies at `from` and after it is open. */
  seek(group: string, partition: ReferencePartition, from: number | null): void {
    if (!this.groups.has(group) || partition.log.length === partition.tail) return;
    if (from === null && !partition.cursors.has(group)) return;
    const to = from ?? partition.log.length;
    if (to === partition.log.length && !partition.cursors.has(group)) return;
    const cursor = this.#begin(partition, group, 0);
    cursor.lease = null;
    cursor.resolved.clear();
    for (let offset = 0; offset < partition.log.length; offset += 1) {
      if (offset < to || partition.log[offset]!.deleted) cursor.resolved.add(offset);
    }
  }

  /** Forgets a group and its dead letters. */
  forget(group: string): void {
    this.groups.delete(group);
    for (const partition of this.partitions.values()) {
      partition.cursors.delete(group);
      for (const key of partition.dead.keys()) if (key.startsWith(`${group} `)) partition.dead.delete(key);
    }
  }
}
