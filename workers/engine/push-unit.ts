/**
 * The part of one push that goes to one partition, and what becomes of it. A flight takes many units together; a unit is
 * settled when each of its messages has an outcome.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { KeyKind, newTransactionId, writeTransactionKey } from "../../schema/wire/ids.ts";
import type { PushOutcome, PushResult } from "../../schema/wire/push-answer.ts";
import type { PayloadText, PushItem } from "../../schema/wire/push-item.ts";

/** See the module comment. The arrays are parallel, one element a message. */
export interface PushUnit {
  queue: string;
  partition: string;
  cbor: boolean;
  producerSub: string | null;
  /** The producer of each message, where they are not all the same one; null otherwise. */
  producerSubs: (string | null)[] | null;
  /** Place of each message in the request. */
  positions: number[];
  transactionIds: string[];
  traceIds: (string | null)[];
  payloads: PayloadText[];
  /** 16 bytes a message. */
  keys: Buffer;
  /** Whether each key is time-ordered; null when all are. */
  otherKeys: boolean[] | null;
  outcomes: (PushOutcome | null)[];
  /** Messages that repeat an earlier one of the unit: `repeats[i]` is its index, or -1; null when there are none. */
  repeats: number[] | null;
  bytes: number;
}

/**
 * Sorts the items of a request into units, draws missing transaction ids, and marks repeats within the request.
 *
 * @returns In order of first appearance.
 */
export function makeUnits(items: readonly PushItem[], cbor: boolean, producerSub: string | null): PushUnit[] {
  const places = new Map<string, number[]>();
  let place: number[] | null = null;
  let queue: string | null = null;
  let partition: string | null = null;
  for (let index = 0; index < items.length; index += 1) {
    const item = items[index]!;
    if (place === null || item.queue !== queue || item.partition !== partition) {
      ({ queue, partition } = item);
      const key = `${queue}\0${partition}`;
      place = places.get(key) ?? null;
      if (place === null) {
        place = [];
        places.set(key, place);
      }
    }
    place.push(index);
  }
  return [...places.values()].map((positions) => makeUnit(items, positions, cbor, producerSub));
}

function makeUnit(
  items: readonly PushItem[],
  positions: number[],
  cbor: boolean,
  producerSub: string | null,
): PushUnit {
  const count = positions.length;
  const now = Date.now();
  const first = items[positions[0]!]!;
  const transactionIds = new Array<string>(count);
  const traceIds = new Array<string | null>(count);
  const payloads = new Array<PayloadText>(count);
  const keys = Buffer.allocUnsafe(count * 16);
  let otherKeys: boolean[] | null = null;
  let ascending = true;
  let bytes = 0;
  for (let index = 0; index < count; index += 1) {
    const item = items[positions[index]!]!;
    const id = item.transactionId ?? newTransactionId(now);
    transactionIds[index] = id;
    traceIds[index] = item.traceId;
    payloads[index] = item.payload;
    bytes += item.payload.length + 150;
    if (writeTransactionKey(id, keys, index * 16) === KeyKind.other) {
      otherKeys ??= new Array<boolean>(count).fill(false);
      otherKeys[index] = true;
    }
    if (index > 0 && id <= transactionIds[index - 1]!) ascending = false;
  }
  return {
    queue: first.queue,
    partition: first.partition,
    cbor,
    producerSub,
    producerSubs: null,
    positions,
    transactionIds,
    traceIds,
    payloads,
    keys,
    otherKeys,
    outcomes: new Array<PushOutcome | null>(count).fill(null),
    repeats: ascending ? null : findRepeats(transactionIds),
    bytes,
  };
}

/** Who sent a message of a unit. */
export function producerOf(unit: PushUnit, index: number): string | null {
  return unit.producerSubs === null ? unit.producerSub : unit.producerSubs[index]!;
}

function findRepeats(transactionIds: readonly string[]): number[] | null {
  const firsts = new Map<string, number>();
  let repeats: number[] | null = null;
  for (let index = 0; index < transactionIds.length; index += 1) {
    const first = firsts.get(transactionIds[index]!);
    if (first === undefined) firsts.set(transactionIds[index]!, index);
    else {
      repeats ??= new Array<number>(transactionIds.length).fill(-1);
      repeats[index] = first;
    }
  }
  return repeats;
}

/** The outcome of a message that repeats one with this outcome. */
export function repeatOutcome(of: PushOutcome): PushOutcome {
  return of.status === "failed" || of.status === "buffered" ? of : { status: "duplicate", messageId: of.messageId };
}

/** Gives every repeat the outcome that follows from the message it repeats. */
export function settleRepeats(unit: PushUnit): void {
  if (unit.repeats === null) return;
  for (let index = 0; index < unit.repeats.length; index += 1) {
    const of = unit.repeats[index]!;
    if (of >= 0) unit.outcomes[index] = repeatOutcome(unit.outcomes[of]!);
  }
}

/** The results of a request, in order of its items. All units are settled. */
export function collectResults(units: readonly PushUnit[], count: number): PushResult[] {
  const results = new Array<PushResult>(count);
  for (const unit of units) {
    for (let index = 0; index < unit.positions.length; index += 1) {
      results[unit.positions[index]!] = {
        queue: unit.queue,
        transactionId: unit.transactionIds[index]!,
        traceId: unit.traceIds[index]!,
        outcome: unit.outcomes[index]!,
      };
    }
  }
  return results;
}
