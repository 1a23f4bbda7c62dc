/**
 * Answers of the October 2025 dialect (wire contract, section 20.2) to pops and pushes.
 *
 * @module
 */

import { toMilliseconds } from "../instant.ts";
import { eachMember, skipValue } from "../json.ts";
import { QUEUE_MODE_GROUP } from "../limits.ts";
import type { PushResult } from "../push-answer.ts";
import { deliveredRuns, type PackedPartition, type SegmentAnswer, segmentTexts } from "../segment-answer.ts";

/** What a pop of this dialect says beside the messages themselves. */
export interface OctoberPopFacts {
  /** Priority of the queue. */
  priority: number;
  /** How often a message failed for the group; 0 for most. */
  retryCount(partitionId: string, offset: number): number;
}

/** The group as clients of this dialect see it. */
export function groupShown(group: string): string | null {
  return group === QUEUE_MODE_GROUP ? null : group;
}

/** Where the text of the payload stands in a message that begins as every stored one does. */
function payloadPlace(message: string): { start: number; end: number } {
  let place = { start: 0, end: 0 };
  eachMember(message, 0, (key, start) => {
    const end = skipValue(message, start);
    if (key === "data") place = { start, end };
    return end;
  });
  return place;
}

function* partitionTexts(answer: SegmentAnswer, partition: PackedPartition, facts: OctoberPopFacts): Generator<string> {
  for (const segment of partition.segments) {
    const shared = {
      queue: answer.queue,
      partition: partition.partition,
      priority: facts.priority,
      createdAt: toMilliseconds(segment.createdAt),
      consumerGroup: groupShown(answer.group),
    };
    const tail = `,${JSON.stringify(shared).slice(1)}`;
    const offsets = deliveredOffsets(partition, segment);
    for (const text of segmentTexts(answer, partition, segment)) {
      const { start, end } = payloadPlace(text);
      const retryCount = facts.retryCount(partition.partitionId, offsets.next().value!);
      yield `${text.slice(0, end)},"payload":${text.slice(start, end)},"retryCount":${retryCount}${tail}`;
    }
  }
}

function* deliveredOffsets(
  partition: PackedPartition,
  segment: PackedPartition["segments"][number],
): Generator<number, number> {
  for (const [from, to] of deliveredRuns(partition, segment)) {
    for (let index = from; index < to; index += 1) yield segment.firstOffset + index;
  }
  return -1;
}

/** The answer of a pop as JSON text: `{"messages":[…]}`, the payload of each also as `payload`. */
export function renderOctoberPop(answer: SegmentAnswer, facts: OctoberPopFacts): string {
  const texts: string[] = [];
  for (const partition of answer.partitions) texts.push(...collected(partitionTexts(answer, partition, facts)));
  return `{"messages":[${texts.join(",")}]}`;
}

/** In pieces, so that a spread of many elements never meets the limit of arguments. */
function* collected(texts: Generator<string>): Generator<string> {
  let piece: string[] = [];
  for (const text of texts) {
    piece.push(text);
    if (piece.length < 1000) continue;
    yield piece.join(",");
    piece = [];
  }
  if (piece.length > 0) yield piece.join(",");
}

/** One element of the answer of a push. */
export function octoberPushValue({ transactionId, traceId, outcome }: PushResult): Record<string, unknown> {
  switch (outcome.status) {
    case "queued":
      return { id: outcome.messageId, transactionId, traceId, status: "queued" };
    case "duplicate":
      return { id: outcome.messageId, transactionId, status: "duplicate" };
    case "failed":
      return { transactionId, status: "failed", error: outcome.error };
    default:
      return { transactionId, traceId, status: outcome.status };
  }
}
