/**
 * Statements over dead letters.
 *
 * @module
 */

import type { Sql } from "./database.ts";

/** Which dead letters are meant; null means any. */
export interface DeadLetterFilter {
  queue: string | null;
  partition: string | null;
  group: string | null;
  /** Exactly this error. */
  error: string | null;
  /** ISO timestamps: from that instant on, and up to the end of that millisecond. */
  from: string | null;
  to: string | null;
}

/** A dead letter. */
export interface DeadLetterRow {
  queue_id: number;
  partition_id: number;
  message_offset: number;
  queue: string;
  partition: string;
  consumer_group: string;
  error: string;
  failure_count: number;
  /** ISO 8601 with microseconds. */
  failed_at: string;
}

/**
 * Lists a page of dead letters, latest failure first.
 *
 * @remarks Reads at most `limit + offset` rows a queue, along dead_letters_failed. Locks nothing.
 */
export function deadLetterList(
  sql: Sql,
  filter: DeadLetterFilter,
  page: { limit: number; offset: number },
): Promise<DeadLetterRow[]> {
  const { queue, partition, group, error, from, to } = filter;
  return sql<DeadLetterRow[]>`
    select d.queue_id, d.partition_id, d.message_offset, d.queue, p.name as partition, g.name as consumer_group, d.error,
           d.failure_count, d.failed_at
    from (
      select d.*, q.name as queue
      from queen.queues q
      cross join lateral (
        -- Names are looked up for the page alone: joined here, they would make the planner visit every partition.
        select d.* from queen.dead_letters d
        where d.queue_id = q.id
          and d.failed_at >= coalesce(${from}::timestamptz, '-infinity')
          and d.failed_at < coalesce(${to}::timestamptz + interval '1 millisecond', 'infinity')
          and (${error}::text is null or d.error = ${error})
          and (${partition}::text is null
            or d.partition_id = (select p.id from queen.partitions p where p.queue_id = q.id and p.name = ${partition}))
          and (${group}::text is null
            or d.group_id = (select g.id from queen.consumer_groups g where g.queue_id = q.id and g.name = ${group}))
        order by d.failed_at desc, d.partition_id, d.message_offset desc, d.group_id
        limit ${page.limit}::bigint + ${page.offset}::bigint
      ) d
      where (${queue}::text is null or q.name = ${queue})
      order by d.failed_at desc, d.queue_id, d.partition_id, d.message_offset desc, d.group_id
      limit ${page.limit} offset ${page.offset}
    ) d
    join queen.partitions p on p.queue_id = d.queue_id and p.id = d.partition_id
    join queen.consumer_groups g on g.queue_id = d.queue_id and g.id = d.group_id
    order by d.failed_at desc, d.queue_id, d.partition_id, d.message_offset desc, d.group_id`;
}

/** Counts dead letters. Visits each that matches. */
export async function deadLetterCount(sql: Sql, filter: DeadLetterFilter): Promise<number> {
  const { queue, partition, group, error, from, to } = filter;
  const [row] = await sql<{ total: number }[]>`
    select count(*) as total
    from queen.queues q
    join queen.dead_letters d on d.queue_id = q.id
    where (${queue}::text is null or q.name = ${queue})
      and d.failed_at >= coalesce(${from}::timestamptz, '-infinity')
      and d.failed_at < coalesce(${to}::timestamptz + interval '1 millisecond', 'infinity')
      and (${error}::text is null or d.error = ${error})
      and (${partition}::text is null
        or d.partition_id = (select p.id from queen.partitions p where p.queue_id = q.id and p.name = ${partition}))
      and (${group}::text is null
        or d.group_id = (select g.id from queen.consumer_groups g where g.queue_id = q.id and g.name = ${group}))`;
  return row!.total;
}

/** Dead letters that failed with one error. */
export interface DeadLetterErrorRow {
  error: string;
  messages: number;
  queues: number;
  /** ISO 8601 with microseconds: the earliest and the latest failure. */
  first: string;
  last: string;
}

/** Dead letters looked at of one queue. */
const GROUPED_MAX = 100_000;

/**
 * Counts dead letters by their error, the most frequent first.
 *
 * @remarks Reads at most the latest 100,000 rows a queue, along dead_letters_failed. Locks nothing.
 */
export function deadLetterErrors(
  sql: Sql,
  { queue, group, limit }: { queue: string | null; group: string | null; limit: number },
): Promise<DeadLetterErrorRow[]> {
  return sql<DeadLetterErrorRow[]>`
    select d.error, count(*) as messages, count(distinct d.queue_id) as queues,
           min(d.failed_at) as first, max(d.failed_at) as last
    from queen.queues q
    cross join lateral (
      select d.queue_id, d.error, d.failed_at from queen.dead_letters d
      where d.queue_id = q.id
        and (${group}::text is null
          or d.group_id = (select g.id from queen.consumer_groups g where g.queue_id = q.id and g.name = ${group}))
      order by d.failed_at desc limit ${GROUPED_MAX}
    ) d
    where (${queue}::text is null or q.name = ${queue})
    group by d.error
    order by messages desc, last desc, d.error
    limit ${limit}`;
}
