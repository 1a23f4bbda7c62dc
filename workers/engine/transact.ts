/**
 * Transact: pushes and acknowledgements that happen together or not at all.
 *
 * Everything that can be decided beforehand is: messages are resolved to offsets, segments are made. The database
 * transaction then only appends and records; what surprises it rolls it back, and a surprise that passes (options that
 * changed, a deadlock) is tried again.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { randomUUID } from "node:crypto";
import type { AckItem } from "../../schema/wire/ack-request.ts";
import { QueenError } from "../../schema/wire/errors.ts";
import { messageId } from "../../schema/wire/ids.ts";
import type { PushItem } from "../../schema/wire/push-item.ts";
import type { TransactionOperation } from "../../schema/wire/transaction-request.ts";
import { type Acknowledge, cursorAcknowledge } from "../storage/cursors.ts";
import { isAway, withConflictRetry } from "../storage/failures.ts";
import { rangesOf } from "../storage/literals.ts";
import { type SegmentAppendRow, segmentAppend } from "../storage/segments.ts";
import { type AckBundle, type Acker, acknowledgeOf } from "./ack.ts";
import { type Draft, gatherPlaces, makeDraft } from "./append.ts";
import type { KnownPartition } from "./catalog.ts";
import { type Answer, type EngineContext, ok } from "./context.ts";
import { announce, noteAppended, type Pusher, prepare, sortDrafts } from "./push.ts";
import { makeUnits, type PushUnit } from "./push-unit.ts";
import { RecentKeys } from "./recent-keys.ts";
import { unlessStuck } from "./stuck.ts";

const SURPRISES_MAX = 5;
const RULES = { failedIsFinal: true, absentError: "Unknown error" };
const DONE: ReadonlySet<string> = new Set(["completed", "success"]);
const ACK_STATUSES: ReadonlySet<string> = new Set([...DONE, "failed", "dlq"]);

/** A transaction that cannot be; the text is for the client. */
class Refusal extends Error {}

/** The options changed or the queue vanished between preparing and appending. */
class Surprise extends Error {}

interface OperationResult {
  index: number;
  type: "push" | "ack" | "unknown";
  success: boolean;
  [field: string]: unknown;
}

/** The operations as the store takes them. */
interface Plan {
  units: PushUnit[];
  /** Index of the operation behind each pushed item, and behind each acknowledgement. */
  pushAt: number[];
  ackAt: number[];
  acks: AckItem[];
  bundles: AckBundle[];
  entries: Acknowledge[];
}

/**
 * Carries out a transaction.
 *
 * @returns The answer of section 9; 200 also when it fails, with `success: false`, an `error`, and nothing applied.
 * @throws {@link QueenError} `QUEUE_UNKNOWN`, `ENCRYPTION_KEY_MISSING`; `DATABASE_UNAVAILABLE` with unknown outcome.
 */
export async function transact(
  context: EngineContext,
  verbs: { pusher: Pusher; acker: Acker },
  operations: readonly TransactionOperation[],
  cbor: boolean,
): Promise<Answer> {
  const transactionId = randomUUID();
  const results: OperationResult[] = operations.map(({ type }, index) => ({ index, type, success: false }));
  try {
    const plan = await makePlan(verbs.acker, operations, results, cbor);
    const drafts = await unlessStuck(context, carryOut(context, plan));
    for (const { draft, row } of drafts) {
      noteAppended(context, verbs.pusher.recent, draft, row);
    }
    fillResults(plan, drafts, results);
    const touched = touchedPartitions(plan, drafts);
    announce(context, touched);
    count(context, plan, touched);
    if (context.events.listening) tell(context, plan);
    return ok({ success: true, transactionId, results });
  } catch (error) {
    if (error instanceof Refusal) return ok({ success: false, transactionId, error: error.message, results });
    if (isAway(error)) throw new QueenError("DATABASE_UNAVAILABLE", {}, { cause: error });
    throw error;
  }
}

async function makePlan(
  acker: Acker,
  operations: readonly TransactionOperation[],
  results: OperationResult[],
  cbor: boolean,
): Promise<Plan> {
  const items: PushItem[] = [];
  const acks: AckItem[] = [];
  const pushAt: number[] = [];
  const ackAt: number[] = [];
  for (const [index, operation] of operations.entries()) {
    if (operation.type === "push") {
      items.push(operation.item);
      pushAt.push(index);
    } else if (operation.type === "ack") {
      acks.push(operation.ack);
      ackAt.push(index);
    } else {
      results[index]!.error = operation.error;
      throw new Refusal(operation.error);
    }
  }
  const units = makeUnits(items, cbor, null);
  for (const unit of units) {
    const repeat = unit.repeats?.findIndex((of) => of >= 0) ?? -1;
    if (repeat >= 0) throw new Refusal(duplicateText(unit.transactionIds[repeat]!, unit.partition));
  }
  const { bundles, results: found } = await acker.resolve(acks);
  for (const [at, result] of found.entries()) {
    const unknown = !ACK_STATUSES.has(acks[at]!.status);
    if (result.success && !unknown) continue;
    const error = result.error ?? "Unknown error";
    Object.assign(results[ackAt[at]!]!, { transactionId: result.transactionId, error, dlq: false });
    throw new Refusal(`ACK operation failed: ${error}`);
  }
  return { units, pushAt, ackAt, acks, bundles, entries: mergeEntries(bundles, acks) };
}

/** One entry a cursor, in lock order; leases named by different operations must agree. */
function mergeEntries(bundles: readonly AckBundle[], acks: readonly AckItem[]): Acknowledge[] {
  const byCursor = new Map<string, { entry: Acknowledge; done: number[] }>();
  for (const bundle of bundles) {
    const entry = acknowledgeOf(bundle, acks, RULES);
    const done = bundle.offsets.filter((_, at) => DONE.has(acks[bundle.indexes[at]!]!.status));
    const key = `${entry.queueId} ${entry.partitionId} ${entry.groupId}`;
    const merged = byCursor.get(key);
    if (!merged) {
      byCursor.set(key, { entry, done });
      continue;
    }
    if (merged.entry.leaseId !== null && entry.leaseId !== null && merged.entry.leaseId !== entry.leaseId) {
      throw new Refusal("ACK operation failed: Invalid or expired lease");
    }
    merged.done.push(...done);
    merged.entry = {
      ...merged.entry,
      leaseId: merged.entry.leaseId ?? entry.leaseId,
      done: rangesOf(merged.done),
      released: [...merged.entry.released, ...entry.released],
      failed: [...merged.entry.failed, ...entry.failed],
    };
  }
  return [...byCursor.values()]
    .map(({ entry }) => entry)
    .sort((a, b) => a.queueId - b.queueId || a.partitionId - b.partitionId || a.groupId - b.groupId);
}

type Appended = { draft: Draft; row: SegmentAppendRow }[];

async function carryOut(context: EngineContext, plan: Plan): Promise<Appended> {
  for (let surprises = 0; ; surprises += 1) {
    await prepare(context, plan.units);
    try {
      const drafts = makeDrafts(context, plan.units);
      return await withConflictRetry(() => commit(context, drafts, plan.entries));
    } catch (error) {
      if (!(error instanceof Surprise) || surprises >= SURPRISES_MAX) throw error;
      context.catalog.invalidate(plan.units.map((unit) => unit.queue));
    }
  }
}

function makeDrafts(context: EngineContext, units: readonly PushUnit[]): Draft[] {
  const nothing = new RecentKeys();
  const drafts: Draft[] = [];
  for (const unit of units) {
    const queue = context.catalog.knownQueue(unit.queue);
    const partition = queue && context.catalog.knownPartition(queue, unit.partition);
    if (!partition) throw new Surprise("missing");
    const { places } = gatherPlaces([unit]);
    if (places.length < unit.positions.length) {
      throw new Refusal(`Too many messages for partition '${unit.partition}' in one transaction`);
    }
    drafts.push(makeDraft(context, nothing, partition, places));
  }
  sortDrafts(drafts);
  return drafts;
}

function duplicateText(transactionId: string, partition: string): string {
  return `duplicate key value violates unique constraint: transactionId '${transactionId}' already exists in partition '${partition}'`;
}

/** The database transaction: all or nothing. */
async function commit(
  context: EngineContext,
  drafts: readonly Draft[],
  entries: readonly Acknowledge[],
): Promise<Appended> {
  return await context.database.ack.begin(async (sql) => {
    const appended: Appended = [];
    if (drafts.length > 0) {
      const appends = drafts.map((draft) => draft.append);
      const rows = await segmentAppend(
        sql,
        appends,
        Buffer.concat(appends.map((append) => append.body)),
        Buffer.concat(appends.map((append) => append.keys)),
      );
      for (const row of rows) {
        const draft = drafts[row.entry - 1]!;
        if (row.outcome === "appended") appended.push({ draft, row });
        else if (row.outcome === "duplicate") {
          const { unit, index } = draft.places[row.batch_index!]!;
          throw new Refusal(duplicateText(unit.transactionIds[index]!, unit.partition));
        } else if (row.outcome === "full") {
          throw new Refusal(
            `Queue '${draft.partition.queue.name}' is full: depth ${row.depth! + row.room!}, limit ${row.max_size} (maxSize)`,
          );
        } else throw new Surprise(row.outcome);
      }
    }
    if (entries.length > 0) {
      for (const row of await cursorAcknowledge(sql, entries)) {
        if (row.outcome === "lease") throw new Refusal("ACK operation failed: Invalid or expired lease");
      }
    }
    return appended;
  });
}

function fillResults(plan: Plan, appended: Appended, results: OperationResult[]): void {
  for (const { draft } of appended) {
    for (const [at, { unit, index }] of draft.places.entries()) {
      Object.assign(results[plan.pushAt[unit.positions[index]!]!]!, {
        success: true,
        transactionId: unit.transactionIds[index],
        messageId: messageId(draft.append.idBase, at),
        partitionId: draft.partition.uuid,
        queueName: unit.queue,
      });
    }
  }
  for (const [at, ack] of plan.acks.entries()) {
    const dlq = ack.status === "failed" || ack.status === "dlq";
    Object.assign(results[plan.ackAt[at]!]!, { success: true, transactionId: ack.transactionId, error: null, dlq });
  }
}

/** Counts the transaction; its messages are counted where they are appended. */
function count(context: EngineContext, plan: Plan, touched: readonly KnownPartition[]): void {
  context.counters.requested(
    "transactions",
    touched.map((partition) => partition.queue.id),
  );
  for (const { partition, indexes } of plan.bundles) {
    const failed = indexes.filter((index) => !DONE.has(plan.acks[index]!.status)).length;
    // In a transaction what failed is dead-lettered.
    context.counters.acknowledged(partition.queue.id, indexes.length - failed, failed, failed);
  }
}

function tell({ events }: EngineContext, { acks }: Plan): void {
  for (const { status, transactionId, error } of acks) {
    if (DONE.has(status)) events.completed(transactionId);
    else events.failed(transactionId, error);
  }
}

function touchedPartitions(plan: Plan, appended: Appended): KnownPartition[] {
  return [...appended.map(({ draft }) => draft.partition), ...plan.bundles.map(({ partition }) => partition)];
}
