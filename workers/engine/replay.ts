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
import { makeUnits, type PushUnit } from "./push-unit.ts";

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
export async function replayBatch(pusher: Pusher, batch: SpooledBatch, insist: boolean): Promise<Refused[]> {
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

/** Pushes of one producer that follow each other become one. */
function unitsOf(batch: SpooledBatch): PushUnit[] {
  const units: PushUnit[] = [];
  for (let at = 0; at < batch.pushes.length; ) {
    const { cbor, producerSub } = batch.pushes[at]!;
    const items = [];
    for (; at < batch.pushes.length && batch.pushes[at]!.producerSub === producerSub; at += 1) {
      for (const item of batch.pushes[at]!.items) items.push(item);
    }
    for (const unit of makeUnits(items, cbor, producerSub)) units.push(unit);
  }
  return units;
}

function isOpen(unit: PushUnit): boolean {
  return unit.outcomes.some((outcome) => outcome === null);
}

async function storeByQueue(
  pusher: Pusher,
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
  pusher: Pusher,
  unit: PushUnit,
  reasons: Map<PushUnit, string>,
  insist: boolean,
): Promise<void> {
  const { queue, partition, cbor, producerSub } = unit;
  for (const [at, transactionId] of unit.transactionIds.entries()) {
    if (unit.outcomes[at] !== null) continue;
    const item = { queue, partition, transactionId, traceId: unit.traceIds[at]!, payload: unit.payloads[at]! };
    const [single] = makeUnits([item], cbor, producerSub);
    const error = await refusal(pusher, [single!], insist);
    unit.outcomes[at] = error === null ? single!.outcomes[0]! : { status: "failed", error: reasonOf(error) };
  }
  reasons.delete(unit);
}

async function refusal(pusher: Pusher, units: readonly PushUnit[], insist: boolean): Promise<Error | null> {
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
      producerSub: unit.producerSub,
      payload: typeof payload === "string" ? payload : Buffer.from(payload).toString("base64"),
      format: typeof payload === "string" ? "json" : "cbor",
      error,
    });
  }
  return refused;
}
