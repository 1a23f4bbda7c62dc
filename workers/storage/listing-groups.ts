/**
 * Statements that list consumer groups and how far they are behind. They lock nothing.
 *
 * @module
 */

import type { Sql } from "./database.ts";
import type { Page } from "./listing-counts.ts";

/** A group of a queue in a listing. Instants are ISO 8601 with microseconds. */
export interface GroupListRow {
  name: string;
  queue: string;
  subscription_mode: string | null;
  subscribed_from: string | null;
  created_at: string;
  /** Partitions with a cursor. */
  members: number;
  /** Whether it ever consumed anything there. */
  consumed: boolean;
  /** Partitions with something left. */
  lagging: number;
  /** Messages left. */
  pending: number;
  /** Age of the oldest message left, in seconds; null when nothing is. */
  lag_seconds: number | null;
}

/**
 * A page of groups by name, then queue.
 *
 * @remarks
 * Visits all cursors of the queues of the page (0.2 µs of PostgreSQL's time each), and looks up a segment for each of the groups'
 * undrained cursors (3.5 µs).
 */
export function groupList(sql: Sql, page: Page): Promise<GroupListRow[]> {
  return sql<GroupListRow[]>`
    with page as materialized (
      select g.queue_id, g.id, g.name, q.name as queue, g.subscription_mode, g.subscribed_from, g.created_at
      from queen.consumer_groups g
      join queen.queues q on q.id = g.queue_id
      where g.active
      order by g.name, q.name limit ${page.limit} offset ${page.offset}
    ), queues as materialized (
      select p.queue_id, array_agg(p.id) as groups from page p group by p.queue_id
    ), members as materialized (
      -- Read once for all queues: one at a time, a plan for a queue of many partitions would be used for each.
      select c.queue_id, c.group_id, count(*) as members, bool_or(c.consumed_count > 0) as consumed
      from queen.cursors c where c.queue_id = any (array(select u.queue_id from queues u)) group by c.queue_id, c.group_id
    ), lags as materialized (
      select u.queue_id, l.group_id, count(*) as lagging, sum(l.pending)::bigint as pending, min(l.oldest_at) as oldest_at
      from queues u
      cross join lateral queen.cursor_lags(u.queue_id, u.groups, 'infinity') l
      group by u.queue_id, l.group_id
    )
    select p.name, p.queue, p.subscription_mode, p.subscribed_from, p.created_at, coalesce(m.members, 0) as members,
           coalesce(m.consumed, false) as consumed, coalesce(l.lagging, 0) as lagging, coalesce(l.pending, 0) as pending,
           greatest(extract(epoch from statement_timestamp() - l.oldest_at), 0)::float8 as lag_seconds
    from page p
    left join members m on m.queue_id = p.queue_id and m.group_id = p.id
    left join lags l on l.queue_id = p.queue_id and l.group_id = p.id
    order by p.name, p.queue`;
}

/** A cursor in a listing. */
export interface CursorListRow {
  queue_id: number;
  partition_id: number;
  queue: string;
  partition: string;
  /** Of the live lease, or null. */
  lease_id: string | null;
  /** ISO 8601 with microseconds, or null. */
  consumed_at: string | null;
  consumed_count: number;
  /** Messages left. */
  pending: number;
  /** Age of the oldest of them, in seconds; null when nothing is left. */
  lag_seconds: number | null;
  /** Cursors of the group on this queue. */
  cursors: number;
}

/**
 * A page of the cursors of a group, by queue name, then in the order of the partitions' ids.
 *
 * @remarks Rides on consumer_groups_by_name and cursors_pkey; visits the cursors of all groups on these queues to count.
 */
export function groupCursors(sql: Sql, group: string, page: Page): Promise<CursorListRow[]> {
  return sql<CursorListRow[]>`
    with queues as materialized (
      select q.id, q.name, g.id as group_id
      from queen.consumer_groups g
      join queen.queues q on q.id = g.queue_id
      where g.name = ${group} and g.active
    ), page as materialized (
      select q.id as queue_id, q.name as queue, q.group_id, c.partition_id
      from queues q
      cross join lateral (
        select c.partition_id from queen.cursors c where c.queue_id = q.id and c.group_id = q.group_id
        order by c.queue_id, c.partition_id limit ${page.limit + page.offset}
      ) c
      order by q.name, c.partition_id limit ${page.limit} offset ${page.offset}
    ), counts as materialized (
      select c.queue_id, count(*) as cursors from queen.cursors c
      where c.queue_id = any (array(select distinct p.queue_id from page p)) and c.group_id = any (array(select distinct p.group_id from page p))
      group by c.queue_id
    )
    select p.queue_id, p.partition_id, p.queue, n.name as partition, c.lease_id, c.consumed_at, c.consumed_count, c.pending, k.cursors,
           greatest(extract(epoch from statement_timestamp() - s.created_at), 0)::float8 as lag_seconds
    from page p
    join counts k on k.queue_id = p.queue_id
    cross join lateral (
      select c.* from queen.cursor_standings c
      where c.queue_id = p.queue_id and c.partition_id = p.partition_id and c.group_id = p.group_id limit 1
    ) c
    cross join lateral (
      select n.name from queen.partitions n where n.queue_id = p.queue_id and n.id = p.partition_id limit 1
    ) n
    left join lateral (
      select s.created_at from queen.segments s
      where c.pending > 0 and s.queue_id = p.queue_id and s.partition_id = p.partition_id and s.first_offset <= c.first_open
      order by s.first_offset desc limit 1
    ) s on true
    order by p.queue, p.partition_id`;
}

/** A cursor that is behind. Instants are ISO 8601 with microseconds. */
export interface LaggingRow {
  consumer_group: string;
  queue: string;
  partition: string;
  queue_id: number;
  partition_id: number;
  lease_id: string | null;
  pending: number;
  lag_seconds: number;
  oldest_at: string;
  consumed_at: string | null;
}

/**
 * A page of the cursors whose oldest message left is older than so many seconds, the largest lag first.
 *
 * @remarks Looks up a segment for each undrained cursor of the queues that hold messages of that age: 3.5 µs of PostgreSQL's time each.
 */
export function laggingList(sql: Sql, secondsMin: number, page: Page): Promise<LaggingRow[]> {
  return sql<LaggingRow[]>`
    with page as materialized (
      select q.id as queue_id, q.name as queue, l.*
      from queen.queues q
      cross join lateral queen.cursor_lags(
        q.id, array(select g.id from queen.consumer_groups g where g.queue_id = q.id and g.active),
        statement_timestamp() - make_interval(secs => ${secondsMin})
      ) l
      order by l.oldest_at, q.id, l.partition_id, l.group_id limit ${page.limit} offset ${page.offset}
    )
    select g.name as consumer_group, p.queue, n.name as partition, p.queue_id, p.partition_id, p.lease_id, p.pending,
           extract(epoch from statement_timestamp() - p.oldest_at)::float8 as lag_seconds, p.oldest_at, p.consumed_at
    from page p
    join queen.consumer_groups g on g.queue_id = p.queue_id and g.id = p.group_id
    cross join lateral (
      select n.name from queen.partitions n where n.queue_id = p.queue_id and n.id = p.partition_id limit 1
    ) n
    order by p.oldest_at, p.queue_id, p.partition_id, p.group_id`;
}
