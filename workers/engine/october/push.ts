/**
 * Push as clients of October 2025 know it: into queues that exist, and noted by transaction id, so that the message can be
 * acknowledged and looked at by that alone.
 *
 * @module
 */

import { QueenError } from "../../../schema/wire/errors.ts";
import { parsePartitionUuid } from "../../../schema/wire/ids.ts";
import { octoberPushValue } from "../../../schema/wire/october/answers.ts";
import type { PushResult } from "../../../schema/wire/push-answer.ts";
import type { PushItem } from "../../../schema/wire/push-item.ts";
import { isAway, withConflictRetry } from "../../storage/failures.ts";
import { octoberRecord, type PushedSegment } from "../../storage/october.ts";
import type { Answer, EngineContext } from "../context.ts";
import type { Pusher } from "../push.ts";
import { keyOf } from "./place.ts";

/** What the ids of messages of one segment have in common: `messageId` counts in the last five digits. */
const ID_BASE_LENGTH = 31;

/** @throws {@link QueenError} `QUEUE_UNKNOWN` for the first item whose queue does not exist. */
async function checkQueues(context: EngineContext, items: readonly PushItem[]): Promise<void> {
  for (const name of new Set(items.map((item) => item.queue))) {
    if (name === "") throw new QueenError("FIELD_INVALID", { detail: "queue must not be empty" });
    try {
      if (!(await context.catalog.queue(name))) throw new QueenError("QUEUE_UNKNOWN", { queue: name });
    } catch (error) {
      if (isAway(error)) throw new QueenError("DATABASE_UNAVAILABLE", {}, { cause: error });
      throw error;
    }
  }
}

/** Notes what was stored. A pop notes what this could not: failing here must not make the client push again. */
async function record(context: EngineContext, results: readonly PushResult[]): Promise<void> {
  const rows = results.flatMap(({ transactionId, outcome }) => {
    if (outcome.status !== "queued" || outcome.offset === undefined) return [];
    const at = parsePartitionUuid(outcome.partitionId)!;
    const idBase = outcome.messageId.slice(0, ID_BASE_LENGTH);
    return [{ key: keyOf(transactionId), ...at, offset: outcome.offset, idBase }];
  });
  if (rows.length === 0) return;
  rows.sort((a, b) => a.queueId - b.queueId || a.partitionId - b.partitionId || a.offset - b.offset);
  const segments = new Map<string, PushedSegment>();
  for (const { idBase, queueId, partitionId, offset } of rows) {
    const segment = segments.get(idBase);
    if (segment) segment.count += 1;
    else segments.set(idBase, { queueId, partitionId, from: offset, count: 1 });
  }
  try {
    await withConflictRetry(() => octoberRecord(context.database.push, rows, [...segments.values()]));
  } catch (error) {
    context.log("warn", "october_record_failed", { messages: rows.length, error: String(error) });
  }
}

/**
 * Appends the items of one request.
 *
 * @returns 201 with one element an item, in the order of the request.
 * @throws {@link QueenError} `NO_ITEMS`, `QUEUE_UNKNOWN` (nothing is stored), `QUEUE_FULL` when nothing was stored because
 * of a queue's `maxSize`, and what {@link Pusher.push} throws.
 */
export async function octoberPush(
  context: EngineContext,
  pusher: Pick<Pusher, "push">,
  items: readonly PushItem[],
  cbor: boolean,
  producerSub: string | null,
): Promise<Answer> {
  if (items.length === 0) throw new QueenError("NO_ITEMS");
  await checkQueues(context, items);
  const results = await pusher.push(items, cbor, producerSub);
  await record(context, results);
  const [first] = results;
  if (first!.outcome.status === "failed" && results.every(({ outcome }) => outcome.status === "failed")) {
    throw new QueenError("QUEUE_FULL", { detail: first!.outcome.error });
  }
  return { status: 201, value: { messages: results.map(octoberPushValue) } };
}
