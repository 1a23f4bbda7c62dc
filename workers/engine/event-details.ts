/**
 * What the events about popped and acknowledged messages say. Only called while somebody watches.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { AckResult } from "../../schema/wire/ack-answer.ts";
import type { AckItem } from "../../schema/wire/ack-request.ts";
import { decodeCbor } from "../../schema/wire/cbor.ts";
import type { PopAnswer, PopPiece } from "../../schema/wire/pop-answer.ts";
import { MESSAGE_END, sliceCborBody, sliceJsonBody } from "../../schema/wire/segment.ts";
import { countMessages, type SegmentAnswer, segmentTexts } from "../../schema/wire/segment-answer.ts";
import type { Events } from "./events.ts";

/** Statuses by which a consumer says that it is done with a message. */
const DONE: ReadonlySet<string> = new Set(["completed", "success"]);

const CBOR_MAP_5 = Buffer.from([0xa5]);
/** How every stored message begins. */
const HEAD = /^\{"id":"[^"]*","transactionId":("(?:[^"\\]|\\.)*")/;

function idOf(text: string): string {
  const match = HEAD.exec(text);
  return match ? (JSON.parse(match[1]!) as string) : "";
}

function pieceIds(piece: PopPiece, most: number): string[] {
  const to = Math.min(piece.to, piece.from + most);
  if (piece.cbor) {
    return sliceCborBody(piece.body, piece.messageCount, piece.from, to).map((part) => {
      const message = decodeCbor(Buffer.concat([CBOR_MAP_5, part])) as { transactionId: string };
      return message.transactionId;
    });
  }
  const text = sliceJsonBody(piece.body, piece.messageCount, piece.from, to, piece.ends ?? null).toString("utf8");
  return text.split(MESSAGE_END).slice(0, -1).map(idOf);
}

function* answerIds(answer: PopAnswer | SegmentAnswer, most: number): Generator<[partition: string, id: string]> {
  if ("pieces" in answer) {
    for (const piece of answer.pieces) {
      for (const id of pieceIds(piece, most)) yield [piece.partition, id];
    }
    return;
  }
  for (const partition of answer.partitions) {
    for (const segment of partition.segments) {
      for (const text of segmentTexts(answer, partition, segment)) yield [partition.partition, idOf(text)];
    }
  }
}

/** Tells of a pop. */
export function tellPopped(events: Events, answer: PopAnswer | SegmentAnswer): void {
  const count =
    "pieces" in answer ? answer.pieces.reduce((sum, piece) => sum + piece.to - piece.from, 0) : countMessages(answer);
  const messages: { partition: string; transactionId: string }[] = [];
  const most = events.room;
  if (most > 0) {
    for (const [partition, transactionId] of answerIds(answer, most)) {
      messages.push({ partition, transactionId });
      if (messages.length >= most) break;
    }
  }
  events.processing(answer.queue, messages, count);
}

/** Tells of acknowledgements that were recorded. */
export function tellAcknowledged(
  events: Events,
  items: readonly Pick<AckItem, "status" | "error">[],
  results: readonly AckResult[],
): void {
  for (const [index, { success, transactionId }] of results.entries()) {
    const { status, error } = items[index]!;
    if (!success || status === "retry") continue;
    if (DONE.has(status)) events.completed(transactionId);
    else events.failed(transactionId, error);
  }
}
