/**
 * Reading messages out of the log: from the cache where it has them, from the store otherwise.
 *
 * @module
 */

import { type SegmentRow, segmentRead } from "../storage/segments.ts";
import type { EngineContext } from "./context.ts";
import { Segment } from "./segment.ts";

/** Some offsets of one partition. */
export interface OffsetRange {
  partitionId: number;
  from: number;
  to: number;
}

function segmentOf(context: EngineContext, row: SegmentRow): Segment {
  const facts = {
    partitionId: row.partition_id,
    firstOffset: row.first_offset,
    messageCount: row.message_count,
    createdAt: row.created_at,
    idBase: row.id_base,
    keys: row.tx_keys,
  };
  return new Segment(facts, { format: row.format, bytes: row.body }, context.ring, null);
}

/**
 * The segments that hold the offsets of each range.
 *
 * @param sql - Lane to read with when the cache does not have them.
 * @returns `result[i]` answers `ranges[i]`: ascending, without gaps unless messages were deleted meanwhile.
 * @throws Error when the encryption key of a body is missing. A damaged one shows when it is unpacked.
 */
export async function readSegments(
  context: EngineContext,
  sql: import("../storage/database.ts").Sql,
  queueId: number,
  ranges: readonly OffsetRange[],
): Promise<Segment[][]> {
  const found = ranges.map((range) => context.segments.find(queueId, range.partitionId, range.from, range.to));
  const missing = ranges.filter((_, index) => found[index] === null);
  if (missing.length > 0) {
    const rows = await segmentRead(sql, queueId, missing);
    let at = 0;
    for (let index = 0; index < ranges.length; index += 1) {
      if (found[index] !== null) continue;
      const range = ranges[index]!;
      const segments: Segment[] = [];
      for (; at < rows.length; at += 1) {
        const row = rows[at]!;
        const inside =
          row.partition_id === range.partitionId &&
          row.first_offset < range.to &&
          row.first_offset + row.message_count > range.from &&
          (segments.length === 0 || row.first_offset > segments.at(-1)!.firstOffset);
        if (!inside) break;
        const segment = segmentOf(context, row);
        context.segments.put(queueId, segment);
        segments.push(segment);
      }
      found[index] = segments;
    }
  }
  return found as Segment[][];
}
