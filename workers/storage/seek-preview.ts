/**
 * What moving the cursors of a group would skip and deliver again. Locks nothing.
 *
 * @module
 */

import type { Sql } from "./database.ts";

/** What moving the cursors of some partitions would come to, in messages. */
export interface SeekPreviewRow {
  /** Partitions whose cursor would be moved or made. */
  partitions: number;
  /** Open now, and passed over then. */
  skipped: number;
  /** Done with now, and to be delivered again then. */
  replayed: number;
  /** Open then. */
  pending: number;
  /** The last partition looked at; null when there are no more. */
  last: number | null;
}

/**
 * Looks at some partitions of a queue, in the order of their ids, as `queen.consumer_group_seek` would.
 *
 * @remarks Rides on partitions_pkey, cursors_pkey and segments_pkey: a few entries for each partition.
 * @param from - Id to begin at.
 * @param after - ISO timestamp to resume after; null: to the end.
 */
export async function seekPreview(
  sql: Sql,
  args: { queueId: number; group: string; from: number; after: string | null; partitionsMax: number },
): Promise<SeekPreviewRow> {
  const { queueId, group, from, after, partitionsMax } = args;
  const start =
    after === null
      ? sql`p.head`
      : sql`coalesce((
          select s.first_offset + s.message_count from queen.segments s
          where s.queue_id = ${queueId} and s.partition_id = p.id and s.created_at <= ${after}::timestamptz
          order by s.first_offset desc limit 1
        ), p.tail)`;
  const [row] = await sql<SeekPreviewRow[]>`
    with g as materialized (
      select g.id, g.filled_to, g.subscribed_from from queen.consumer_groups g
      where g.queue_id = ${queueId} and g.name = ${group} and g.active
    ), page as materialized (
      select p.id, p.head, p.tail, p.tombstone_count > 0 as has_stones, ${start} as start
      from queen.partitions p where p.queue_id = ${queueId} and p.id >= ${from} order by p.id limit ${partitionsMax}
    ), standing as (
      select p.id, p.head, p.tail, p.has_stones, greatest(p.start, p.tail) as start, c.next_offset is not null as known, c.resolved,
             -- A group that is still being given its cursors has those partitions ahead of it.
             greatest(p.tail, coalesce(c.next_offset, case
               when g.filled_to is null or p.id <= g.filled_to then p.head
               when g.subscribed_from is null then p.tail
               else queen.subscription_start(${queueId}, p.id, p.tail, g.subscribed_from)
             end)) as next
      from page p
      cross join g
      left join queen.cursors c on c.queue_id = ${queueId} and c.partition_id = p.id and c.group_id = g.id
    ), sets as (
      select s.*, int8multirange(int8range(least(s.next, s.head), s.head)) - coalesce(s.resolved, '{}') - d.stones as open, int8multirange(int8range(least(s.start, s.head), s.head)) - d.stones as ahead
      from standing s
      cross join lateral (
        select coalesce(range_agg(int8range(t.message_offset, t.message_offset + 1)), '{}') as stones from queen.tombstones t
        where s.has_stones and t.queue_id = ${queueId} and t.partition_id = s.id
      ) d
    )
    select coalesce(count(*) filter (where c.start < c.head or c.known and (${after !== null} or c.head > c.tail)), 0) as partitions,
           coalesce(sum(queen.offsets_count(c.open - c.ahead)), 0)::bigint as skipped,
           coalesce(sum(queen.offsets_count(c.ahead - c.open)), 0)::bigint as replayed,
           coalesce(sum(queen.offsets_count(c.ahead)), 0)::bigint as pending,
           (select case when count(*) = ${partitionsMax} then max(p.id) end from page p) as last
    from sets c`;
  return row!;
}
