/**
 * Statements that count messages as the October 2025 dialect does: by group, queue mode unless all are wanted, and of those
 * created in a stretch of time. They lock nothing.
 *
 * @module
 */

import { QUEUE_MODE_GROUP } from "../../schema/wire/limits.ts";
import type { Sql } from "./database.ts";
import { type QueueFilter, queueCondition } from "./listing-counts.ts";

/** The counts of one partition for one group. They add up to `total`. */
export interface OctoberCountsRow {
  queue_id: number;
  partition_id: number;
  partition: string;
  created_at: string;
  /** Null where the queue has no group: all is pending. */
  group_name: string | null;
  pending: number;
  processing: number;
  completed: number;
  failed: number;
  dead_letter: number;
  total: number;
  /** When the oldest message that is not consumed was stored, the newest that is kept, and something was consumed last. */
  waiting_since: string | null;
  oldest_at: string | null;
  newest_at: string | null;
  consumed_at: string | null;
}

/** What is counted: messages created in `[from, to)`, ISO timestamps or null for no bound. */
export interface OctoberCountsFilter extends QueueFilter {
  from: string | null;
  to: string | null;
  /** Every group rather than queue mode alone. */
  allGroups: boolean;
  partitionsMax: number;
}

/**
 * Counts partitions, in the order in which they were made, queue by queue.
 *
 * @remarks Rides on partitions_pkey, cursors_pkey, segments_pkey; visits the failures and dead letters of what it counts.
 */
export function octoberCounts(sql: Sql, filter: OctoberCountsFilter): Promise<OctoberCountsRow[]> {
  const { from, to, allGroups, partitionsMax } = filter;
  return sql<OctoberCountsRow[]>`
    with page as materialized (
      select p.*
      from (select q.id from queen.queues q where true ${queueCondition(sql, filter)} order by q.id offset 0) q
      cross join lateral (
        select p.queue_id, p.id, p.name, p.created_at, p.head, p.tail, p.tombstone_count
        from queen.partitions p where p.queue_id = q.id order by p.id limit ${partitionsMax}
      ) p
      limit ${partitionsMax}
    )
    select p.queue_id, p.id as partition_id, p.name as partition, p.created_at, g.name as group_name,
           (n.unresolved - n.processing - n.failed)::float8 as pending, n.processing::float8 as processing,
           (n.total - n.unresolved - n.dead)::float8 as completed, n.failed::float8 as failed, n.dead::float8 as dead_letter,
           n.total::float8 as total, s.waiting_since, s.oldest_at, s.newest_at, c.consumed_at
    from page p
    left join queen.consumer_groups g on g.queue_id = p.queue_id and g.active and (${allGroups} or g.name = ${QUEUE_MODE_GROUP})
    left join lateral (
      select c.*, coalesce(a.failed, '{}') as answered,
             case when c.lease_id is not null and c.lease_expires_at > clock_timestamp()
                  then int8multirange(int8range(c.lease_first, c.lease_end)) else '{}' end as lease
      from queen.cursors c
      left join queen.october_answers a on a.queue_id = c.queue_id and a.partition_id = c.partition_id and a.group_id = c.group_id
        and a.lease_id = c.lease_id
      where c.queue_id = p.queue_id and c.partition_id = p.id and c.group_id = g.id
      order by c.generation desc limit 1
    ) c on true
    cross join lateral (
      select case when ${from}::timestamptz is null then p.tail
                  else greatest(p.tail, queen.subscription_start(p.queue_id, p.id, p.tail, ${from}::timestamptz)) end as lo,
             case when ${to}::timestamptz is null then p.head
                  else greatest(p.tail, queen.subscription_start(p.queue_id, p.id, p.tail, ${to}::timestamptz)) end as hi
      offset 0
    ) b
    cross join lateral (
      select greatest(b.lo, least(b.hi, p.head)) as hi,
             case when p.tombstone_count = 0 then '{}' else coalesce((
               select range_agg(int8range(t.message_offset, t.message_offset + 1)) from queen.tombstones t
               where t.queue_id = p.queue_id and t.partition_id = p.id and t.message_offset >= b.lo and t.message_offset < b.hi
             ), '{}') end as gone
      offset 0
    ) w
    cross join lateral (
      select case when g.id is null then int8multirange(int8range(b.lo, w.hi))
                  when c.next_offset is null then '{}'::int8multirange
                  else int8multirange(int8range(least(greatest(b.lo, c.next_offset), w.hi), w.hi)) - coalesce(c.resolved, '{}')
             end - w.gone as open
      offset 0
    ) o
    cross join lateral (
      select w.hi - b.lo - queen.offsets_count(w.gone) as total,
             queen.offsets_count(o.open) as unresolved,
             case when c.lease is null then 0 else queen.offsets_count(o.open * c.lease - c.answered) end as processing,
             case when not coalesce(c.has_retries, false) then 0 else (
               select count(*) from queen.retries t
               where t.queue_id = p.queue_id and t.partition_id = p.id and t.group_id = g.id and t.failure_count > 0
                 and o.open @> t.message_offset and not (c.lease - c.answered) @> t.message_offset
             ) end as failed,
             (select count(*) from queen.dead_letters d
              where d.queue_id = p.queue_id and d.partition_id = p.id and d.group_id = g.id
                and d.message_offset >= b.lo and d.message_offset < w.hi) as dead
      offset 0
    ) n
    left join lateral (
      select (
        select s.created_at from queen.segments s
        where s.queue_id = p.queue_id and s.partition_id = p.id and s.first_offset <= lower(o.open)
        order by s.first_offset desc limit 1
      ) as waiting_since, (
        select s.created_at from queen.segments s where s.queue_id = p.queue_id and s.partition_id = p.id order by s.first_offset limit 1
      ) as oldest_at, (
        select s.created_at from queen.segments s where s.queue_id = p.queue_id and s.partition_id = p.id order by s.first_offset desc limit 1
      ) as newest_at
    ) s on true
    order by p.queue_id, p.id, g.name`;
}

/** A queue, by name. */
export interface OctoberQueueRow {
  id: number;
  name: string;
  namespace: string;
  task: string;
}

/** Queues that match, in the order in which they were made; at most `queuesMax`. */
export function octoberQueues(sql: Sql, filter: QueueFilter, queuesMax: number): Promise<OctoberQueueRow[]> {
  return sql<OctoberQueueRow[]>`
    select q.id, q.name, q.namespace, q.task from queen.queues q
    where true ${queueCondition(sql, filter)}
    order by q.id limit ${queuesMax}`;
}

/** Messages that failed in queue mode and wait for another attempt, the latest failure first. Bounded by its page. */
export function octoberFailedList(
  sql: Sql,
  filter: QueueFilter & { partition: string | null },
  page: { limit: number; offset: number },
): Promise<{ queue_id: number; partition_id: number; message_offset: number }[]> {
  return sql<{ queue_id: number; partition_id: number; message_offset: number }[]>`
    select t.queue_id, t.partition_id, t.message_offset
    from queen.queues q
    join queen.consumer_groups g on g.queue_id = q.id and g.name = ${QUEUE_MODE_GROUP} and g.active
    join queen.retries t on t.queue_id = q.id and t.group_id = g.id and t.failure_count > 0
    join queen.partitions p on p.queue_id = q.id and p.id = t.partition_id and t.message_offset >= p.tail
    where (${filter.partition}::text is null or p.name = ${filter.partition}) ${queueCondition(sql, filter)}
    order by t.failed_at desc, t.queue_id, t.partition_id, t.message_offset
    limit ${page.limit} offset ${page.offset}`;
}

/** When something was last measured of the queues that match; null when nothing ever was. */
export async function octoberLastTraffic(sql: Sql, filter: QueueFilter): Promise<string | null> {
  const [row] = await sql<{ at: string | null }[]>`
    select max(s.at) as at from queen.queue_samples s join queen.queues q on q.id = s.queue_id
    where true ${queueCondition(sql, filter)}`;
  return row!.at;
}
