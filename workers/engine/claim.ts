/**
 * Claiming: pops of one queue and group that arrive together claim their partitions in one statement.
 *
 * @module
 */

import { newLeaseId, partitionUuid } from "../../schema/wire/ids.ts";
import type { PopAnswer, PopPiece } from "../../schema/wire/pop-answer.ts";
import type { PackedPartition, SegmentAnswer } from "../../schema/wire/segment-answer.ts";
import { type ClaimRow, type ClaimSlot, cursorAcknowledge, cursorClaim } from "../storage/cursors.ts";
import { isAway, isConflict, withConflictRetry } from "../storage/failures.ts";
import { parseMultirange } from "../storage/literals.ts";
import { Batcher } from "./batcher.ts";
import type { EngineContext } from "./context.ts";
import { countDelivery } from "./count-work.ts";
import { type LeaseBook, LeasePart } from "./lease-book.ts";
import { readSegments } from "./read.ts";
import type { ReadyFloors } from "./ready-floors.ts";
import type { Segment } from "./segment.ts";
import { Unreadable } from "./unreadable.ts";

/** What pops must agree in to be claimed for by one statement. */
export interface ClaimKey {
  queueId: number;
  queueName: string;
  groupId: number;
  groupName: string;
  partitionId: number | null;
  autoAck: boolean;
}

/** One pop's wish. */
interface ClaimWish {
  batch: number;
  partitions: number;
  /** Whether it wants the segments as they are stored. */
  packed: boolean;
  /** Whether its empty hands are the answer: it must then have looked at everything. */
  final: boolean;
  /** The client went away: nothing is claimed for it, and what was is given back. */
  cancelled(): boolean;
  resolve(answer: PopAnswer | SegmentAnswer | null): void;
  reject(error: unknown): void;
}

const SLOTS_MAX = 1_000;
const FLIGHTS_MAX = 2;
/** How often one flight claims anew when what it got cannot be read. */
const READ_ROUNDS_MAX = 8;

/** Claims for one worker. */
export class Claimer {
  readonly #context: EngineContext;
  readonly #leases: LeaseBook;
  readonly #floors: ReadyFloors;
  readonly #unreadable: Unreadable;
  readonly #batchers = new Map<string, Batcher<ClaimWish>>();

  constructor(context: EngineContext, leases: LeaseBook, floors: ReadyFloors) {
    this.#context = context;
    this.#leases = leases;
    this.#floors = floors;
    this.#unreadable = new Unreadable(context);
  }

  /**
   * Claims for one pop.
   *
   * @returns Null when nothing can be delivered now, or the pop was cancelled.
   * @throws The driver's error.
   */
  claim(
    key: ClaimKey,
    wish: Pick<ClaimWish, "batch" | "partitions" | "packed" | "final" | "cancelled">,
  ): Promise<PopAnswer | SegmentAnswer | null> {
    const name = `${key.queueId} ${key.groupId} ${key.partitionId} ${key.autoAck}`;
    let batcher = this.#batchers.get(name);
    if (!batcher) {
      batcher = new Batcher<ClaimWish>({
        flightsMax: FLIGHTS_MAX,
        // A claim of many messages leaves the next one nothing to wait for but decoding.
        extraFlightWeightMin: 1_000,
        flightWeightMax: 200_000,
        weigh: (item) => item.batch,
        bondsOf: () => [],
        bondsShare: true,
        sizes: this.#context.counters.flights("pop"),
        fly: (wishes) => this.#fly(key, wishes),
      });
      this.#batchers.set(name, batcher);
    }
    return new Promise((resolve, reject) => batcher.add({ ...wish, resolve, reject }));
  }

  async #fly(key: ClaimKey, all: ClaimWish[]): Promise<void> {
    const wishes = all.filter((wish) => !wish.cancelled());
    for (const wish of all) if (wish.cancelled()) wish.resolve(null);
    try {
      if (wishes.length > 0) await this.#claimFor(key, wishes);
    } catch (error) {
      for (const wish of wishes) wish.reject(error);
    }
    const name = `${key.queueId} ${key.groupId} ${key.partitionId} ${key.autoAck}`;
    if (this.#batchers.get(name)?.waitingCount === 0) this.#batchers.delete(name);
  }

  async #claimFor(key: ClaimKey, wishes: readonly ClaimWish[], round = 1): Promise<void> {
    const { settings } = this.#context;
    const leaseIds = wishes.map(() => (key.autoAck ? "" : newLeaseId(key.queueId, key.groupId, settings.index)));
    const slots = wishes.flatMap((wish, pop) =>
      Array.from({ length: key.partitionId === null ? Math.min(wish.partitions, SLOTS_MAX) : 1 }, () => ({
        pop,
        batch: wish.batch,
        leaseId: leaseIds[pop] === "" ? null : leaseIds[pop]!,
      })),
    );
    const rows = await this.#claimSlots(key, slots, (pop) => wishes[pop]!.final);
    if (rows.length === 0) {
      for (const wish of wishes) wish.resolve(null);
      return;
    }
    let read: ReadClaims;
    try {
      read = await this.#read(key, wishes, rows);
    } catch (error) {
      if (isAway(error) || isConflict(error)) {
        // Nobody will get these: let others try at once.
        if (!key.autoAck) await this.#giveBack(key, rows, leaseIds).catch(() => {});
        throw error;
      }
      const readable = await this.#readEach(key, wishes, rows, leaseIds);
      const hungry = wishes.filter((_, pop) => !readable.rows.some((row) => row.pop === pop));
      const again = round < READ_ROUNDS_MAX ? hungry : [];
      this.#deliver(key, wishes, readable, leaseIds, new Set(again));
      if (again.length > 0) await this.#claimFor(key, again, round + 1);
      return;
    }
    this.#deliver(key, wishes, read, leaseIds);
  }

  async #read(key: ClaimKey, wishes: readonly ClaimWish[], rows: readonly ClaimRow[]): Promise<ReadClaims> {
    const segments = await readSegments(
      this.#context,
      this.#context.database.pop,
      key.queueId,
      rows.map((row) => ({ partitionId: row.partition_id, from: row.first_offset, to: row.end_offset })),
    );
    const contents = rows.map((row, at) =>
      wishes[row.pop]!.packed
        ? { packed: packedOf(key.queueId, row, segments[at]!), pieces: [] }
        : { packed: null, pieces: piecesOf(key.queueId, row, segments[at]!) },
    );
    return { rows, segments, contents };
  }

  /** Reads claims one by one and sets aside those that cannot be read. */
  async #readEach(
    key: ClaimKey,
    wishes: readonly ClaimWish[],
    rows: readonly ClaimRow[],
    leaseIds: readonly string[],
  ): Promise<ReadClaims> {
    const read: ClaimRow[] = [];
    const [segments, contents]: [Segment[][], Content[]] = [[], []];
    const unreadable: ClaimRow[] = [];
    let reason: unknown = null;
    for (const row of rows) {
      try {
        const one = await this.#read(key, wishes, [row]);
        read.push(row);
        segments.push(...one.segments);
        contents.push(...one.contents);
      } catch (error) {
        reason = error;
        unreadable.push(row);
      }
    }
    if (unreadable.length > 0) await this.#unreadable.setAside(key, unreadable, leaseIds, reason);
    return { rows: read, segments, contents };
  }

  /**
   * Claims for slots, from the floors on. A pop that goes away empty-handed is served again without any floor, since what a
   * push answered must be found, however long that push took to commit; one that stays and waits, from the proven floor.
   */
  async #claimSlots(
    key: ClaimKey,
    slots: readonly ClaimSlot[],
    isFinal: (pop: number) => boolean,
  ): Promise<ClaimRow[]> {
    const { pop, look } = this.#context.database;
    const { queueId, groupId, partitionId } = key;
    const claim = (of: readonly ClaimSlot[], floor: number) =>
      withConflictRetry(() => cursorClaim(pop, { ...key, slots: of, floor }));
    if (partitionId !== null) return await claim(slots, -Infinity);
    const floors = this.#floors;
    // Nobody waits for this answer; when it fails the floor stays where it is.
    if (floors.isStale(queueId, groupId)) floors.ask(look, [key], 0).catch(() => {});
    const likely = floors.likely(queueId, groupId);
    const rows = await claim(slots, likely);
    if (rows.length > 0) floors.claimed(queueId, groupId, Math.min(...rows.map((row) => Date.parse(row.ready_at))));
    const served = new Set(rows.map((row) => row.pop));
    const unserved = slots.filter((slot) => !served.has(slot.pop));
    const floor = unserved.some((slot) => isFinal(slot.pop)) ? -Infinity : floors.proven(queueId, groupId);
    if (unserved.length === 0 || floor >= likely) return rows;
    return [...rows, ...(await claim(unserved, floor))];
  }

  #deliver(
    key: ClaimKey,
    wishes: readonly ClaimWish[],
    { rows, segments, contents }: ReadClaims,
    leaseIds: readonly string[],
    except: ReadonlySet<ClaimWish> = NOBODY,
  ): void {
    const orphaned: ClaimRow[] = [];
    for (let pop = 0; pop < wishes.length; pop += 1) {
      if (except.has(wishes[pop]!)) continue;
      const pieces: PopPiece[] = [];
      const partitions: PackedPartition[] = [];
      let claimed = 0;
      for (let at = 0; at < rows.length; at += 1) {
        const row = rows[at]!;
        if (row.pop !== pop) continue;
        const { packed, pieces: own } = contents[at]!;
        // The client went away, or what was claimed was deleted before it could be read.
        if (wishes[pop]!.cancelled() || (packed === null && own.length === 0)) {
          orphaned.push(row);
          continue;
        }
        claimed += 1;
        countDelivery(this.#context.counters, key, row, segments[at]!);
        if (packed) partitions.push(packed);
        for (const piece of own) pieces.push(piece);
        if (!key.autoAck) {
          this.#leases.add(
            { leaseId: leaseIds[pop]!, queueId: key.queueId, partitionId: row.partition_id, groupId: key.groupId },
            new LeasePart(segments[at]!, row.first_offset, row.end_offset),
          );
        }
      }
      const head = { queue: key.queueName, group: key.groupName, leaseId: leaseIds[pop]! };
      if (partitions.length > 0) wishes[pop]!.resolve({ ...head, partitions });
      else wishes[pop]!.resolve(pieces.length === 0 ? null : { ...head, partitionsClaimed: claimed, pieces });
    }
    if (orphaned.length > 0 && !key.autoAck) this.#giveBack(key, orphaned, leaseIds).catch(() => {});
  }

  /** Releases leases that nobody will use. */
  async #giveBack(key: ClaimKey, rows: readonly ClaimRow[], leaseIds: readonly string[]): Promise<void> {
    const entries = rows.map((row) => ({
      queueId: key.queueId,
      partitionId: row.partition_id,
      groupId: key.groupId,
      leaseId: leaseIds[row.pop]!,
      done: [],
      released: [row.first_offset, row.first_offset + 1],
      failed: [],
    }));
    entries.sort((a, b) => a.partitionId - b.partitionId);
    await withConflictRetry(() => cursorAcknowledge(this.#context.database.ack, entries));
    this.#context.queuesReady([key.queueId]);
  }
}

const NOBODY: ReadonlySet<ClaimWish> = new Set();

/** Claims that were read: what lies in parallel belongs together. */
interface ReadClaims {
  rows: readonly ClaimRow[];
  segments: readonly Segment[][];
  contents: readonly Content[];
}

/** What a pop gets of one claimed partition, in the form it wants. */
interface Content {
  packed: PackedPartition | null;
  pieces: readonly PopPiece[];
}

/** The segments of one claimed partition as they are stored; null when none is left. */
function packedOf(queueId: number, row: ClaimRow, segments: readonly Segment[]): PackedPartition | null {
  if (segments.length === 0) return null;
  return {
    partitionId: partitionUuid(queueId, row.partition_id),
    partition: row.partition_name,
    firstOffset: row.first_offset,
    endOffset: row.end_offset,
    skip: parseMultirange(row.skip),
    segments: segments.map(({ firstOffset, messageCount, createdAt, idBase, packed }) => ({
      firstOffset,
      messageCount,
      createdAt,
      idBase,
      format: packed.format,
      body: packed.bytes,
    })),
  };
}

/** The messages of one claimed partition, less those resolved before. */
function piecesOf(queueId: number, row: ClaimRow, segments: readonly Segment[]): PopPiece[] {
  const skip = parseMultirange(row.skip);
  const partitionId = partitionUuid(queueId, row.partition_id);
  const pieces: PopPiece[] = [];
  for (const segment of segments) {
    const { firstOffset, messageCount, body, cbor, createdAt } = segment;
    let from = Math.max(row.first_offset, firstOffset);
    const end = Math.min(row.end_offset, firstOffset + messageCount);
    const add = (to: number) => {
      if (to <= from) return;
      pieces.push({
        body,
        cbor,
        messageCount,
        from: from - firstOffset,
        to: to - firstOffset,
        ends: cbor || to - from === messageCount ? null : segment.ends,
        createdAt,
        partition: row.partition_name,
        partitionId,
      });
    };
    for (let at = 0; at < skip.length && skip[at]! < end; at += 2) {
      if (skip[at + 1]! <= from) continue;
      add(skip[at]!);
      from = Math.max(from, skip[at + 1]!);
    }
    add(end);
  }
  return pieces;
}
