/**
 * What a worker remembers of queues, partitions and groups, so that hot statements can name them by number.
 *
 * Nothing here is needed for correctness: a push made under old options is refused by the store and repeated after
 * {@link Catalog.invalidate}, and numbers are never used twice. Absence is remembered for a moment only.
 *
 * @module
 */

import { partitionUuid } from "../../schema/wire/ids.ts";
import type { Database } from "../storage/database.ts";
import { withConflictRetry } from "../storage/failures.ts";
import {
  groupFind,
  groupRegister,
  partitionEnsure,
  partitionFind,
  partitionNames,
  type QueueRow,
  queueEnsure,
  queueFind,
  queueFindById,
  type Subscription,
} from "../storage/queues.ts";

const QUEUES_MAX = 50_000;
const PARTITIONS_MAX = 200_000;
const ABSENT_MS = 250;
/** Age at which what is remembered of a queue is read again; the bound when a message between instances is lost. */
const REFRESH_MS = 30_000;

interface KnownQueue {
  row: QueueRow;
  readAt: number;
}

/** A partition by number and by name. */
export interface KnownPartition {
  id: number;
  name: string;
  queue: QueueRow;
  /** The id clients carry. */
  uuid: string;
}

/** Namespace and task that a queue made by a push gets from its dotted name. */
export function impliedNames(name: string): { namespace: string; task: string } {
  const parts = name.split(".");
  return { namespace: parts[0]!, task: parts[1] ?? "" };
}

/** See the module comment. */
export class Catalog {
  readonly #database: Database;
  readonly #queues = new Map<string, KnownQueue>();
  readonly #queueNames = new Map<number, string>();
  readonly #absent = new Map<string, number>();
  readonly #partitions = new Map<string, KnownPartition>();
  readonly #partitionsById = new Map<string, KnownPartition>();
  readonly #groups = new Map<string, { id: number; decided: boolean }>();

  constructor(database: Database) {
    this.#database = database;
  }

  /** Forgets what is known of these queues; of all of them when the list is empty. */
  invalidate(names: readonly string[]): void {
    if (names.length === 0) {
      for (const map of [this.#queues, this.#absent, this.#partitions, this.#partitionsById, this.#groups]) map.clear();
      this.#queueNames.clear();
      return;
    }
    for (const name of names) {
      this.#absent.delete(name);
      const known = this.#queues.get(name);
      this.#queues.delete(name);
      if (!known) continue;
      const id = known.row.id;
      for (const [key, partition] of this.#partitions) {
        if (partition.queue.id === id) this.#partitions.delete(key);
      }
      for (const [key, partition] of this.#partitionsById) {
        if (partition.queue.id === id) this.#partitionsById.delete(key);
      }
      for (const key of this.#groups.keys()) if (key.startsWith(`${id} `)) this.#groups.delete(key);
    }
  }

  #remember(row: QueueRow): QueueRow {
    if (this.#queues.size >= QUEUES_MAX) this.invalidate([]);
    this.#queues.set(row.name, { row, readAt: Date.now() });
    this.#queueNames.set(row.id, row.name);
    this.#absent.delete(row.name);
    return row;
  }

  /** The queue of a name as far as it is remembered, without asking the database. */
  knownQueue(name: string): QueueRow | null {
    const known = this.#queues.get(name);
    return known && Date.now() - known.readAt < REFRESH_MS ? known.row : null;
  }

  /** The queue of a name, or null when there is none. */
  async queue(name: string): Promise<QueueRow | null> {
    const known = this.knownQueue(name);
    if (known) return known;
    if ((this.#absent.get(name) ?? 0) > Date.now()) return null;
    const [row] = await queueFind(this.#database.look, [name]);
    if (row) return this.#remember(row);
    if (this.#absent.size >= QUEUES_MAX) this.#absent.clear();
    this.#absent.set(name, Date.now() + ABSENT_MS);
    return null;
  }

  /** The queue of an id, or null when there is none. */
  async queueById(id: number): Promise<QueueRow | null> {
    const name = this.#queueNames.get(id);
    const known = name === undefined ? null : this.knownQueue(name);
    if (known && known.id === id) return known;
    const [row] = await queueFindById(this.#database.look, [id]);
    return row ? this.#remember(row) : null;
  }

  /** Makes queues with default options where there are none. */
  async ensureQueues(names: readonly string[]): Promise<void> {
    await withConflictRetry(() =>
      queueEnsure(
        this.#database.push,
        names.map((name) => ({ name, ...impliedNames(name) })),
      ),
    );
    for (const row of await queueFind(this.#database.push, names)) this.#remember(row);
  }

  /** The partition of a name as far as it is remembered. */
  knownPartition(queue: QueueRow, name: string): KnownPartition | null {
    const known = this.#partitions.get(`${queue.id} ${name}`);
    if (!known) return null;
    known.queue = queue;
    return known;
  }

  #rememberPartition(queue: QueueRow, id: number, name: string): KnownPartition {
    if (this.#partitions.size >= PARTITIONS_MAX) {
      this.#partitions.clear();
      this.#partitionsById.clear();
    }
    const partition = { id, name, queue, uuid: partitionUuid(queue.id, id) };
    this.#partitions.set(`${queue.id} ${name}`, partition);
    this.#partitionsById.set(`${queue.id} ${id}`, partition);
    return partition;
  }

  /** The partition of a name, or null when there is none. */
  async partition(queue: QueueRow, name: string): Promise<KnownPartition | null> {
    const known = this.knownPartition(queue, name);
    if (known) return known;
    const [row] = await partitionFind(this.#database.look, queue.id, [name]);
    return row ? this.#rememberPartition(queue, row.id, row.name) : null;
  }

  /** Looks up, and makes where there are none, the partitions of these names. */
  async ensurePartitions(queue: QueueRow, names: readonly string[]): Promise<void> {
    const found = await partitionFind(this.#database.push, queue.id, names);
    for (const row of found) this.#rememberPartition(queue, row.id, row.name);
    const missing = names.filter((name) => !this.knownPartition(queue, name));
    if (missing.length === 0) return;
    await withConflictRetry(() => partitionEnsure(this.#database.push, queue.id, missing));
    for (const row of await partitionFind(this.#database.push, queue.id, missing)) {
      this.#rememberPartition(queue, row.id, row.name);
    }
  }

  /** The partition of a number, or null when it or its queue is gone. */
  async partitionById(queueId: number, partitionId: number): Promise<KnownPartition | null> {
    const known = this.#partitionsById.get(`${queueId} ${partitionId}`);
    if (known) return known;
    const queue = await this.queueById(queueId);
    if (!queue) return null;
    const [row] = await partitionNames(this.#database.look, [{ queueId, partitionId }]);
    return row ? this.#rememberPartition(queue, partitionId, row.partition) : null;
  }

  /** Notes the name of a partition that a claim brought along. */
  notePartition(queue: QueueRow, id: number, name: string): KnownPartition {
    return this.#partitionsById.get(`${queue.id} ${id}`) ?? this.#rememberPartition(queue, id, name);
  }

  /** Id of a group of a queue, or null when the queue does not have it. */
  async group(queue: QueueRow, name: string): Promise<number | null> {
    const known = this.#groups.get(`${queue.id} ${name}`);
    if (known) return known.id;
    const [row] = await groupFind(this.#database.look, queue.id, name);
    if (!row) return null;
    this.#groups.set(`${queue.id} ${name}`, { id: row.id, decided: row.subscription_mode !== null });
    return row.id;
  }

  /**
   * Id of a group, registered if need be. `partitionId` as in {@link groupRegister}.
   *
   * @returns Null when the queue is gone.
   */
  async ensureGroup(
    queue: QueueRow,
    name: string,
    subscription: Subscription,
    partitionId: number | null,
  ): Promise<number | null> {
    const key = `${queue.id} ${name}`;
    const known = this.#groups.get(key);
    if (known && (known.decided || (partitionId !== null && subscription.mode === "all"))) return known.id;
    if (!known) {
      const [row] = await groupFind(this.#database.look, queue.id, name);
      if (row && row.subscription_mode !== null) {
        this.#groups.set(key, { id: row.id, decided: true });
        return row.id;
      }
    }
    const id = await withConflictRetry(() =>
      groupRegister(this.#database.pop, { queueId: queue.id, name, subscription, partitionId }),
    );
    if (id !== null) this.#groups.set(key, { id, decided: partitionId === null });
    return id;
  }
}
