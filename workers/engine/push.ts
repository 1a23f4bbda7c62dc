/**
 * Push: messages become segments, one a partition and flight.
 *
 * A unit (the messages of one request for one partition) waits for a flight; a flight appends one segment to each of its
 * partitions in one transaction, and goes round again for what the store did not take: messages that turned out to be
 * duplicates are taken out, options that changed are read anew, and what did not fit one segment follows.
 *
 * A flight whose connection was lost is repeated: the store reports what had been appended after all as duplicates of
 * messages with the ids this very flight drew, which makes them `queued`.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { fieldError, QueenError } from "../../schema/wire/errors.ts";
import { messageId } from "../../schema/wire/ids.ts";
import type { PushResult } from "../../schema/wire/push-answer.ts";
import type { PushItem } from "../../schema/wire/push-item.ts";
import { isAway, withConflictRetry } from "../storage/failures.ts";
import { type SegmentAppendRow, segmentAppend } from "../storage/segments.ts";
import { type Draft, gatherPlaces, makeDraft, recentKey, settleFollowers } from "./append.ts";
import { Batcher } from "./batcher.ts";
import type { KnownPartition } from "./catalog.ts";
import type { EngineContext } from "./context.ts";
import { countPush } from "./count-work.ts";
import { collectResults, makeUnits, type PushUnit, settleRepeats } from "./push-unit.ts";
import { RecentKeys } from "./recent-keys.ts";
import { Segment } from "./segment.ts";
import { unlessStuck } from "./stuck.ts";

/** Measured: fewer, fuller flights win; a second one only pays when there is a body's worth of work for it. */
const FLIGHTS_MAX = 2;
const EXTRA_FLIGHT_BYTES_MIN = 128 * 1024;
const FLIGHT_BYTES_MAX = 8 * 1024 * 1024;
/** How often a flight meets changed options or a vanished queue before its messages are refused. */
const SURPRISES_MAX = 5;
/** How long a push waits for a database that went away: before it is refused, or before it is spooled. */
const AWAY_MS_MAX = 5_000;
const AWAY_BEFORE_SPOOL_MS_MAX = 1_000;

interface Waiting {
  unit: PushUnit;
  resolve(): void;
  reject(error: unknown): void;
}

/** Appends for one worker. */
export class Pusher {
  readonly #context: EngineContext;
  readonly #batcher: Batcher<Waiting>;
  /** What this worker appended lately; shared with transactions. */
  readonly recent = new RecentKeys();

  constructor(context: EngineContext) {
    this.#context = context;
    this.#batcher = new Batcher<Waiting>({
      flightsMax: FLIGHTS_MAX,
      extraFlightWeightMin: EXTRA_FLIGHT_BYTES_MIN,
      flightWeightMax: FLIGHT_BYTES_MAX,
      weigh: (item) => item.unit.bytes,
      bondsOf: (item) => [`${item.unit.queue}\0${item.unit.partition}`],
      bondsShare: true,
      ownerOf: (item) => item.unit.queue,
      sizes: context.counters.flights("push"),
      fly: (items) => this.#fly(items),
    });
  }

  /**
   * Appends the items of one request.
   *
   * @param items - In the order their offsets shall have within each partition.
   * @returns One result an item, in order. They are on disk and visible to every pop that starts now.
   * @throws {@link QueenError} `QUEUE_UNKNOWN` or `ENCRYPTION_KEY_MISSING` (items of other queues of the request may be
   * appended), `DATABASE_UNAVAILABLE` (unknown outcome; a repeat with the same transaction ids is safe).
   */
  async push(items: readonly PushItem[], cbor: boolean, producerSub: string | null): Promise<PushResult[]> {
    const units = makeUnits(items, cbor, producerSub);
    await this.append(units);
    countPush(this.#context, units);
    return collectResults(units, items.length);
  }

  /**
   * Appends units that come before anything that is appended later to the same partitions.
   *
   * @throws {@link QueenError} As {@link Pusher.push}, once no unit is under way any more; those that are settled were
   * appended or refused, the outcome of the others is unknown.
   */
  async append(units: readonly PushUnit[]): Promise<void> {
    await prepare(this.#context, units);
    const flights = units.map(
      (unit) => new Promise<void>((resolve, reject) => this.#batcher.add({ unit, resolve, reject })),
    );
    try {
      await Promise.all(flights);
    } catch (error) {
      await Promise.allSettled(flights);
      throw error;
    }
  }

  /** Resolves when nothing is under way. */
  drained(): Promise<void> {
    return this.#batcher.drained();
  }

  async #fly(items: Waiting[]): Promise<void> {
    const units = items.map((item) => item.unit);
    try {
      const touched = new Map<number, KnownPartition>();
      for (let surprises = 0; ; ) {
        const { drafts, settle } = await this.#drafts(units);
        if (drafts.length > 0) {
          const rows = await appendSurely(this.#context, drafts);
          if (this.#apply(drafts, rows, touched)) surprises += 1;
        } else surprises += 1;
        settle();
        if (units.every(isSettled)) break;
        if (surprises > SURPRISES_MAX) throw new QueenError("DATABASE_UNAVAILABLE");
      }
      if (touched.size > 0) announce(this.#context, [...touched.values()]);
      for (const item of items) {
        settleRepeats(item.unit);
        item.resolve();
      }
    } catch (error) {
      for (const item of items) {
        if (isSettled(item.unit)) {
          settleRepeats(item.unit);
          item.resolve();
        } else item.reject(error);
      }
    }
  }

  /** One draft for each partition that still has messages without an outcome. */
  async #drafts(units: readonly PushUnit[]): Promise<{ drafts: Draft[]; settle: () => void }> {
    const byPartition = new Map<string, PushUnit[]>();
    for (const unit of units) {
      if (isSettled(unit)) continue;
      const key = `${unit.queue}\0${unit.partition}`;
      const list = byPartition.get(key);
      // A segment is of one format; units of the other one wait for the next round.
      if (list === undefined) byPartition.set(key, [unit]);
      else if (list[0]!.cbor === unit.cbor) list.push(unit);
    }
    const pending = [...byPartition.values()];
    await prepare(
      this.#context,
      pending.map((list) => list[0]!),
    );
    const drafts: Draft[] = [];
    const followers: ReturnType<typeof gatherPlaces>["followers"] = [];
    for (const list of pending) {
      const queue = this.#context.catalog.knownQueue(list[0]!.queue);
      const partition = queue && this.#context.catalog.knownPartition(queue, list[0]!.partition);
      if (!partition) continue;
      const gathered = gatherPlaces(list);
      followers.push(...gathered.followers);
      if (gathered.places.length > 0) {
        drafts.push(makeDraft(this.#context, this.recent, partition, gathered.places));
      }
    }
    sortDrafts(drafts);
    return { drafts, settle: () => settleFollowers(followers) };
  }

  /** Takes over what the store answered. True when something changed under the flight's feet. */
  #apply(drafts: readonly Draft[], rows: readonly SegmentAppendRow[], touched: Map<number, KnownPartition>): boolean {
    let surprised = false;
    for (const row of rows) {
      const draft = drafts[row.entry - 1]!;
      switch (row.outcome) {
        case "appended":
          noteAppended(this.#context, this.recent, draft, row);
          for (let at = 0; at < draft.places.length; at += 1) {
            const { unit, index } = draft.places[at]!;
            unit.outcomes[index] = {
              status: "queued",
              messageId: messageId(draft.append.idBase, at),
              partitionId: draft.partition.uuid,
              offset: row.first_offset! + at,
            };
          }
          touched.set(draft.partition.id, draft.partition);
          break;
        case "duplicate":
          takeDuplicate(draft, row);
          if (row.existing_id_base === draft.append.idBase) {
            this.#context.counters.pushed(draft.partition.queue.id, 1);
            touched.set(draft.partition.id, draft.partition);
          }
          break;
        case "full":
          refuse(draft, row);
          break;
        case "missing":
        case "stale":
          this.#context.catalog.invalidate([draft.partition.queue.name]);
          surprised = true;
          break;
      }
    }
    return surprised;
  }
}

function isSettled(unit: PushUnit): boolean {
  const { outcomes, repeats } = unit;
  for (let index = 0; index < outcomes.length; index += 1) {
    if (outcomes[index] === null && (repeats === null || repeats[index]! < 0)) return false;
  }
  return true;
}

/** The lock order of the store. */
export function sortDrafts(drafts: Draft[]): void {
  drafts.sort((a, b) => a.append.queueId - b.append.queueId || a.append.partitionId - b.append.partitionId);
}

/**
 * Makes sure that the queues and partitions of these units are known, and may be pushed to.
 *
 * @throws {@link QueenError} `QUEUE_UNKNOWN`, `ENCRYPTION_KEY_MISSING`, `DATABASE_UNAVAILABLE`.
 */
export async function prepare(
  context: EngineContext,
  units: readonly { queue: string; partition: string }[],
): Promise<void> {
  const { catalog, settings } = context;
  const partitions = new Map<string, Set<string>>();
  for (const { queue, partition } of units) {
    const known = catalog.knownQueue(queue);
    if (known && catalog.knownPartition(known, partition)) {
      if (known.encryption_enabled && !context.ring.usable) throw new QueenError("ENCRYPTION_KEY_MISSING", { queue });
      continue;
    }
    const names = partitions.get(queue) ?? new Set();
    partitions.set(queue, names.add(partition));
  }
  if (partitions.size === 0) return;
  const unknown: string[] = [];
  for (const name of partitions.keys()) if (!(await away(context, catalog.queue(name)))) unknown.push(name);
  if (unknown.length > 0) {
    if (!settings.autoCreateQueues) throw new QueenError("QUEUE_UNKNOWN", { queue: unknown[0]! });
    await away(context, catalog.ensureQueues(unknown));
    for (const name of unknown) context.queueChanged(name);
  }
  for (const [name, names] of partitions) {
    const queue = await away(context, catalog.queue(name));
    // Deleted this very moment: the caller's next round makes it anew.
    if (!queue) continue;
    if (queue.encryption_enabled && !context.ring.usable)
      throw new QueenError("ENCRYPTION_KEY_MISSING", { queue: name });
    await away(context, catalog.ensurePartitions(queue, [...names]));
  }
}

/** Turns the failures of an unreachable database into the error clients get for it. */
async function away<T>(context: EngineContext, work: Promise<T>): Promise<T> {
  try {
    return await unlessStuck(context, work);
  } catch (error) {
    if (isAway(error)) throw new QueenError("DATABASE_UNAVAILABLE", {}, { cause: error });
    throw error;
  }
}

/** Appends, again and again while the database is away; repeating is safe because the drafts' ids stay the same. */
async function appendSurely(context: EngineContext, drafts: readonly Draft[]): Promise<SegmentAppendRow[]> {
  const entries = drafts.map((draft) => draft.append);
  const bodies = entries.length === 1 ? entries[0]!.body : Buffer.concat(entries.map((entry) => entry.body));
  const keys = entries.length === 1 ? entries[0]!.keys : Buffer.concat(entries.map((entry) => entry.keys));
  const deadline = Date.now() + (context.settings.spool === null ? AWAY_MS_MAX : AWAY_BEFORE_SPOOL_MS_MAX);
  for (let pause = 50; ; pause = Math.min(pause * 2, 500)) {
    try {
      const work = withConflictRetry(() => segmentAppend(context.database.push, entries, bodies, keys));
      return await unlessStuck(context, work);
    } catch (error) {
      if (isRefusal(error)) throw fieldError("An item holds text that cannot be stored");
      if (!isAway(error)) throw error;
      if (Date.now() + pause > deadline) throw new QueenError("DATABASE_UNAVAILABLE", {}, { cause: error });
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }
}

/** SQLSTATE class 22 is bad data: repeating it would never help. */
function isRefusal(error: unknown): boolean {
  return String((error as { code?: unknown })?.code ?? "").startsWith("22");
}

/** Remembers a segment that was appended: its keys, and its body for pops. */
export function noteAppended(context: EngineContext, recent: RecentKeys, draft: Draft, row: SegmentAppendRow): void {
  const { append, partition, body, places } = draft;
  if (context.events.listening) {
    const idAt = (at: number) => places[at]!.unit.transactionIds[places[at]!.index]!;
    context.events.pushed(partition.queue.name, partition.name, places.length, idAt);
  }
  recent.appended(recentKey(partition), {
    firstOffset: row.first_offset!,
    messageCount: append.messageCount,
    epoch: row.epoch!,
    idBase: append.idBase,
    min: append.txMin,
    max: append.txMax,
    keys: append.keys,
    txHighBefore: row.tx_high_before,
  });
  const facts = {
    partitionId: partition.id,
    firstOffset: row.first_offset!,
    messageCount: append.messageCount,
    createdAt: row.created_at!,
    idBase: append.idBase,
    keys: append.keys,
  };
  context.counters.pushed(partition.queue.id, append.messageCount);
  const stored = { format: append.format, bytes: append.body };
  context.segments.put(partition.queue.id, new Segment(facts, stored, context.ring, body));
}

function takeDuplicate(draft: Draft, row: SegmentAppendRow): void {
  const { unit, index } = draft.places[row.batch_index!]!;
  const existing = messageId(row.existing_id_base!, row.existing_offset! - row.existing_first!);
  unit.outcomes[index] =
    row.existing_id_base === draft.append.idBase
      ? {
          status: "queued",
          messageId: existing,
          partitionId: draft.partition.uuid,
          offset: row.existing_offset!,
        }
      : { status: "duplicate", messageId: existing };
}

/** The queue is full: the first `room` messages go round again, the others are refused. */
function refuse(draft: Draft, row: SegmentAppendRow): void {
  const error = `Queue '${draft.partition.queue.name}' is full: depth ${row.depth! + row.room!}, limit ${row.max_size} (maxSize)`;
  for (const { unit, index } of draft.places.slice(row.room!)) unit.outcomes[index] = { status: "failed", error };
}

/** Wakes parked pops of these partitions' queues. */
export function announce(context: EngineContext, partitions: readonly KnownPartition[]): void {
  context.queuesReady(
    new Set(partitions.map((partition) => partition.queue.id)),
    partitions.map((partition) => partition.id),
  );
}
