/**
 * Statements over segments: the log itself.
 *
 * @module
 */

import type { Buffer } from "node:buffer";
import type { Sql } from "./database.ts";
import { arrayOf } from "./literals.ts";

/** One segment to append; the entries of a call are parallel, one a partition. */
export interface SegmentAppend {
  queueId: number;
  partitionId: number;
  /** Version of the queue's options the segment was made under. */
  configVersion: number;
  /** What the caller knows of recent ids holds while the partition's head and epoch are these; -1: it knows none. */
  seenHead: number;
  seenEpoch: number;
  messageCount: number;
  format: number;
  rawBytes: number;
  /** UUID text. */
  idBase: string;
  /** Smallest and largest time-ordered transaction id, as UUID text; null when there is none. */
  txMin: string | null;
  txMax: string | null;
  body: Buffer;
  /** 16 bytes a message. */
  keys: Buffer;
  /** Messages whose key is not time-ordered: index in the segment, and the key as UUID text. */
  otherKeys: { index: number; key: string }[];
}

/** A row of the answer of {@link segmentAppend}. */
export interface SegmentAppendRow {
  /** 1-based position in the entries of the call. */
  entry: number;
  outcome: "appended" | "duplicate" | "missing" | "stale" | "full";
  first_offset: number | null;
  epoch: number | null;
  /** ISO 8601 with microseconds. */
  created_at: string | null;
  batch_index: number | null;
  existing_offset: number | null;
  existing_id_base: string | null;
  existing_first: number | null;
  room: number | null;
  depth: number | null;
  max_size: number | null;
  tx_high_before: string | null;
}

/**
 * Appends a segment to each of several partitions in one transaction.
 *
 * @remarks
 * Locks, in order: the queues' advisory locks (shared; exclusive for bounded queues), the partitions, drained cursors.
 * Entries must be sorted by (queueId, partitionId), each partition once. Not idempotent by itself; repeating it with the
 * same messages reports them as duplicates of themselves (same `idBase`).
 *
 * @param bodies - The bodies of all entries, concatenated; `keys` likewise.
 * @returns Rows by outcome, several for an entry with duplicates; every entry has at least one.
 * @throws The driver's error; the outcome is unknown when the connection was lost, nothing was written otherwise.
 */
export function segmentAppend(
  sql: Sql,
  entries: readonly SegmentAppend[],
  bodies: Buffer,
  keys: Buffer,
): Promise<SegmentAppendRow[]> {
  const other = entries.flatMap((entry, index) => entry.otherKeys.map((key) => ({ entry: index + 1, ...key })));
  return sql<SegmentAppendRow[]>`
    select * from queen.segment_append(
      ${arrayOf(entries.map((e) => e.queueId))}, ${arrayOf(entries.map((e) => e.partitionId))},
      ${arrayOf(entries.map((e) => e.configVersion))}, ${arrayOf(entries.map((e) => e.seenHead))},
      ${arrayOf(entries.map((e) => e.seenEpoch))}, ${arrayOf(entries.map((e) => e.messageCount))},
      ${arrayOf(entries.map((e) => e.format))}, ${arrayOf(entries.map((e) => e.rawBytes))},
      ${arrayOf(entries.map((e) => e.idBase))}, ${arrayOf(entries.map((e) => e.txMin))},
      ${arrayOf(entries.map((e) => e.txMax))}, ${arrayOf(entries.map((e) => e.body.length))},
      ${bodies}, ${keys},
      ${arrayOf(other.map((o) => o.entry))}, ${arrayOf(other.map((o) => o.key))}, ${arrayOf(other.map((o) => o.index))}
    )`;
}

/** A segment as it is stored. */
export interface SegmentRow {
  partition_id: number;
  first_offset: number;
  message_count: number;
  format: number;
  /** ISO 8601 with microseconds. */
  created_at: string;
  id_base: string;
  tx_keys: Buffer;
  body: Buffer;
}

/**
 * Reads the segments that hold any of the offsets `[from, to)` of their partition.
 *
 * @remarks Rides on segments_pkey. Locks nothing.
 * @param ranges - Of one queue; may name a partition several times.
 * @returns By range, then ascending by offset.
 */
export function segmentRead(
  sql: Sql,
  queueId: number,
  ranges: readonly { partitionId: number; from: number; to: number }[],
): Promise<SegmentRow[]> {
  return sql<SegmentRow[]>`
    select s.partition_id, s.first_offset, s.message_count, s.format, s.created_at, s.id_base, s.tx_keys, s.body
    from unnest(
      ${arrayOf(ranges.map((r) => r.partitionId))}::bigint[], ${arrayOf(ranges.map((r) => r.from))}::bigint[],
      ${arrayOf(ranges.map((r) => r.to))}::bigint[]
    ) with ordinality r(partition_id, from_offset, to_offset, ord)
    cross join lateral (
      select s.* from queen.segments s
      where s.queue_id = ${queueId} and s.partition_id = r.partition_id and s.first_offset < r.to_offset
        and s.first_offset >= coalesce((
          select f.first_offset from queen.segments f
          where f.queue_id = ${queueId} and f.partition_id = r.partition_id and f.first_offset <= r.from_offset
          order by f.first_offset desc limit 1
        ), 0)
        and s.first_offset + s.message_count > r.from_offset
    ) s
    order by r.ord, s.first_offset`;
}

/** Keys of one segment, for finding messages by transaction id. */
export interface SegmentKeysRow {
  first_offset: number;
  message_count: number;
  id_base: string;
  tx_keys: Buffer;
}

/**
 * Reads the keys of the segments whose time-ordered transaction ids may include some of `[min, max]`.
 *
 * @remarks Rides on segments_tx.
 * @returns Ascending by offset.
 */
export function segmentKeysInRange(
  sql: Sql,
  at: { queueId: number; partitionId: number },
  min: string,
  max: string,
): Promise<SegmentKeysRow[]> {
  return sql<SegmentKeysRow[]>`
    select s.first_offset, s.message_count, s.id_base, s.tx_keys
    from queen.segments s
    where s.queue_id = ${at.queueId} and s.partition_id = ${at.partitionId} and s.tx_max >= ${min} and s.tx_min <= ${max}
    order by s.first_offset`;
}

/**
 * Finds messages by keys that are not time-ordered.
 *
 * @remarks Rides on transaction_keys_pkey.
 * @returns Any order; keys without a message are left out.
 */
export function transactionKeyFind(
  sql: Sql,
  at: { queueId: number; partitionId: number },
  keys: readonly string[],
): Promise<{ key: string; message_offset: number }[]> {
  return sql<{ key: string; message_offset: number }[]>`
    select x.key, x.message_offset
    from queen.transaction_keys x
    where x.queue_id = ${at.queueId} and x.partition_id = ${at.partitionId} and x.key = any (${arrayOf(keys)}::uuid[])`;
}

/** Which of the offsets of a partition were deleted one by one; usually none. */
export function tombstoneFind(
  sql: Sql,
  at: { queueId: number; partitionId: number },
  offsets: readonly number[],
): Promise<{ message_offset: number }[]> {
  return sql<{ message_offset: number }[]>`
    select t.message_offset from queen.tombstones t
    where t.queue_id = ${at.queueId} and t.partition_id = ${at.partitionId}
      and t.message_offset = any (${arrayOf(offsets)}::bigint[])`;
}
