/**
 * The queues of a pop by namespace and/or task: which of them may have something, best first.
 *
 * All that is done here is bounded, however many queues match: a pop looks closely at some of the best, and does not park on
 * more than a thousand.
 *
 * @module
 */

import type { PopParams } from "../protocol.ts";
import { withConflictRetry } from "../storage/failures.ts";
import {
  type CandidateRow,
  groupRegisterMany,
  type QueueFilter,
  queueCandidates,
  queueUnregistered,
} from "../storage/queue-filter.ts";
import { groupFill, type Subscription } from "../storage/queues.ts";
import type { EngineContext } from "./context.ts";

/** Queues with something that one look goes through. */
const READY_MAX = 100;
/** Queues that a pop parks on; where more match, it looks again from time to time. */
const PARKED_MAX = 1_000;
/** Queues whose group is registered by one statement. */
const REGISTERED_AT_ONCE = 20;
const UNREGISTERED_MAX = 1_000;

/** One queue to claim from. */
export interface Source {
  queueId: number;
  queueName: string;
  groupId: number;
  /** Null: any partition. */
  partitionId: number | null;
  /** False when the store just said that the group has nothing there. */
  promising: boolean;
}

/** What a look found. */
export interface FoundSources {
  sources: Source[];
  /** More have something than were looked at. */
  more: boolean;
  /** False: there are too many queues to park on. */
  parkable: boolean;
}

/** Looks for one worker. */
export class FilteredSources {
  readonly #context: EngineContext;
  readonly #asked = new Map<string, Promise<CandidateRow[]>>();

  constructor(context: EngineContext) {
    this.#context = context;
  }

  /**
   * Looks once.
   *
   * @remarks
   * A group that wants everything is registered where it meets messages; one that skips history is registered everywhere,
   * since its subscription begins now. In a queue that was made after it first asked nothing is history.
   *
   * @param since - When the pop came, in milliseconds of this process's clock.
   * @throws The driver's error.
   */
  async find(params: PopParams, subscription: Subscription, since: number): Promise<FoundSources> {
    const filter = { namespace: params.namespace ?? null, task: params.task ?? null, group: params.group };
    if (subscription.mode !== "all") await this.#registerAll(filter, subscription, since);
    const rows = await this.#candidates(filter);
    const strange = rows.filter((row) => row.ready && row.group_id === null).map((row) => row.id);
    const groups = strange.length > 0 ? await this.#register(strange, params.group, subscription) : null;
    const sources = rows.map(({ id, name, group_id, ready }) => {
      const groupId = group_id ?? groups?.get(id) ?? null;
      // No group has the number 0: a push still wakes who waits there.
      const source = { queueId: id, queueName: name, partitionId: null };
      return { ...source, groupId: groupId ?? 0, promising: ready && groupId !== null };
    });
    return {
      sources,
      more: rows.length >= READY_MAX && rows[READY_MAX - 1]!.ready,
      parkable: rows.length <= PARKED_MAX,
    };
  }

  /** Once for all pops that ask for the same in the same turn of the event loop. */
  #candidates(filter: QueueFilter): Promise<CandidateRow[]> {
    const key = JSON.stringify(filter);
    let asked = this.#asked.get(key);
    if (!asked) {
      asked = new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
        this.#asked.delete(key);
        const bounds = { readyMax: READY_MAX, rowsMax: PARKED_MAX + 1 };
        return queueCandidates(this.#context.database.look, filter, bounds);
      });
      this.#asked.set(key, asked);
    }
    return asked;
  }

  async #registerAll(filter: QueueFilter, subscription: Subscription, since: number): Promise<void> {
    const { look } = this.#context.database;
    for (;;) {
      const bounds = { sinceMs: Math.max(0, Date.now() - since), rowsMax: UNREGISTERED_MAX };
      const rows = await queueUnregistered(look, filter, bounds);
      const [later, earlier] = [rows.filter((row) => row.later), rows.filter((row) => !row.later)];
      const whole: Subscription = subscription.mode === "new" ? { mode: "all", from: null } : subscription;
      const ids = (some: typeof rows) => some.map((row) => row.id);
      const made = await this.#register(ids(later), filter.group, whole);
      for (const [id, group] of await this.#register(ids(earlier), filter.group, subscription)) made.set(id, group);
      // Those that remain, if any, are being deleted.
      if (rows.length < UNREGISTERED_MAX || made.size === 0) return;
    }
  }

  /** Registers a group with queues, by id; those that are gone are left out of the answer. */
  async #register(queueIds: readonly number[], name: string, subscription: Subscription): Promise<Map<number, number>> {
    const sql = this.#context.database.pop;
    const ordered = [...queueIds].sort((a, b) => a - b);
    const groups = new Map<number, number>();
    for (let at = 0; at < ordered.length; at += REGISTERED_AT_ONCE) {
      const some = ordered.slice(at, at + REGISTERED_AT_ONCE);
      const rows = await withConflictRetry(() => groupRegisterMany(sql, { queueIds: some, name, subscription }));
      for (const { queue_id, id, filling } of rows) {
        for (let more = filling; more; ) more = await withConflictRetry(() => groupFill(sql, queue_id, id));
        groups.set(queue_id, id);
      }
    }
    return groups;
  }
}
