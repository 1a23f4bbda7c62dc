/**
 * From what a verb did to what is counted of it.
 *
 * @module
 */

import type { AckResult } from "../../schema/wire/ack-answer.ts";
import type { AckItem } from "../../schema/wire/ack-request.ts";
import type { PopParams } from "../protocol.ts";
import type { ClaimRow } from "../storage/cursors.ts";
import { parseMultirange } from "../storage/literals.ts";
import type { EngineContext } from "./context.ts";
import type { Counters } from "./counters.ts";
import type { Segment } from "./segment.ts";

/** Statuses by which a consumer says that it is done with a message. */
const DONE: ReadonlySet<string> = new Set(["completed", "success"]);

/** Counts a request to push these. */
export function countPush(context: EngineContext, units: readonly { queue: string }[]): void {
  const queueIds: number[] = [];
  let before: string | null = null;
  for (const { queue } of units) {
    if (queue === before) continue;
    before = queue;
    const known = context.catalog.remembered(queue);
    if (known) queueIds.push(known.id);
  }
  context.counters.requested("pushRequests", queueIds);
}

/** Counts a pop that was answered; one that a client did not wait for was not. */
export function countPop(context: EngineContext, params: PopParams, answer: { queue: string } | null): void {
  const queue = answer?.queue ?? params.queue;
  const known = queue === undefined ? null : context.catalog.remembered(queue);
  context.counters.popped(known?.id ?? null, answer === null);
}

/** Counts the messages of one claimed partition that are about to be delivered, and how old they are. */
export function countDelivery(
  counters: Counters,
  of: { queueId: number; autoAck: boolean },
  row: Pick<ClaimRow, "first_offset" | "end_offset" | "skip">,
  segments: readonly Segment[],
): void {
  const now = Date.now();
  const skip = parseMultirange(row.skip);
  let messages = 0;
  let lagSumMs = 0;
  let lagMaxMs = 0;
  for (const { firstOffset, messageCount, createdAt } of segments) {
    const from = Math.max(row.first_offset, firstOffset);
    const to = Math.min(row.end_offset, firstOffset + messageCount);
    let count = Math.max(0, to - from);
    for (let at = 0; at < skip.length; at += 2) {
      count -= Math.max(0, Math.min(to, skip[at + 1]!) - Math.max(from, skip[at]!));
    }
    if (count <= 0) continue;
    // The database's clock may be a little ahead of this one.
    const lagMs = Math.max(0, now - instantMs(createdAt));
    messages += count;
    lagSumMs += count * lagMs;
    if (lagMs > lagMaxMs) lagMaxMs = lagMs;
  }
  counters.delivered(of.queueId, { messages, lagSumMs, lagMaxMs }, of.autoAck);
}

let dayText = "";
let dayMs = 0;

/** Milliseconds since 1970 of an instant as the store shows it. `Date.parse` takes ten times as long. */
export function instantMs(text: string): number {
  if (!text.startsWith(dayText) || dayText === "") {
    dayText = text.slice(0, 11);
    dayMs = Date.parse(`${dayText}00:00:00Z`);
  }
  const pair = (at: number) => (text.charCodeAt(at) - 48) * 10 + text.charCodeAt(at + 1) - 48;
  const thousandths = pair(20) * 10 + text.charCodeAt(22) - 48;
  return dayMs + ((pair(11) * 60 + pair(14)) * 60 + pair(17)) * 1000 + thousandths;
}

/** Counts a request to acknowledge items of these bundles, with what became of each. */
export function countAck(
  counters: Counters,
  bundles: readonly { partition: { queue: { id: number } }; indexes: readonly number[] }[],
  items: readonly Pick<AckItem, "status">[],
  results: readonly Pick<AckResult, "success" | "dlq">[],
): void {
  counters.requested(
    "ackRequests",
    bundles.map(({ partition }) => partition.queue.id),
  );
  let counted = 0;
  for (const { partition, indexes } of bundles) {
    let success = 0;
    let deadLetters = 0;
    for (const index of indexes) {
      const result = results[index]!;
      if (result.success && DONE.has(items[index]!.status)) success += 1;
      else if (result.dlq) deadLetters += 1;
    }
    counters.acknowledged(partition.queue.id, success, indexes.length - success, deadLetters);
    counted += indexes.length;
  }
  counters.acknowledgedNothing(items.length - counted);
}
