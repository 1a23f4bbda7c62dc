/**
 * Acknowledge a lease: everything handed out under it is answered for at once, by its id alone.
 *
 * @module
 */

import { QueenError } from "../../schema/wire/errors.ts";
import { parseLeaseId } from "../../schema/wire/ids.ts";
import type { LeaseAckRequest } from "../../schema/wire/lease-ack-request.ts";
import {
  type LeaseAcknowledge,
  type LeaseAcknowledgeRow,
  leaseAcknowledge,
  leasesExpired,
} from "../storage/cursors.ts";
import { isAway, withConflictRetry } from "../storage/failures.ts";
import { Batcher } from "./batcher.ts";
import { type Answer, type EngineContext, ok } from "./context.ts";
import type { LeaseBook } from "./lease-book.ts";
import { unlessStuck } from "./stuck.ts";

interface Waiting {
  entry: LeaseAcknowledge;
  /** Null: the lease expired; empty: there is none. */
  resolve(rows: LeaseAcknowledgeRow[] | null): void;
  reject(error: unknown): void;
}

const FLIGHTS_MAX = 2;
const NOT_FOUND = "Lease not found";
const NOT_HELD = "Invalid or expired lease";

/** Acknowledges whole leases for one worker. */
export class LeaseAcker {
  readonly #context: EngineContext;
  readonly #leases: LeaseBook;
  readonly #batcher: Batcher<Waiting>;

  constructor(context: EngineContext, leases: LeaseBook) {
    this.#context = context;
    this.#leases = leases;
    this.#batcher = new Batcher<Waiting>({
      flightsMax: FLIGHTS_MAX,
      extraFlightWeightMin: 100,
      flightWeightMax: 2_000,
      weigh: (item) => item.entry.partitionIds?.length ?? 1,
      bondsOf: ({ entry }) => [entry.leaseId],
      bondsShare: false,
      sizes: context.counters.flights("leaseAck"),
      fly: (items) => this.#fly(items),
    });
  }

  /** Resolves when nothing is under way. */
  drained(): Promise<void> {
    return this.#batcher.drained();
  }

  /**
   * Answers for everything under a lease, on every partition that it still holds, and gives it back.
   *
   * @returns One object. What it reports is on disk and seen by every pop that starts now. `success` is false when the
   * lease is not held (any more); nothing has changed then.
   * @throws {@link QueenError} `DATABASE_UNAVAILABLE`; the outcome is then unknown, and repeating is safe.
   */
  async acknowledge(leaseIdText: string, request: LeaseAckRequest): Promise<Answer> {
    const answer = (error: string | null, rows: readonly LeaseAcknowledgeRow[]): Answer =>
      ok({
        leaseId: leaseIdText,
        success: error === null,
        error,
        acknowledged: rows.reduce((sum, row) => sum + row.open_count, 0),
        partitions: rows.length,
        dlq: rows.reduce((sum, row) => sum + row.dead_count, 0),
      });
    const ref = parseLeaseId(leaseIdText);
    if (!ref) return answer(NOT_FOUND, []);
    const leaseId = leaseIdText.toLowerCase();
    try {
      if (request.group !== null && !(await this.#isOf(ref, request.group))) return answer(NOT_HELD, []);
      const partitionIds = this.#leases.partitionsOf(leaseId);
      const error = request.error ?? "Retries exhausted";
      const entry = { ...ref, leaseId, status: request.status, error, partitionIds };
      const rows = await new Promise<LeaseAcknowledgeRow[] | null>((resolve, reject) => {
        this.#batcher.add({ entry, resolve, reject });
      });
      if (!rows || rows.length === 0) return answer(rows ? NOT_FOUND : NOT_HELD, []);
      for (const row of rows) this.#leases.release(leaseId, row.partition_id);
      this.#count(ref.queueId, request.status, rows);
      this.#context.queuesReady(
        [ref.queueId],
        rows.map((row) => row.partition_id),
      );
      return answer(null, rows);
    } catch (error) {
      if (isAway(error)) throw new QueenError("DATABASE_UNAVAILABLE", {}, { cause: error });
      throw error;
    }
  }

  #count(queueId: number, status: LeaseAckRequest["status"], rows: readonly LeaseAcknowledgeRow[]): void {
    const { counters } = this.#context;
    const open = rows.reduce((sum, row) => sum + row.open_count, 0);
    const dead = rows.reduce((sum, row) => sum + row.dead_count, 0);
    const success = status === "completed" ? open : 0;
    counters.requested("ackRequests", [queueId]);
    counters.acknowledged(queueId, success, open - success, dead);
  }

  async #isOf(ref: { queueId: number; groupId: number }, group: string): Promise<boolean> {
    const queue = await this.#context.catalog.queueById(ref.queueId);
    return queue !== null && (await this.#context.catalog.group(queue, group)) === ref.groupId;
  }

  async #fly(items: readonly Waiting[]): Promise<void> {
    const sql = this.#context.database.ack;
    try {
      const entries = items.map((item) => item.entry);
      const byEntry = items.map((): LeaseAcknowledgeRow[] => []);
      const work = withConflictRetry(() => leaseAcknowledge(sql, entries));
      for (const row of await unlessStuck(this.#context, work)) byEntry[row.entry - 1]!.push(row);
      const lost = entries.filter((_, at) => byEntry[at]!.length === 0);
      const expired = lost.length > 0 ? await leasesExpired(sql, lost) : new Set();
      for (let at = 0; at < items.length; at += 1) {
        items[at]!.resolve(expired.has(entries[at]!.leaseId) ? null : byEntry[at]!);
      }
    } catch (error) {
      for (const item of items) item.reject(error);
    }
  }
}
