/**
 * Parked pops: where they wait, and what wakes them.
 *
 * A waiter is woken by a push or a release on its queue (same worker directly, others by message), by its deadline, or by
 * the floor: one shared look per interval at when each waited-for group next has something, which also finds what no push
 * announces (expired leases, delays that ran out) at the moment it is due. Waking means: try again. Of the waiters of one
 * group as many are woken as partitions were announced, a few at first; each that finds something wakes the next while there
 * may be more. So a push to a thousand parked pops costs one claim.
 *
 * @module
 */

import { PARKED_SLOTS } from "../protocol.ts";

const WOKEN_AT_ONCE = 8;

/** Stands for a partition that does not exist yet. */
export const PARTITION_UNKNOWN = -1;

/** A parked pop. */
export interface Waiter {
  queueIds: readonly number[];
  groupIds: readonly number[];
  /** Null: any partition. {@link PARTITION_UNKNOWN}: one that does not exist yet, so that any push may be to it. */
  partitionId: number | null;
  /** Resolves the waiting. */
  wake(): void;
}

/** What the floor looks at: one group of one queue, or one partition of it. */
export interface WaitedFor {
  queueId: number;
  groupId: number;
  partitionId: number | null;
}

/** See the module comment. */
export class Waiters {
  readonly #byQueue = new Map<number, Set<Waiter>>();
  /** Announced partitions that nobody was woken for yet, by queue and group; infinite when their number is not known. */
  readonly #unserved = new Map<string, number>();
  readonly #parked: Int32Array;
  readonly #region: number;
  readonly #all: number;
  /** Counts wake-ups by slot of the queue, so that one between a fruitless claim and parking is not missed. */
  readonly #sequence = new Float64Array(PARKED_SLOTS);
  #timers = new Set<ReturnType<typeof setTimeout>>();
  #floor: ReturnType<typeof setTimeout> | null = null;
  readonly #look: (waited: WaitedFor[]) => Promise<{ pair: number; wait_ms: number }[]>;
  readonly #intervalMs: number;

  /**
   * @param parked - One region of {@link PARKED_SLOTS} counters a worker.
   * @param look - Asks the store when each pair may have something; may fail.
   */
  constructor(
    parked: SharedArrayBuffer,
    workerIndex: number,
    intervalMs: number,
    look: (waited: WaitedFor[]) => Promise<{ pair: number; wait_ms: number }[]>,
  ) {
    this.#parked = new Int32Array(parked);
    this.#region = workerIndex * PARKED_SLOTS;
    this.#all = this.#parked.length / PARKED_SLOTS;
    this.#intervalMs = intervalMs;
    this.#look = look;
  }

  /** Slot 0 stands for all queues at once: see {@link Waiters.enterAll}. */
  static #slot(queueId: number): number {
    return 1 + ((Math.imul(queueId, 0x9e3779b1) >>> 8) % (PARKED_SLOTS - 1));
  }

  /** Parked pops of this worker. */
  get count(): number {
    let count = 0;
    for (const waiters of this.#byQueue.values()) count += waiters.size;
    return count;
  }

  /** How many pops of this worker are parked, by queue; one parked on several counts for each. */
  *countByQueue(): Iterable<readonly [queueId: number, count: number]> {
    for (const [queueId, waiters] of this.#byQueue) yield [queueId, waiters.size];
  }

  /** Makes pushes anywhere announce themselves for these queues; balanced by {@link leave}. */
  enter(queueIds: readonly number[]): void {
    for (const id of queueIds) Atomics.add(this.#parked, this.#region + Waiters.#slot(id), 1);
  }

  /** Undoes {@link enter}. */
  leave(queueIds: readonly number[]): void {
    for (const id of queueIds) Atomics.sub(this.#parked, this.#region + Waiters.#slot(id), 1);
  }

  /** Makes every push of the other workers announce itself to this one, or no longer. */
  enterAll(all: boolean): void {
    Atomics.store(this.#parked, this.#region, all ? 1 : 0);
  }

  /** Whether any other worker of the instance has pops parked on a queue (or on one of the same slot). */
  waitedForElsewhere(queueId: number): boolean {
    const slot = Waiters.#slot(queueId);
    for (let worker = 0; worker < this.#all; worker += 1) {
      const at = worker * PARKED_SLOTS;
      if (at === this.#region) continue;
      if (Atomics.load(this.#parked, at + slot) > 0 || Atomics.load(this.#parked, at) > 0) return true;
    }
    return false;
  }

  /** How often these queues have been woken; to be taken before the claim whose failure leads to parking. */
  sequence(queueIds: readonly number[]): number {
    let sum = 0;
    for (const id of queueIds) sum += this.#sequence[Waiters.#slot(id)]!;
    return sum;
  }

  /** Parks until woken, `deadline` (milliseconds of this process's clock) or `stop`. */
  park(waiter: Omit<Waiter, "wake">, deadline: number, since: number): { done: Promise<void>; stop(): void } {
    if (this.sequence(waiter.queueIds) !== since) return { done: Promise.resolve(), stop() {} };
    let finish = (): void => {};
    const done = new Promise<void>((resolve) => {
      const timer = setTimeout(() => finish(), Math.max(0, deadline - Date.now()));
      const entry: Waiter = { ...waiter, wake: () => finish() };
      finish = () => {
        clearTimeout(timer);
        for (const id of waiter.queueIds) {
          const waiters = this.#byQueue.get(id);
          waiters?.delete(entry);
          if (waiters?.size === 0) this.#byQueue.delete(id);
        }
        resolve();
      };
      for (const id of waiter.queueIds) {
        const waiters = this.#byQueue.get(id) ?? new Set();
        this.#byQueue.set(id, waiters.add(entry));
      }
    });
    this.#armFloor();
    return { done, stop: finish };
  }

  /**
   * Whether a pop of a whole queue may park without looking first: another one of its group is parked there alone, which found
   * nothing and would have been woken since. (One that waits for many queues may have looked at some only.) Not while there are other instances: what they push is announced with a delay.
   */
  isKnownEmpty(queueId: number, groupId: number): boolean {
    // The first worker speaks for the instance: see enterAll.
    if (Atomics.load(this.#parked, 0) !== 0) return false;
    for (const waiter of this.#byQueue.get(queueId) ?? []) {
      if (waiter.partitionId === null && waiter.queueIds.length === 1 && waiter.groupIds[0] === groupId) return true;
    }
    return false;
  }

  /**
   * Wakes pops parked on these queues; pops of one partition only when it is among `partitionIds`.
   *
   * @param partitionIds - What may have something now; null or empty when that is not known.
   */
  wake(queueIds: Iterable<number>, partitionIds: readonly number[] | null): void {
    const announced = partitionIds === null || partitionIds.length === 0 ? Infinity : partitionIds.length;
    for (const id of queueIds) {
      const waiters = this.#byQueue.get(id);
      this.#sequence[Waiters.#slot(id)]! += 1;
      if (!waiters) continue;
      const woken = new Map<number, number>();
      for (const waiter of [...waiters]) {
        if (waiter.partitionId !== null) {
          const unknown = waiter.partitionId === PARTITION_UNKNOWN;
          if (unknown || partitionIds === null || partitionIds.includes(waiter.partitionId)) waiter.wake();
          continue;
        }
        const group = waiter.groupIds[waiter.queueIds.indexOf(id)]!;
        const count = woken.get(group) ?? 0;
        if (count >= WOKEN_AT_ONCE || count >= announced) continue;
        woken.set(group, count + 1);
        waiter.wake();
      }
      for (const [group, count] of woken)
        if (announced > count) this.#unserved.set(`${id} ${group}`, announced - count);
    }
  }

  /** Wakes everything: at a stop, or when announcements may have been missed. */
  wakeAll(): void {
    for (const waiters of [...this.#byQueue.values()]) for (const waiter of [...waiters]) waiter.wake();
  }

  /**
   * A woken pop found something, or went away without looking: the next one parked for the same group may find more.
   *
   * @param filled - Whether it left something behind for sure or for all it knows.
   */
  pass(queueId: number, groupId: number, filled: boolean): void {
    if (this.#unserved.size === 0 && !filled) return;
    const key = `${queueId} ${groupId}`;
    const unserved = this.#unserved.get(key) ?? 0;
    if (unserved === 0 && !filled) return;
    const next = this.#next(queueId, groupId);
    if (unserved <= 1 || next === null) this.#unserved.delete(key);
    else this.#unserved.set(key, unserved - 1);
    next?.wake();
  }

  /** A woken pop found nothing: neither would the next one. */
  foundNothing(queueId: number, groupId: number): void {
    if (this.#unserved.size > 0) this.#unserved.delete(`${queueId} ${groupId}`);
  }

  /** The first pop parked for a group of a whole queue. */
  #next(queueId: number, groupId: number): Waiter | null {
    for (const waiter of this.#byQueue.get(queueId) ?? []) {
      if (waiter.partitionId === null && waiter.groupIds[waiter.queueIds.indexOf(queueId)] === groupId) return waiter;
    }
    return null;
  }

  #armFloor(): void {
    this.#floor ??= setTimeout(() => this.#lookAround(), this.#intervalMs);
  }

  async #lookAround(): Promise<void> {
    const waited = new Map<string, WaitedFor>();
    for (const waiters of this.#byQueue.values()) {
      for (const { queueIds, groupIds, partitionId } of waiters) {
        for (let at = 0; at < queueIds.length; at += 1) {
          const entry = { queueId: queueIds[at]!, groupId: groupIds[at]!, partitionId };
          waited.set(`${entry.queueId} ${entry.groupId} ${partitionId}`, entry);
        }
      }
    }
    const pairs = [...waited.values()];
    if (pairs.length > 0) {
      try {
        for (const { pair, wait_ms } of await this.#look(pairs)) this.#due(pairs[pair]!, wait_ms);
      } catch {
        // The database is away: the next look will tell.
      }
    }
    this.#floor = null;
    if (this.#byQueue.size > 0) this.#armFloor();
  }

  #due(pair: WaitedFor, waitMs: number): void {
    const wake = () => this.wake([pair.queueId], pair.partitionId === null ? [] : [pair.partitionId]);
    if (waitMs > this.#intervalMs) return;
    if (waitMs <= 0) {
      wake();
      return;
    }
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      wake();
    }, Math.ceil(waitMs));
    this.#timers.add(timer);
  }

  /** Ends all timers; parked pops must have been woken before. */
  stop(): void {
    if (this.#floor) clearTimeout(this.#floor);
    for (const timer of this.#timers) clearTimeout(timer);
  }
}
