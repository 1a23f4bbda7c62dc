/**
 * Storing what was spooled: a batch of pushes goes through the pusher in the order it was spooled, as often as it takes.
 *
 * Replaying a batch again is harmless: every message has its transaction id since it was spooled, so the store takes it
 * once.
 *
 * @module
 */

import { QueenError } from "../../schema/wire/errors.ts";
import type { SpooledBatch } from "../spool/spool.ts";
import { isAway, isConflict, isTimeout } from "../storage/failures.ts";
import type { Pusher } from "./push.ts";
import { makeUnits, type PushUnit, producerOf } from "./push-unit.ts";

/** A message that the store refuses for good. */
export interface Refused {
  queue: string;
  partition: string;
  transactionId: string;
  traceId: string | null;
  producerSub: string | null;
  /** JSON text, or base64 of CBOR. */
  payload: string;
  format: "json" | "cbor";
  error: string;
}

/** What stores units. */
type Appender = Pick<Pusher, "append">;

/** Errors that say the same for every message of the queue. */
const QUEUE_WIDE: ReadonlySet<string> = new Set(["QUEUE_UNKNOWN", "ENCRYPTION_KEY_MISSING"]);

/** Whether the store said no, and would say so again. */
function isRefusal(error: unknown): error is QueenError {
  return error instanceof QueenError && error.status < 500;
}

/**
 * Stores a batch.
 *
 * @param insist - False: an unexpected error is thrown. True: it counts as a refusal of the messages it concerns, unless it
 * comes from what others do to the database.
 * @returns The messages that were refused; all others are stored.
 * @throws {@link QueenError} `DATABASE_UNAVAILABLE`, or what was not expected: parts of the batch may be stored.
 */
export async function replayBatch(pusher: Appender, batch: SpooledBatch, insist: boolean): Promise<Refused[]> {
  const units = unitsOf(batch);
  const reasons = new Map<PushUnit, string>();
  try {
    await pusher.append(units);
  } catch (error) {
    if (!isRefusal(error) && !(insist && !passes(error))) throw error;
    await storeByQueue(pusher, units.filter(isOpen), reasons, insist);
  }
  return units.flatMap((unit) => refusedOf(unit, reasons.get(unit)));
}

/** Whether an error says that the store cannot be reached, or did not answer. */
export function isUnavailable(error: unknown): boolean {
  return error instanceof QueenError && error.code === "DATABASE_UNAVAILABLE";
}

/** Whether an error comes from what others do, or from the state of the database: it will pass, however long it takes. */
function passes(error: unknown): boolean {
  return isUnavailable(error) || isAway(error) || isConflict(error) || isTimeout(error);
}

/** One unit a partition: units of one partition could be stored in another order when one of them fails. */
function unitsOf({ pushes }: SpooledBatch): PushUnit[] {
  const { cbor, producerSub } = pushes[0]!;
  const items = pushes.flatMap((push) => push.items);
  const units = makeUnits(items, cbor, producerSub);
  if (pushes.every((push) => push.producerSub === producerSub)) return units;
  const subs = pushes.flatMap((push) => push.items.map(() => push.producerSub));
  for (const unit of units) unit.producerSubs = unit.positions.map((position) => subs[position]!);
  return units;
}

function isOpen(unit: PushUnit): boolean {
  return unit.outcomes.some((outcome) => outcome === null);
}

async function storeByQueue(
  pusher: Appender,
  units: readonly PushUnit[],
  reasons: Map<PushUnit, string>,
  insist: boolean,
): Promise<void> {
  for (const queue of new Set(units.map((unit) => unit.queue))) {
    const own = units.filter((unit) => unit.queue === queue);
    const error = await refusal(pusher, own, insist);
    if (error === null) continue;
    if (error instanceof QueenError && QUEUE_WIDE.has(error.code)) {
      for (const unit of own.filter(isOpen)) reasons.set(unit, error.message);
      continue;
    }
    for (const unit of own.filter(isOpen)) await storeByMessage(pusher, unit, reasons, insist);
  }
}

/** The messages of a unit one after another, so that one that is refused does not hold up the others. */
async function storeByMessage(
  pusher: Appender,
  unit: PushUnit,
  reasons: Map<PushUnit, string>,
  insist: boolean,
): Promise<void> {
  const { queue, partition, cbor } = unit;
  for (const [at, transactionId] of unit.transactionIds.entries()) {
    if (unit.outcomes[at] !== null) continue;
    const item = { queue, partition, transactionId, traceId: unit.traceIds[at]!, payload: unit.payloads[at]! };
    const [single] = makeUnits([item], cbor, producerOf(unit, at));
    const error = await refusal(pusher, [single!], insist);
    unit.outcomes[at] = error === null ? single!.outcomes[0]! : { status: "failed", error: reasonOf(error) };
  }
  reasons.delete(unit);
}

async function refusal(pusher: Appender, units: readonly PushUnit[], insist: boolean): Promise<Error | null> {
  try {
    await pusher.append(units);
    return null;
  } catch (error) {
    if (isRefusal(error)) return error;
    if (insist && !passes(error)) return error instanceof Error ? error : new Error(String(error));
    throw error;
  }
}

function reasonOf(error: Error): string {
  return error instanceof QueenError ? error.message : "It could not be stored";
}

function refusedOf(unit: PushUnit, reason: string | undefined): Refused[] {
  const refused: Refused[] = [];
  for (const [at, outcome] of unit.outcomes.entries()) {
    const error = outcome === null ? reason : outcome.status === "failed" ? outcome.error : undefined;
    if (error === undefined) continue;
    const payload = unit.payloads[at]!;
    refused.push({
      queue: unit.queue,
      partition: unit.partition,
      transactionId: unit.transactionIds[at]!,
      traceId: unit.traceIds[at]!,
      producerSub: producerOf(unit, at),
      payload: typeof payload === "string" ? payload : Buffer.from(payload).toString("base64"),
      format: typeof payload === "string" ? "json" : "cbor",
      error,
    });
  }
  return refused;
}
