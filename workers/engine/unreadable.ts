/**
 * Messages that were claimed and cannot be read: the key they are encrypted with is not configured, or they are damaged.
 * They are set aside and come back by themselves, so that nothing is lost when the key does, and what can be read is
 * delivered meanwhile.
 *
 * @module
 */

import type { ClaimRow } from "../storage/cursors.ts";
import { withConflictRetry } from "../storage/failures.ts";
import { cursorSetAside } from "../storage/unreadable.ts";
import type { EngineContext } from "./context.ts";

/** How long they are left alone, in seconds. */
const PAUSE_S = 5;
/** Said once in so many milliseconds for a queue: every consumer meets them again and again. */
const SAY_MS = 60_000;
const QUEUES_MAX = 1_000;

/** Whose messages they are. */
interface Owner {
  queueId: number;
  groupId: number;
  queueName: string;
}

/** See the module comment. */
export class Unreadable {
  readonly #context: EngineContext;
  readonly #saidAt = new Map<number, number>();

  constructor(context: EngineContext) {
    this.#context = context;
  }

  /**
   * Undoes claims, also those that counted as consumed.
   *
   * @param leaseIds - By pop; the empty text for none.
   * @throws The driver's error.
   */
  async setAside(
    { queueId, groupId, queueName }: Owner,
    rows: readonly ClaimRow[],
    leaseIds: readonly string[],
    reason: unknown,
  ): Promise<void> {
    this.#say(queueId, queueName, reason);
    const claims = rows.map((row) => ({
      partitionId: row.partition_id,
      firstOffset: row.first_offset,
      endOffset: row.end_offset,
      skip: row.skip,
      leaseId: leaseIds[row.pop] === "" ? null : leaseIds[row.pop]!,
    }));
    await withConflictRetry(() =>
      cursorSetAside(this.#context.database.ack, { queueId, groupId, claims, pauseS: PAUSE_S }),
    );
  }

  #say(queueId: number, queue: string, reason: unknown): void {
    const now = performance.now();
    if (now - (this.#saidAt.get(queueId) ?? -Infinity) < SAY_MS) return;
    if (this.#saidAt.size >= QUEUES_MAX) this.#saidAt.clear();
    this.#saidAt.set(queueId, now);
    this.#context.log("warn", "message_unreadable", { queueId, queue, reason: String(reason) });
  }
}
