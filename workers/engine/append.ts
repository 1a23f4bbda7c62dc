/**
 * Making segments: what a flight appends to one partition, from messages of one or several units.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { encodeCbor } from "../../schema/wire/cbor.ts";
import { messageId, messageIdTail, newIdBase, readUuid } from "../../schema/wire/ids.ts";
import { SEGMENT_BYTES_TARGET, SEGMENT_MESSAGE_COUNT_MAX } from "../../schema/wire/limits.ts";
import { cborBody, packBody, pushJsonMessage } from "../../schema/wire/segment.ts";
import type { SegmentAppend } from "../storage/segments.ts";
import type { KnownPartition } from "./catalog.ts";
import type { EngineContext } from "./context.ts";
import { type PushUnit, producerOf, repeatOutcome } from "./push-unit.ts";
import { RecentKeys } from "./recent-keys.ts";

/** One message of a unit. */
export interface Place {
  unit: PushUnit;
  index: number;
}

/** A segment about to be appended, and which message stands where in it. */
export interface Draft {
  partition: KnownPartition;
  places: Place[];
  append: SegmentAppend;
  cbor: boolean;
  /** The body before compression. */
  body: Buffer;
}

/** Key under which recent ids of a partition are remembered. */
export function recentKey(partition: KnownPartition): string {
  return `${partition.queue.id} ${partition.id}`;
}

function keyText(place: Place): string {
  return place.unit.keys.toString("latin1", place.index * 16, place.index * 16 + 16);
}

/**
 * The messages of these units that still have no outcome, up to what fits one segment. Messages that repeat one of an
 * earlier unit follow it (`followers`), and get their outcome from it.
 */
export function gatherPlaces(units: readonly PushUnit[]): { places: Place[]; followers: [Place, Place][] } {
  const places: Place[] = [];
  const followers: [Place, Place][] = [];
  const seen = units.length > 1 ? new Map<string, Place>() : null;
  let bytes = 0;
  for (const unit of units) {
    const { outcomes, repeats, transactionIds, payloads } = unit;
    for (let index = 0; index < outcomes.length; index += 1) {
      if (outcomes[index] !== null || (repeats !== null && repeats[index]! >= 0)) continue;
      const place = { unit, index };
      const earlier = seen?.get(transactionIds[index]!);
      if (earlier) {
        followers.push([place, earlier]);
        continue;
      }
      bytes += payloads[index]!.length;
      if (places.length > 0 && (places.length >= SEGMENT_MESSAGE_COUNT_MAX || bytes > SEGMENT_BYTES_TARGET)) {
        return { places, followers };
      }
      places.push(place);
      seen?.set(transactionIds[index]!, place);
    }
  }
  return { places, followers };
}

/** Gives followers the outcome of what they repeat, where that is known by now. */
export function settleFollowers(followers: readonly [Place, Place][]): void {
  for (const [place, of] of followers) {
    const outcome = of.unit.outcomes[of.index];
    if (outcome) place.unit.outcomes[place.index] = repeatOutcome(outcome);
  }
}

/** Smallest and largest time-ordered id. */
function idRange(places: readonly Place[]): { min: string | null; max: string | null } {
  let min: string | null = null;
  let max: string | null = null;
  for (const { unit, index } of places) {
    if (unit.otherKeys?.[index]) continue;
    const id = unit.transactionIds[index]!;
    if (min === null || id < min) min = id;
    if (max === null || id > max) max = id;
  }
  return { min, max };
}

/**
 * What the store may rely on of this worker's memory of a partition.
 *
 * @remarks
 * Memory only ever says "not among the ids I appended". That one of them is there is the store's to say: the message may
 * have been deleted since, and its id may be pushed again.
 */
function trustedMemory(
  recent: RecentKeys,
  partition: KnownPartition,
  places: readonly Place[],
): { seenHead: number; seenEpoch: number } {
  const nothing = { seenHead: -1, seenEpoch: 0 };
  const known = recent.covering(recentKey(partition), idRange(places).min);
  if (!known) return nothing;
  const newest =
    known.runs
      .map((run) => run.max)
      .sort()
      .at(-1) ?? "";
  const repeats = places.some((place) => {
    const id = place.unit.transactionIds[place.index]!;
    return id <= newest && !place.unit.otherKeys?.[place.index] && RecentKeys.find(known, id, keyText(place)) !== null;
  });
  return repeats ? nothing : { seenHead: known.head, seenEpoch: known.epoch };
}

function writeBody(places: readonly Place[], idBase: string, cbor: boolean): Buffer {
  if (!cbor) {
    // Parts joined once: flattening what thousands of `+=` leave behind costs three times as much.
    const parts: string[] = [];
    const idHead = idBase.slice(0, 31);
    let sub: string | null | undefined;
    let subText = "null";
    for (let at = 0; at < places.length; at += 1) {
      const { unit, index } = places[at]!;
      const id = unit.transactionIds[index]!;
      const trace = unit.traceIds[index]!;
      const producer = producerOf(unit, index);
      if (producer !== sub) {
        sub = producer;
        subText = JSON.stringify(sub);
      }
      pushJsonMessage(parts, {
        id: idHead + messageIdTail(at),
        // A time-ordered id is hex digits and dashes: nothing to escape.
        transactionId: unit.otherKeys?.[index] ? JSON.stringify(id) : `"${id}"`,
        traceId: trace === null ? "null" : `"${trace}"`,
        payload: unit.payloads[index] as string,
        producerSub: subText,
      });
    }
    return Buffer.from(parts.join(""), "utf8");
  }
  return cborBody(
    places.map(({ unit, index }, at) =>
      Buffer.concat([
        encodeCbor("id"),
        encodeCbor(messageId(idBase, at)),
        encodeCbor("transactionId"),
        encodeCbor(unit.transactionIds[index]!),
        encodeCbor("traceId"),
        encodeCbor(unit.traceIds[index]!),
        encodeCbor("data"),
        unit.payloads[index] as Uint8Array,
        encodeCbor("producerSub"),
        encodeCbor(producerOf(unit, index)),
      ]),
    ),
  );
}

/** Makes the segment of these messages, at least one. All are of one format. */
export function makeDraft(
  context: EngineContext,
  recent: RecentKeys,
  partition: KnownPartition,
  places: Place[],
): Draft {
  const { seenHead, seenEpoch } = trustedMemory(recent, partition, places);
  const { queue } = partition;
  const { cbor } = places[0]!.unit;
  const idBase = readUuid(newIdBase(Date.now()), 0);
  const body = writeBody(places, idBase, cbor);
  const packed = packBody(body, cbor ? "cbor" : "json", queue.encryption_enabled ? context.ring : null);
  const whole = places.length === places[0]!.unit.positions.length && places.every((p) => p.unit === places[0]!.unit);
  const keys = whole
    ? places[0]!.unit.keys
    : Buffer.concat(places.map(({ unit, index }) => unit.keys.subarray(index * 16, index * 16 + 16)));
  const otherKeys: SegmentAppend["otherKeys"] = [];
  for (let at = 0; at < places.length; at += 1) {
    const { unit, index } = places[at]!;
    if (unit.otherKeys?.[index]) otherKeys.push({ index: at, key: readUuid(keys, at * 16) });
  }
  const { min, max } = idRange(places);
  return {
    partition,
    places,
    cbor,
    body,
    append: {
      queueId: queue.id,
      partitionId: partition.id,
      configVersion: queue.config_version,
      seenHead,
      seenEpoch,
      messageCount: places.length,
      format: packed.format,
      rawBytes: body.length,
      idBase,
      txMin: min,
      txMax: max,
      body: packed.bytes,
      keys,
      otherKeys,
    },
  };
}
