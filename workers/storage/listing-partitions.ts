/**
 * Statements that list partitions with their counts. They lock nothing.
 *
 * @module
 */

import type { Sql } from "./database.ts";
import { type MessageCounts, type Page, type QueueFilter, queueCondition } from "./listing-counts.ts";

/** A partition in a listing. */
export interface PartitionListRow extends MessageCounts {
  queue_id: number;
  id: number;
  name: string;
  queue: string;
  namespace: string;
  task: string;
  priority: number;
  /** ISO 8601 with microseconds, as all instants here. */
  created_at: string;
  /** Null when nothing was ever pushed. */
  pushed_at: string | null;
  /** Null when no group consumed anything. */
  consumed_at: string | null;
  /** Messages and batches that groups resolved here, over all groups. */
  consumed_count: number;
  batch_count: number;
  /** Creation of the oldest and the newest message that is kept; null when none is. */
  oldest_at: string | null;
  newest_at: string | null;
}

/** Which partitions are listed. */
export interface PartitionFilter extends QueueFilter {
  /** Only with at least so many messages that wait and are not handed out; 0 or less: any. */
  depthMin: number;
}

/**
 * A page of partitions, queue by queue in the order of their ids.
 *
 * @remarks
 * Rides on partitions_pkey; of the page's partitions it visits all cursors and dead letters. With a depth, the undrained cursors of
 * all queues that match are visited first.
 */
export function partitionList(sql: Sql, filter: PartitionFilter, page: Page): Promise<PartitionListRow[]> {
  return sql<PartitionListRow[]>`
    with page as materialized (${partitionPage(sql, filter, page)}),
    groups as materialized (
      select u.queue_id, u.ids, array(select g.id from queen.consumer_groups g where g.queue_id = u.queue_id and g.active) as groups
      from (select p.queue_id, array_agg(p.id) as ids from page p group by p.queue_id) u
    ), standings as materialized (
      select g.queue_id, s.* from groups g cross join lateral queen.partition_standings(g.queue_id, g.groups, g.ids) s
    )
    select p.queue_id, p.id, p.name, q.name as queue, q.namespace, q.task, q.priority, p.created_at, p.pushed_at, p.total,
           case when g.groups = '{}' then p.total else coalesce(s.pending, 0) end as pending,
           coalesce(s.processing, 0) as processing, coalesce(s.dead_letter, 0) as dead_letter,
           case when g.groups = '{}' then 0 else p.total - coalesce(s.unfinished, 0) end as completed,
           coalesce(s.consumed_count, 0) as consumed_count, coalesce(s.batch_count, 0) as batch_count, s.consumed_at,
           o.created_at as oldest_at, n.created_at as newest_at
    from page p
    join queen.queues q on q.id = p.queue_id
    join groups g on g.queue_id = p.queue_id
    left join standings s on s.queue_id = p.queue_id and s.partition_id = p.id
    left join lateral (${segmentAtEnd(sql, "first")}) o on true
    left join lateral (${segmentAtEnd(sql, "last")}) n on true
    order by p.queue_id, p.id`;
}

/** Rows of `queen.partitions` that the page shows, with what is kept in each. */
function partitionPage(sql: Sql, filter: PartitionFilter, page: Page) {
  const columns = sql`p.queue_id, p.id, p.name, p.created_at, p.pushed_at, p.tombstone_count, p.head - p.tail - p.tombstone_count as total`;
  const queues = sql`select q.id from queen.queues q where true ${queueCondition(sql, filter)}`;
  if (filter.depthMin > 0) {
    return sql`
      select ${columns}
      from (
        select q.id as queue_id, d.id from (${queues}) q cross join lateral queen.partition_deep(q.id, ${filter.depthMin}) d(id)
        order by 1, 2 limit ${page.limit} offset ${page.offset}
      ) d
      cross join lateral (
        select p.* from queen.partitions p where p.queue_id = d.queue_id and p.id = d.id order by p.generation desc limit 1
      ) p`;
  }
  if (filter.queue !== null) {
    return sql`
      select ${columns} from queen.partitions p where p.queue_id = (${queues})
      order by p.queue_id, p.id limit ${page.limit} offset ${page.offset}`;
  }
  return sql`
    select ${columns} from queen.partitions p join queen.queues q on q.id = p.queue_id
    where true ${queueCondition(sql, filter)}
    order by p.queue_id, p.id limit ${page.limit} offset ${page.offset}`;
}

/** Creation of the first or last segment of `p` in which some message is left. */
function segmentAtEnd(sql: Sql, end: "first" | "last") {
  return sql`
    select s.created_at from queen.segments s
    where s.queue_id = p.queue_id and s.partition_id = p.id and p.total > 0
      and (p.tombstone_count = 0 or s.message_count > (
        select count(*) from queen.tombstones t
        where t.queue_id = p.queue_id and t.partition_id = p.id
          and t.message_offset >= s.first_offset and t.message_offset < s.first_offset + s.message_count
      ))
    ${end === "first" ? sql`order by s.first_offset` : sql`order by s.first_offset desc`} limit 1`;
}
