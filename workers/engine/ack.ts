/**
 * Ack: what consumers say of messages, first resolved to offsets, then recorded by cursor.
 *
 * @module
 */

import type { AckResult } from "../../schema/wire/ack-answer.ts";
import type { AckItem } from "../../schema/wire/ack-request.ts";
import { QueenError } from "../../schema/wire/errors.ts";
import { isUuid } from "../../schema/wire/fields.ts";
import { parsePartitionUuid } from "../../schema/wire/ids.ts";
import { type Acknowledge, type AcknowledgeRow, cursorAcknowledge } from "../storage/cursors.ts";
import { isAway, withConflictRetry } from "../storage/failures.ts";
import { rangesOf } from "../storage/literals.ts";
import { Batcher } from "./batcher.ts";
import type { KnownPartition } from "./catalog.ts";
import type { EngineContext } from "./context.ts";
import { countAck } from "./count-work.ts";
import { tellAcknowledged } from "./event-details.ts";
import { locateMessages } from "./find-message.ts";
import type { LeaseBook } from "./lease-book.ts";
import { unlessStuck } from "./stuck.ts";

/** Statuses that say something. */
const DONE: ReadonlySet<string> = new Set(["completed", "success"]);
const KNOWN: ReadonlySet<string> = new Set(["completed", "success", "failed", "dlq", "retry"]);

/** Items of a request that concern one cursor under one lease. */
export interface AckBundle {
  partition: KnownPartition;
  groupId: number;
  leaseId: string | null;
  /** Parallel: index in the request, and offset. */
  indexes: number[];
  offsets: number[];
}

/** Decides what an acknowledgement counts as; transactions have rules of their own. */
export interface AckRules {
  /** Whether `failed` dead-letters whatever the retry limit says, and gives the lease back. */
  failedIsFinal: boolean;
  /** Text of a dead letter whose consumer gave none. */
  absentError: string;
}

interface Waiting {
  entry: Acknowledge;
  resolve(rows: AcknowledgeRow[]): void;
  reject(error: unknown): void;
}

const FLIGHTS_MAX = 2;
const FLIGHT_WEIGHT_MAX = 2_000;

/** Acknowledges for one worker. */
export class Acker {
  readonly #context: EngineContext;
  readonly #leases: LeaseBook;
  readonly #batcher: Batcher<Waiting>;

  constructor(context: EngineContext, leases: LeaseBook) {
    this.#context = context;
    this.#leases = leases;
    this.#batcher = new Batcher<Waiting>({
      flightsMax: FLIGHTS_MAX,
      extraFlightWeightMin: 100,
      flightWeightMax: FLIGHT_WEIGHT_MAX,
      weigh: (item) => 1 + item.entry.failed.length,
      bondsOf: ({ entry }) => [`${entry.queueId} ${entry.partitionId} ${entry.groupId}`],
      bondsShare: false,
      ownerOf: ({ entry }) => entry.queueId,
      sizes: context.counters.flights("ack"),
      fly: (items) => this.#fly(items),
    });
  }

  /** Resolves when nothing is under way. */
  drained(): Promise<void> {
    return this.#batcher.drained();
  }

  /**
   * Records acknowledgements.
   *
   * @param single - Whether this is the single form, whose dead letters have an empty text when none is given.
   * @returns One result an item, in order. What is reported is on disk and seen by every pop that starts now.
   * @throws {@link QueenError} `DATABASE_UNAVAILABLE`; the outcome is then unknown, and repeating is safe.
   */
  async ack(items: readonly AckItem[], single: boolean): Promise<AckResult[]> {
    const rules: AckRules = { failedIsFinal: false, absentError: single ? "" : "Retries exhausted" };
    try {
      const { bundles, results } = await this.resolve(items);
      await this.#record(bundles, items, results, rules);
      if (this.#context.events.listening) tellAcknowledged(this.#context.events, items, results);
      countAck(this.#context.counters, bundles, items, results);
      return results;
    } catch (error) {
      if (isAway(error)) throw new QueenError("DATABASE_UNAVAILABLE", {}, { cause: error });
      throw error;
    }
  }

  /**
   * Finds the offset of each message.
   *
   * @returns Bundles by cursor and lease, and results that stand unless the recording says otherwise: those of unknown
   * messages and statuses are final.
   */
  async resolve(items: readonly AckItem[]): Promise<{ bundles: AckBundle[]; results: AckResult[] }> {
    const results: AckResult[] = items.map((item, index) => ({
      index,
      transactionId: item.transactionId,
      success: false,
      error: null,
      queueName: null,
      partitionName: null,
      leaseReleased: null,
      dlq: false,
    }));
    const byTarget = new Map<string, number[]>();
    let before: AckItem | null = null;
    let list: number[] = [];
    for (let index = 0; index < items.length; index += 1) {
      const item = items[index]!;
      const same =
        before !== null &&
        item.partitionId === before.partitionId &&
        item.leaseId === before.leaseId &&
        item.group === before.group;
      if (!same) {
        const key = `${item.partitionId} ${item.leaseId ?? ""} ${item.group}`;
        list = byTarget.get(key) ?? [];
        byTarget.set(key, list);
        before = item;
      }
      list.push(index);
    }
    const bundles = await Promise.all([...byTarget.values()].map((indexes) => this.#bundle(items, indexes, results)));
    return { bundles: bundles.filter((bundle) => bundle !== null), results };
  }

  async #bundle(
    items: readonly AckItem[],
    indexes: readonly number[],
    results: AckResult[],
  ): Promise<AckBundle | null> {
    const first = items[indexes[0]!]!;
    const ref = parsePartitionUuid(first.partitionId);
    const partition = ref && (await this.#context.catalog.partitionById(ref.queueId, ref.partitionId));
    if (!partition) {
      for (const index of indexes) results[index]!.error = "Message not found";
      return null;
    }
    for (const index of indexes) {
      results[index]!.queueName = partition.queue.name;
      results[index]!.partitionName = partition.name;
    }
    const known = await this.#context.catalog.group(partition.queue, first.group);
    const offsets = await this.#locate(partition, known, first.leaseId, items, indexes);
    const groupId = known ?? (await this.#groupFor(partition, items, indexes, offsets));
    const bundle: AckBundle = { partition, groupId: groupId ?? 0, leaseId: first.leaseId, indexes: [], offsets: [] };
    for (let at = 0; at < indexes.length; at += 1) {
      const result = results[indexes[at]!]!;
      const offset = offsets[at] ?? null;
      if (offset === null) result.error = "Message not found";
      else if (first.leaseId !== null && !isUuid(first.leaseId)) result.error = "Invalid or expired lease";
      else if (KNOWN.has(items[indexes[at]!]!.status)) {
        result.success = true;
        bundle.indexes.push(indexes[at]!);
        bundle.offsets.push(offset);
      }
    }
    if (groupId === null) {
      // Nobody of this group ever popped here: there is no lease to hold and no cursor to move.
      for (const index of bundle.indexes) {
        if (first.leaseId === null) continue;
        results[index]!.success = false;
        results[index]!.error = "Invalid or expired lease";
      }
      return null;
    }
    return bundle.indexes.length > 0 ? bundle : null;
  }

  /**
   * Registers the unknown group of these items when a failure has to be recorded for it; null when nothing needs it. A
   * message that does not exist must leave no group behind: retention would wait for it.
   */
  async #groupFor(
    partition: KnownPartition,
    items: readonly AckItem[],
    indexes: readonly number[],
    offsets: readonly (number | null)[],
  ): Promise<number | null> {
    const { group, leaseId } = items[indexes[0]!]!;
    const fails = indexes.some((index, at) => {
      const { status } = items[index]!;
      return (status === "failed" || status === "dlq") && (offsets[at] ?? null) !== null;
    });
    if (!fails || leaseId !== null) return null;
    return await this.#context.catalog.ensureGroup(partition.queue, group, { mode: "all", from: null }, partition.id);
  }

  async #locate(
    partition: KnownPartition,
    groupId: number | null,
    leaseId: string | null,
    items: readonly AckItem[],
    indexes: readonly number[],
  ): Promise<(number | null)[]> {
    const at = { queueId: partition.queue.id, partitionId: partition.id };
    const part = groupId === null ? null : this.#leases.find({ leaseId, ...at, groupId });
    const offsets = indexes.map((index) => part?.find(items[index]!.transactionId) ?? null);
    const missing = offsets.flatMap((offset, position) => (offset === null ? [position] : []));
    if (missing.length > 0) {
      const found = await locateMessages(
        this.#context,
        this.#context.database.ack,
        at,
        missing.map((position) => items[indexes[position]!]!.transactionId),
      );
      for (let position = 0; position < missing.length; position += 1) {
        offsets[missing[position]!] = found[position] ?? null;
      }
    }
    return offsets;
  }

  async #record(
    bundles: readonly AckBundle[],
    items: readonly AckItem[],
    results: AckResult[],
    rules: AckRules,
  ): Promise<void> {
    // Bundles of one cursor under different leases are recorded one after another: the first may release.
    await Promise.all(
      bundles.map(async (bundle) => {
        const entry = acknowledgeOf(bundle, items, rules);
        const rows = await new Promise<AcknowledgeRow[]>((resolve, reject) => {
          this.#batcher.add({ entry, resolve, reject });
        });
        applyRows(bundle, items, results, rows);
        if (rows.some((row) => row.released === true && row.outcome === "recorded")) {
          if (bundle.leaseId !== null) this.#leases.release(bundle.leaseId, bundle.partition.id);
          this.#context.queuesReady([bundle.partition.queue.id], [bundle.partition.id]);
        }
      }),
    );
  }

  async #fly(items: Waiting[]): Promise<void> {
    items.sort(
      ({ entry: a }, { entry: b }) => a.queueId - b.queueId || a.partitionId - b.partitionId || a.groupId - b.groupId,
    );
    try {
      const entries = items.map((item) => item.entry);
      const work = withConflictRetry(() => cursorAcknowledge(this.#context.database.ack, entries));
      const rows = await unlessStuck(this.#context, work);
      const byEntry = items.map((): AcknowledgeRow[] => []);
      for (const row of rows) byEntry[row.entry - 1]!.push(row);
      for (let at = 0; at < items.length; at += 1) items[at]!.resolve(byEntry[at]!);
    } catch (error) {
      for (const item of items) item.reject(error);
    }
  }
}

/** The store's entry for a bundle. */
export function acknowledgeOf(bundle: AckBundle, items: readonly AckItem[], rules: AckRules): Acknowledge {
  const done: number[] = [];
  const failed: Acknowledge["failed"] = [];
  const released: number[] = [];
  for (let at = 0; at < bundle.indexes.length; at += 1) {
    const item = items[bundle.indexes[at]!]!;
    const offset = bundle.offsets[at]!;
    if (DONE.has(item.status)) done.push(offset);
    else if (item.status === "retry") released.push(offset);
    else {
      const final = item.status === "dlq" || rules.failedIsFinal;
      failed.push({ offset, error: item.error ?? rules.absentError, final });
      if (rules.failedIsFinal) released.push(offset);
    }
  }
  const { partition, groupId, leaseId } = bundle;
  return {
    queueId: partition.queue.id,
    partitionId: partition.id,
    groupId,
    leaseId,
    done: rangesOf(done),
    released: rangesOf(released),
    failed,
  };
}

/** Writes what the store answered for a bundle into the results of its items. */
export function applyRows(
  bundle: AckBundle,
  items: readonly AckItem[],
  results: AckResult[],
  rows: readonly AcknowledgeRow[],
): void {
  const dead = new Set(rows.flatMap((row) => (row.outcome === "dead" ? [row.message_offset!] : [])));
  const main = rows.find((row) => row.outcome !== "dead");
  for (let at = 0; at < bundle.indexes.length; at += 1) {
    const result = results[bundle.indexes[at]!]!;
    if (main?.outcome === "lease") {
      result.success = false;
      result.error = "Invalid or expired lease";
      continue;
    }
    result.leaseReleased = main?.outcome === "recorded" ? main.released : null;
    const { status } = items[bundle.indexes[at]!]!;
    result.dlq = (status === "failed" || status === "dlq") && dead.has(bundle.offsets[at]!);
    // The contract shows the lease as not released beside a dead letter, whatever became of it.
    if (result.dlq) result.leaseReleased = false;
  }
}
