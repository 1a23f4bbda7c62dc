/**
 * Pop answers of stored segments: counted by their frame, unpacked only for checks.
 *
 * @module
 */

import { countMessages, decodeSegmentAnswer, segmentTexts } from "../../../schema/wire/segment-answer.ts";

/**
 * Reads an answer without unpacking its segments.
 *
 * @param body - The whole body.
 * @returns Number of messages, and the lease id (empty when there is none).
 */
export function readSegments(body: Buffer): { messages: number; leaseId: string } {
  const answer = decodeSegmentAnswer(body);
  return { messages: countMessages(answer), leaseId: answer.leaseId };
}

/**
 * Unpacks an answer.
 *
 * @param body - The whole body.
 * @returns What a JSON pop would have answered, as far as checks look.
 */
export function segmentsAsJson(body: Buffer): Buffer {
  const answer = decodeSegmentAnswer(body);
  const texts = answer.partitions.flatMap((partition) =>
    partition.segments.flatMap((segment) => [...segmentTexts(answer, partition, segment)]),
  );
  return Buffer.from(`{"messages":[${texts.join(",")}]}`);
}
