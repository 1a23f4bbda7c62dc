/**
 * Acknowledging as clients of October 2025 do: by transaction id and group alone, in any order. The lease that the group
 * holds on the message is the one that is answered; it ends when the whole batch is.
 *
 * @module
 */

import { QueenError } from "../../../schema/wire/errors.ts";
import { groupShown } from "../../../schema/wire/october/answers.ts";
import type { OctoberAckRequest } from "../../../schema/wire/october/requests.ts";
import { isAway, withConflictRetry } from "../../storage/failures.ts";
import { rangesOf } from "../../storage/literals.ts";
import { octoberAcknowledge } from "../../storage/october.ts";
import { type Answer, type EngineContext, ok } from "../context.ts";
import type { Events } from "../events.ts";
import { findPlaces, type Place } from "./place.ts";

type Status = "completed" | "failed" | "dead_letter" | "not_found";

/** Items of a request under one cursor. */
interface Bundle {
  queueId: number;
  partitionId: number;
  groupId: number | null;
  /** Parallel: index in the request, and offset. */
  indexes: number[];
  offsets: number[];
}

function bundlesOf(places: readonly (Place | null)[]): Bundle[] {
  const bundles = new Map<string, Bundle>();
  for (const [index, place] of places.entries()) {
    if (place === null) continue;
    const { queueId, partitionId, groupId, offset } = place;
    const key = `${queueId} ${partitionId}`;
    let bundle = bundles.get(key);
    if (!bundle) {
      bundle = { queueId, partitionId, groupId, indexes: [], offsets: [] };
      bundles.set(key, bundle);
    }
    bundle.indexes.push(index);
    bundle.offsets.push(offset);
  }
  return [...bundles.values()];
}

/** The group's number, registered when it never popped there: what it says counts all the same. */
async function groupOf(context: EngineContext, bundle: Bundle, group: string): Promise<number | null> {
  if (bundle.groupId !== null) return bundle.groupId;
  const queue = await context.catalog.queueById(bundle.queueId);
  if (!queue) return null;
  return await context.catalog.ensureGroup(queue, group, { mode: "all", from: null }, bundle.partitionId);
}

async function recordBundle(
  context: EngineContext,
  { items, group }: OctoberAckRequest,
  bundle: Bundle,
  statuses: Status[],
): Promise<void> {
  const { queueId, partitionId } = bundle;
  const groupId = await groupOf(context, bundle, group);
  // Deleted this very moment.
  if (groupId === null) return;
  const done: number[] = [];
  const failed = new Map<number, { offset: number; error: string | null }>();
  for (const [at, index] of bundle.indexes.entries()) {
    const { status, error } = items[index]!;
    const offset = bundle.offsets[at]!;
    if (status === "completed") done.push(offset);
    else if (!failed.has(offset)) failed.set(offset, { offset, error });
  }
  // Said to be both, it is completed: that cannot be taken back.
  for (const offset of done) failed.delete(offset);
  const rows = await withConflictRetry(() =>
    octoberAcknowledge(context.database.ack, {
      queueId,
      partitionId,
      groupId,
      done: rangesOf(done),
      failed: [...failed.values()],
    }),
  );
  const standing = new Map(rows.map((row) => [row.message_offset, row.status]));
  for (const [at, index] of bundle.indexes.entries()) {
    statuses[index] = standing.get(bundle.offsets[at]!) ?? "completed";
  }
  countBundle(context, bundle, statuses);
  if (rows.some((row) => row.released === true)) context.queuesReady([queueId], [partitionId]);
}

function tell(events: Events, { items }: OctoberAckRequest, statuses: readonly Status[]): void {
  for (const [index, { transactionId, status, error }] of items.entries()) {
    if (statuses[index] === "not_found") continue;
    if (status === "completed") events.completed(transactionId);
    else events.failed(transactionId, error);
  }
}

/** Counts what became of a bundle. */
function countBundle({ counters }: EngineContext, bundle: Bundle, statuses: readonly Status[]): void {
  const count = (status: Status) => bundle.indexes.filter((index) => statuses[index] === status).length;
  const dead = count("dead_letter");
  counters.requested("ackRequests", [bundle.queueId]);
  counters.acknowledged(bundle.queueId, count("completed"), count("failed") + dead, dead);
}

/**
 * Records what consumers say.
 *
 * @returns What each message is afterwards, parallel to the items. It is on disk and seen by every pop that starts now.
 * @throws {@link QueenError} `DATABASE_UNAVAILABLE`; the outcome is then unknown, and repeating is safe.
 */
async function acknowledge(context: EngineContext, request: OctoberAckRequest): Promise<Status[]> {
  const statuses = request.items.map((): Status => "not_found");
  if (statuses.length === 0) return statuses;
  try {
    const ids = request.items.map((item) => item.transactionId);
    const places = await findPlaces(context.database.ack, ids, request.group);
    await Promise.all(bundlesOf(places).map((bundle) => recordBundle(context, request, bundle, statuses)));
    if (context.events.listening) tell(context.events, request, statuses);
    return statuses;
  } catch (error) {
    if (isAway(error)) throw new QueenError("DATABASE_UNAVAILABLE", {}, { cause: error });
    throw error;
  }
}

/** Acknowledges one message. Answers its status, `not_found` among them. */
export async function octoberAck(context: EngineContext, request: OctoberAckRequest): Promise<Answer> {
  const [status] = await acknowledge(context, request);
  return ok({
    transactionId: request.items[0]!.transactionId,
    status,
    consumerGroup: groupShown(request.group),
    acknowledgedAt: new Date().toISOString(),
  });
}

/** Acknowledges many messages of any partitions. Answers one result an item, in order. */
export async function octoberAckBatch(context: EngineContext, request: OctoberAckRequest): Promise<Answer> {
  const statuses = await acknowledge(context, request);
  const results = statuses.map((status, index) => ({
    transactionId: request.items[index]!.transactionId,
    status,
  }));
  return ok({ processed: results.length, results });
}
