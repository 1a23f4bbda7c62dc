/**
 * What a worker remembers of queues, partitions and groups, so that hot statements can name them by number.
 *
 * Nothing here is needed for correctness: a push made under old options is refused by the store and repeated after
 * {@link Catalog.invalidate}, and a store uses no number twice; when it may be another one, {@link Catalog.doubt} is called.
 * Absence is remembered for a moment only.
 *
 * @module
 */

import { partitionUuid } from "../../schema/wire/ids.ts";
import type { Database } from "../storage/database.ts";
import { withConflictRetry } from "../storage/failures.ts";
import {
  groupFill,
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
import type { Counters } from "./counters.ts";

const QUEUES_MAX = 50_000;
/** Partitions remembered in each of two generations; about 300 bytes each. */
const PARTITIONS_MAX = 100_000;
const GROUPS_MAX = 200_000;
const ABSENT_MS = 250;
/** Age at which what is remembered of a queue is read again; the bound when a message between instances is lost. */
const REFRESH_MS = 30_000;

interface KnownQueue {
  row: QueueRow;
  readAt: number;
  /** {@link Catalog.doubt} was called so often before it was read. */
  doubts: number;
}

/** A partition by number and by name. */
export interface KnownPartition {
  id: number;
  name: string;
  queue: QueueRow;
  /** The id clients carry. */
  uuid: string;
}

interface KnownGroup {
  id: number;
  /** Its subscription is decided: pops need not register it any more. */
  decided: boolean;
}

/** Partitions of one queue. */
interface KnownPartitions {
  byName: Map<string, KnownPartition>;
  byId: Map<number, KnownPartition>;
}

/**
 * Partitions by queue, so that forgetting a queue costs one step however many partitions it has. Bounded: when the young
 * generation is full it becomes the old one, and what was not asked for since goes.
 */
class PartitionMemory {
  #young = new Map<number, KnownPartitions>();
  #old = new Map<number, KnownPartitions>();
  #youngCount = 0;

  byName(queueId: number, name: string): KnownPartition | null {
    return this.#young.get(queueId)?.byName.get(name) ?? this.#revive(this.#old.get(queueId)?.byName.get(name));
  }

  byId(queueId: number, id: number): KnownPartition | null {
    return this.#young.get(queueId)?.byId.get(id) ?? this.#revive(this.#old.get(queueId)?.byId.get(id));
  }

  #revive(partition: KnownPartition | undefined): KnownPartition | null {
    if (partition === undefined) return null;
    this.add(partition);
    return partition;
  }

  add(partition: KnownPartition): void {
    if (this.#youngCount >= PARTITIONS_MAX) {
      this.#old = this.#young;
      this.#young = new Map();
      this.#youngCount = 0;
    }
    let known = this.#young.get(partition.queue.id);
    if (!known) {
      known = { byName: new Map(), byId: new Map() };
      this.#young.set(partition.queue.id, known);
    }
    if (!known.byId.has(partition.id)) this.#youngCount += 1;
    known.byName.set(partition.name, partition);
    known.byId.set(partition.id, partition);
  }

  forget(queueId: number): void {
    this.#youngCount -= this.#young.get(queueId)?.byId.size ?? 0;
    this.#young.delete(queueId);
    this.#old.delete(queueId);
  }

  clear(): void {
    this.#young.clear();
    this.#old.clear();
    this.#youngCount = 0;
  }
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
  readonly #partitions = new PartitionMemory();
  readonly #groups = new Map<number, Map<string, KnownGroup>>();
  #groupCount = 0;
  #doubts = 0;
  #asked: { names: Set<string>; rows: Promise<Map<string, QueueRow>> } | null = null;

  /** Told of the partitions that are made. */
  readonly #counters: Counters | null;
  /** How often a queue asked for was remembered, and was not, since the start. */
  hits = 0;
  misses = 0;

  constructor(database: Database, counters: Counters | null = null) {
    this.#database = database;
    this.#counters = counters;
  }

  /** Queues remembered. */
  get size(): number {
    return this.#queues.size;
  }

  /** Forgets what is known of these queues; of all of them when the list is empty. */
  invalidate(names: readonly string[]): void {
    if (names.length === 0) {
      this.#queues.clear();
      this.#queueNames.clear();
      this.#absent.clear();
      this.#partitions.clear();
      this.#groups.clear();
      this.#groupCount = 0;
      return;
    }
    for (const name of names) {
      this.#absent.delete(name);
      const known = this.#queues.get(name);
      this.#queues.delete(name);
      if (!known) continue;
      const { id } = known.row;
      this.#queueNames.delete(id);
      this.#partitions.forget(id);
      this.#groupCount -= this.#groups.get(id)?.size ?? 0;
      this.#groups.delete(id);
    }
  }

  /** The store may be another one, which gave the same numbers to others: all is read again. {@link remembered} stays. */
  doubt(): void {
    this.#doubts += 1;
    this.#queueNames.clear();
    this.#absent.clear();
    this.#partitions.clear();
    this.#groups.clear();
    this.#groupCount = 0;
  }

  #remember(row: QueueRow): QueueRow {
    if (this.#queues.size >= QUEUES_MAX) this.invalidate([]);
    this.#queues.set(row.name, { row, readAt: Date.now(), doubts: this.#doubts });
    this.#queueNames.set(row.id, row.name);
    this.#absent.delete(row.name);
    return row;
  }

  /** The queue of a name as far as it is remembered, without asking the database. */
  knownQueue(name: string): QueueRow | null {
    const known = this.#queues.get(name);
    if (known?.doubts === this.#doubts && Date.now() - known.readAt < REFRESH_MS) {
      this.hits += 1;
      return known.row;
    }
    this.misses += 1;
    return null;
  }

  /** The queue of a name as it was when it was last read, however long ago. */
  remembered(name: string): QueueRow | null {
    return this.#queues.get(name)?.row ?? null;
  }

  /** The queue of a name, or null when there is none. */
  async queue(name: string): Promise<QueueRow | null> {
    const known = this.knownQueue(name);
    if (known) return known;
    if ((this.#absent.get(name) ?? 0) > Date.now()) return null;
    const row = await this.#find(name);
    if (row) return this.#remember(row);
    if (this.#absent.size >= QUEUES_MAX) this.#absent.clear();
    this.#absent.set(name, Date.now() + ABSENT_MS);
    return null;
  }

  /** Reads the queue of a name, together with what else is asked for in the same turn of the event loop. */
  async #find(name: string): Promise<QueueRow | undefined> {
    this.#asked ??= {
      names: new Set(),
      rows: new Promise<void>((resolve) => setImmediate(resolve)).then(async () => {
        const { names } = this.#asked!;
        this.#asked = null;
        const rows = await queueFind(this.#database.look, [...names]);
        return new Map(rows.map((row) => [row.name, row]));
      }),
    };
    this.#asked.names.add(name);
    return (await this.#asked.rows).get(name);
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
    const known = this.#partitions.byName(queue.id, name);
    if (!known) return null;
    known.queue = queue;
    return known;
  }

  #rememberPartition(queue: QueueRow, id: number, name: string): KnownPartition {
    const partition = { id, name, queue, uuid: partitionUuid(queue.id, id) };
    this.#partitions.add(partition);
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
    for (const row of await partitionFind(this.#database.push, queue.id, names)) {
      this.#rememberPartition(queue, row.id, row.name);
    }
    const missing = names.filter((name) => !this.knownPartition(queue, name));
    if (missing.length === 0) return;
    const made = await withConflictRetry(() => partitionEnsure(this.#database.push, queue.id, missing));
    for (const row of made) this.#rememberPartition(queue, row.id, row.name);
    if (made.length > 0) this.#counters?.partitions("partitionsCreated", queue.id, made.length);
    if (made.length === missing.length) return;
    // Somebody else made some of them meanwhile.
    const found = await partitionFind(this.#database.push, queue.id, missing);
    for (const row of found) this.#rememberPartition(queue, row.id, row.name);
    // Where none can be made the queue is gone; the caller's next round finds out what stands in its place.
    if (found.length < missing.length) this.invalidate([queue.name]);
  }

  /** The partition of a number, or null when it or its queue is gone. */
  async partitionById(queueId: number, partitionId: number): Promise<KnownPartition | null> {
    const known = this.#partitions.byId(queueId, partitionId);
    if (known) return known;
    const queue = await this.queueById(queueId);
    if (!queue) return null;
    const [row] = await partitionNames(this.#database.look, [{ queueId, partitionId }]);
    return row ? this.#rememberPartition(queue, partitionId, row.partition) : null;
  }

  /** Notes the name of a partition that a claim brought along. */
  notePartition(queue: QueueRow, id: number, name: string): KnownPartition {
    return this.#partitions.byId(queue.id, id) ?? this.#rememberPartition(queue, id, name);
  }

  #rememberGroup(queue: QueueRow, name: string, group: KnownGroup): void {
    if (this.#groupCount >= GROUPS_MAX) {
      this.#groups.clear();
      this.#groupCount = 0;
    }
    const groups = this.#groups.get(queue.id) ?? new Map<string, KnownGroup>();
    if (!groups.has(name)) this.#groupCount += 1;
    this.#groups.set(queue.id, groups.set(name, group));
  }

  /** Id of a group of a queue, or null when the queue does not have it. */
  async group(queue: QueueRow, name: string): Promise<number | null> {
    const known = this.#groups.get(queue.id)?.get(name);
    if (known) return known.id;
    const [row] = await groupFind(this.#database.look, queue.id, name);
    if (!row) return null;
    this.#rememberGroup(queue, name, { id: row.id, decided: row.subscription_mode !== null && !row.filling });
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
    const known = this.#groups.get(queue.id)?.get(name);
    if (known && (known.decided || (partitionId !== null && subscription.mode === "all"))) return known.id;
    if (!known) {
      const [row] = await groupFind(this.#database.look, queue.id, name);
      if (row && row.subscription_mode !== null && !row.filling) {
        this.#rememberGroup(queue, name, { id: row.id, decided: true });
        return row.id;
      }
    }
    const { id, filling } = await withConflictRetry(() =>
      groupRegister(this.#database.pop, { queueId: queue.id, name, subscription, partitionId }),
    );
    for (let more = filling; more && id !== null; ) {
      more = await withConflictRetry(() => groupFill(this.#database.pop, queue.id, id));
    }
    if (id !== null) this.#rememberGroup(queue, name, { id, decided: partitionId === null });
    return id;
  }
}
