/**
 * Appending within a transaction that does more than append: duplicates are taken out, everything else must go in.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { messageId } from "../../schema/wire/ids.ts";
import type { Sql } from "../storage/database.ts";
import { type SegmentAppendRow, segmentAppend } from "../storage/segments.ts";
import { type Draft, gatherPlaces, makeDraft } from "./append.ts";
import type { EngineContext } from "./context.ts";
import { sortDrafts } from "./push.ts";
import type { PushUnit } from "./push-unit.ts";
import { RecentKeys } from "./recent-keys.ts";

/** What the client asks for cannot be; the text is for it. */
export class Refusal extends Error {}

/** The options changed or the queue vanished between preparing and appending: to be rolled back and tried again. */
export class Surprise extends Error {}

/** Segments of a transaction, not committed yet. */
export type InTransaction = { draft: Draft; row: SegmentAppendRow }[];

/**
 * Appends units and gives each message its outcome, but for repeats within a unit.
 *
 * @remarks
 * The first statement locks all partitions, so that what is found to be a duplicate remains one, and further ones, for what
 * did not fit or was found beside duplicates, lock nothing new. Queues and partitions must be known (`prepare`).
 *
 * @param sql - An open transaction.
 * @throws Refusal when a queue is full; Surprise; the driver's error. The transaction must then be rolled back.
 */
export async function appendInTransaction(
  context: EngineContext,
  sql: Sql,
  units: readonly PushUnit[],
): Promise<InTransaction> {
  const appended: InTransaction = [];
  for (const unit of units) unit.outcomes.fill(null);
  for (;;) {
    const drafts = makeDrafts(context, units);
    if (drafts.length === 0) return appended;
    const appends = drafts.map((draft) => draft.append);
    const bodies = Buffer.concat(appends.map((append) => append.body));
    const keys = Buffer.concat(appends.map((append) => append.keys));
    for (const row of await segmentAppend(sql, appends, bodies, keys)) {
      const draft = drafts[row.entry - 1]!;
      apply(draft, row);
      if (row.outcome === "appended") appended.push({ draft, row });
    }
  }
}

/** A segment for each partition that has messages without an outcome. */
function makeDrafts(context: EngineContext, units: readonly PushUnit[]): Draft[] {
  const nothing = new RecentKeys();
  const drafts: Draft[] = [];
  for (const unit of units) {
    const queue = context.catalog.knownQueue(unit.queue);
    const partition = queue && context.catalog.knownPartition(queue, unit.partition);
    if (!partition) throw new Surprise("missing");
    const { places } = gatherPlaces([unit]);
    if (places.length > 0) drafts.push(makeDraft(context, nothing, partition, places));
  }
  sortDrafts(drafts);
  return drafts;
}

function apply({ append, partition, places }: Draft, row: SegmentAppendRow): void {
  switch (row.outcome) {
    case "appended":
      for (const [at, { unit, index }] of places.entries()) {
        const id = messageId(append.idBase, at);
        unit.outcomes[index] = { status: "queued", messageId: id, partitionId: partition.uuid };
      }
      return;
    case "duplicate": {
      const { unit, index } = places[row.batch_index!]!;
      const id = messageId(row.existing_id_base!, row.existing_offset! - row.existing_first!);
      unit.outcomes[index] = { status: "duplicate", messageId: id };
      return;
    }
    case "full":
      throw new Refusal(
        `Queue '${partition.queue.name}' is full: depth ${row.depth! + row.room!}, limit ${row.max_size} (maxSize)`,
      );
    default:
      throw new Surprise(row.outcome);
  }
}
