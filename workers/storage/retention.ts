/**
 * Statements of the background jobs: what is old, idle or forgotten. Ages count from `now()`: an index cannot be searched
 * with `clock_timestamp()`, which may change meanwhile. Each starts from queues that ask for it and goes
 * along segments_created, so that none walks what it leaves alone, but for {@link partitionIdleList}, which walks a
 * slice at a time.
 *
 * @module
 */

import type { Sql } from "./database.ts";
import { arrayOf } from "./literals.ts";

/** First key of the advisory locks that elect who runs a job, "QUEJ" in ASCII; the second key is the job's number. */
const JOB_LOCK_CLASS = 0x5155454a;

/**
 * Tries to become the one that does a step of a job, until the transaction ends.
 *
 * @param sql - An open transaction.
 * @returns False when another instance is at it.
 */
export async function jobElect(sql: Sql, job: number): Promise<boolean> {
  const [row] = await sql<{ elected: boolean }[]>`
    select pg_try_advisory_xact_lock(${JOB_LOCK_CLASS}::integer, ${job}::integer) as elected`;
  return row!.elected;
}

/** Queues that hold messages older than they are to be kept, consumed or not. Rides on segments_created. */
export async function retentionQueues(sql: Sql): Promise<number[]> {
  const rows = await sql<{ id: number }[]>`
    select q.id from queen.queues q
    where (q.retention_enabled and q.retention_s > 0 or q.ttl_s > 0)
      and exists (
        select from queen.segments s
        where s.queue_id = q.id and s.created_at < now() - make_interval(secs => least(
          case when q.retention_enabled and q.retention_s > 0 then q.retention_s end, case when q.ttl_s > 0 then q.ttl_s end))
      )`;
  return rows.map((row) => row.id);
}

/** What a step deleted. */
export interface ExpireRow {
  /** Segments looked at; fewer than asked for means there are no more. */
  segments: number;
  /** Messages deleted. */
  messages: number;
}

/**
 * Deletes the oldest segments of a queue that are older than it keeps messages, consumed or not.
 *
 * @remarks Locks the partitions by id. Rides on segments_created.
 */
export async function retentionExpire(sql: Sql, queueId: number, segmentsMax: number): Promise<ExpireRow> {
  const [row] = await sql<ExpireRow[]>`
    with aged as materialized (
      select s.partition_id, s.first_offset + s.message_count as end_offset
      from queen.queues q
      cross join lateral (
        select s.* from queen.segments s
        where s.queue_id = q.id and s.created_at < now() - make_interval(secs => least(
          case when q.retention_enabled and q.retention_s > 0 then q.retention_s end, case when q.ttl_s > 0 then q.ttl_s end))
        order by s.created_at limit ${segmentsMax}
      ) s
      where q.id = ${queueId}
    ), ends as (
      select a.partition_id, max(a.end_offset) as end_offset from aged a group by a.partition_id
    )
    select (select count(*) from aged) as segments,
           queen.partition_truncate(${queueId}, array_agg(e.partition_id), array_agg(e.end_offset)) as messages
    from ends e`;
  return row!;
}

/** Place of a segment in the order of creation. */
export interface SegmentPlace {
  created_at: string;
  partition_id: number;
  first_offset: number;
}

/** What a step looked at and deleted; `created_at` and the rest name the last segment, null when there was none. */
export interface ExpirePageRow extends ExpireRow {
  created_at: string | null;
  partition_id: number | null;
  first_offset: number | null;
}

/** Queues that delete messages some time after every group consumed them, and hold some of that age. */
export async function completedQueues(sql: Sql): Promise<number[]> {
  const rows = await sql<{ id: number }[]>`
    select q.id from queen.queues q
    where q.retention_enabled and q.completed_retention_s > 0
      -- A group without its cursors yet consumed nothing.
      and not exists (select from queen.consumer_groups g where g.queue_id = q.id and g.filled_to is not null)
      and exists (
        select from queen.segments s
        where s.queue_id = q.id and s.created_at < now() - make_interval(secs => q.completed_retention_s)
      )`;
  return rows.map((row) => row.id);
}

/**
 * Looks at a page of the segments of a queue that are older than it keeps consumed messages, and deletes those that lie
 * below every cursor of their partition. A partition without any cursor is left alone.
 *
 * @remarks Locks the partitions by id. Rides on segments_created, and on cursors_pkey for each partition of the page.
 * @param after - Last segment of the page before; null for the first page.
 */
export async function completedExpire(
  sql: Sql,
  queueId: number,
  after: SegmentPlace | null,
  segmentsMax: number,
): Promise<ExpirePageRow> {
  const { created_at, partition_id, first_offset } = after ?? FIRST_PLACE;
  const [row] = await sql<ExpirePageRow[]>`
    with page as materialized (
      select s.created_at, s.partition_id, s.first_offset, s.first_offset + s.message_count as end_offset
      from queen.queues q
      cross join lateral (
        select s.* from queen.segments s
        where s.queue_id = q.id and s.created_at < now() - make_interval(secs => q.completed_retention_s)
          and s.created_at >= ${created_at}::timestamptz
          and (s.created_at, s.partition_id, s.first_offset) > (${created_at}::timestamptz, ${partition_id}::bigint, ${first_offset}::bigint)
        order by s.created_at, s.partition_id, s.first_offset limit ${segmentsMax}
      ) s
      where q.id = ${queueId}
        and not exists (select from queen.consumer_groups g where g.queue_id = q.id and g.filled_to is not null)
    ), ends as (
      select p.partition_id, max(p.end_offset) filter (where p.end_offset <= c.consumed) as end_offset
      from page p
      join lateral (
        select min(c.next_offset) as consumed
        from queen.cursors c
        join queen.consumer_groups g on g.queue_id = c.queue_id and g.id = c.group_id and g.active
        where c.queue_id = ${queueId} and c.partition_id = p.partition_id
      ) c on true
      group by p.partition_id
    )
    select (select count(*) from page) as segments, l.created_at, l.partition_id, l.first_offset,
           (select queen.partition_truncate(${queueId}, array_agg(e.partition_id), array_agg(e.end_offset))
            from ends e where e.end_offset is not null) as messages
    from (select 1) one
    left join lateral (
      select p.* from page p order by p.created_at desc, p.partition_id desc, p.first_offset desc limit 1
    ) l on true`;
  return row!;
}

/** Queues that delete messages nobody consumed in time, and hold some of that age. */
export async function evictionQueues(sql: Sql): Promise<number[]> {
  const rows = await sql<{ id: number }[]>`
    select q.id from queen.queues q
    where q.max_wait_time_s > 0
      and exists (
        select from queen.segments s
        where s.queue_id = q.id and s.created_at < now() - make_interval(secs => q.max_wait_time_s)
      )`;
  return rows.map((row) => row.id);
}

/**
 * Looks at a page of the segments of a queue that are older than its messages may wait, and deletes those of partitions
 * where some group has not consumed one of them, or no group ever came.
 *
 * @remarks As {@link completedExpire}.
 * @param after - Last segment of the page before; null for the first page.
 */
export async function evictionExpire(
  sql: Sql,
  queueId: number,
  after: SegmentPlace | null,
  segmentsMax: number,
): Promise<ExpirePageRow> {
  const { created_at, partition_id, first_offset } = after ?? FIRST_PLACE;
  const [row] = await sql<ExpirePageRow[]>`
    with page as materialized (
      select s.created_at, s.partition_id, s.first_offset, s.first_offset + s.message_count as end_offset
      from queen.queues q
      cross join lateral (
        select s.* from queen.segments s
        where s.queue_id = q.id and s.created_at < now() - make_interval(secs => q.max_wait_time_s)
          and s.created_at >= ${created_at}::timestamptz
          and (s.created_at, s.partition_id, s.first_offset) > (${created_at}::timestamptz, ${partition_id}::bigint, ${first_offset}::bigint)
        order by s.created_at, s.partition_id, s.first_offset limit ${segmentsMax}
      ) s
      where q.id = ${queueId}
    ), ends as (
      select p.partition_id, max(p.end_offset) as end_offset
      from page p
      join lateral (
        select min(c.next_offset) as consumed
        from queen.cursors c
        join queen.consumer_groups g on g.queue_id = c.queue_id and g.id = c.group_id and g.active
        where c.queue_id = ${queueId} and c.partition_id = p.partition_id
      ) c on true
      group by p.partition_id
      having max(p.end_offset) > coalesce(min(c.consumed), -1)
    )
    select (select count(*) from page) as segments, l.created_at, l.partition_id, l.first_offset,
           (select queen.partition_truncate(${queueId}, array_agg(e.partition_id), array_agg(e.end_offset)) from ends e) as messages
    from (select 1) one
    left join lateral (
      select p.* from page p order by p.created_at desc, p.partition_id desc, p.first_offset desc limit 1
    ) l on true`;
  return row!;
}

const FIRST_PLACE: SegmentPlace = { created_at: "-infinity", partition_id: 0, first_offset: -1 };

/** A partition of a slice. */
export interface IdlePartitionRow {
  queue_id: number;
  id: number;
  queue: string;
  /** Holds no message, and had none pushed for long. */
  idle: boolean;
}

/**
 * Walks a slice of all partitions: those that are idle, and always the last of the slice, to go on from.
 *
 * @remarks Rides on partitions_pkey.
 * @returns Empty at the end.
 */
export function partitionIdleList(
  sql: Sql,
  after: { queueId: number; id: number },
  args: { partitionsMax: number; days: number },
): Promise<IdlePartitionRow[]> {
  return sql<IdlePartitionRow[]>`
    with slice as materialized (
      select p.queue_id, p.id,
             p.head = p.tail and coalesce(p.pushed_at, p.created_at) < now() - make_interval(days => ${args.days}) as idle
      from queen.partitions p
      where (p.queue_id, p.id) > (${after.queueId}::integer, ${after.id}::bigint)
      order by p.queue_id, p.id limit ${args.partitionsMax}
    )
    select s.queue_id, s.id, coalesce(q.name, '') as queue, s.idle and q.id is not null as idle
    from slice s
    left join queen.queues q on q.id = s.queue_id
    where s.idle or (s.queue_id, s.id) = (select l.queue_id, l.id from slice l order by l.queue_id desc, l.id desc limit 1)
    order by s.queue_id, s.id`;
}

/**
 * Deletes partitions that are still idle, with their cursors.
 *
 * @remarks Holds the queue's advisory lock exclusively. Idempotent.
 * @returns How many went.
 */
export async function partitionForget(
  sql: Sql,
  args: { queueId: number; partitionIds: readonly number[]; days: number },
): Promise<number> {
  const [row] = await sql<{ count: number }[]>`
    select queen.partition_forget(
      ${args.queueId}, ${arrayOf(args.partitionIds)}::bigint[], now() - make_interval(days => ${args.days})
    ) as count`;
  return row!.count;
}

/**
 * Makes ready what counts as drained although its partition holds more: wake-ups that were lost. There should be none.
 *
 * @remarks Rides on segments_created; costs what was pushed in that time. Locks the cursors it repairs.
 * @param seconds - Only partitions pushed to in the last so many seconds are looked at.
 * @returns A row a cursor repaired.
 */
export function cursorSweep(
  sql: Sql,
  seconds: number,
): Promise<{ queue_id: number; partition_id: number; group_id: number }[]> {
  return sql<{ queue_id: number; partition_id: number; group_id: number }[]>`
    with recent as materialized (
      select q.id as queue_id, s.partition_id
      from queen.queues q
      cross join lateral (
        select distinct s.partition_id from queen.segments s
        where s.queue_id = q.id and s.created_at >= now() - make_interval(secs => ${seconds})
      ) s
    )
    update queen.cursors c
    set ready_at = clock_timestamp()
    where c.ready_at = 'infinity' and c.ctid = any (array(
      select l.ctid
      from recent r
      cross join lateral (
        -- The limit keeps the planner from reading all cursors to join them.
        select c.ctid
        from queen.partitions p
        join queen.cursors c on c.queue_id = p.queue_id and c.partition_id = p.id
        where p.queue_id = r.queue_id and p.id = r.partition_id and c.ready_at = 'infinity' and c.next_offset < p.head
          and c.lease_id is null
        limit 100000
      ) l
    ))
    returning c.queue_id, c.partition_id, c.group_id`;
}
