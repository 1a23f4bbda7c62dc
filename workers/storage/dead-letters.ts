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
  const { queue, partition, group, from, to } = filter;
  return sql<DeadLetterRow[]>`
    select d.queue_id, d.partition_id, d.message_offset, q.name as queue, d.partition, d.consumer_group, d.error, d.failure_count,
           d.failed_at
    from queen.queues q
    cross join lateral (
      select d.*, p.name as partition, g.name as consumer_group
      from queen.dead_letters d
      join queen.partitions p on p.queue_id = d.queue_id and p.id = d.partition_id
      join queen.consumer_groups g on g.queue_id = d.queue_id and g.id = d.group_id
      where d.queue_id = q.id
        and (${from}::timestamptz is null or d.failed_at >= ${from}::timestamptz)
        and (${to}::timestamptz is null or d.failed_at < ${to}::timestamptz + interval '1 millisecond')
        and (${partition}::text is null or p.name = ${partition}) and (${group}::text is null or g.name = ${group})
      order by d.failed_at desc, d.partition_id, d.message_offset desc, d.group_id
      limit ${page.limit}::bigint + ${page.offset}::bigint
    ) d
    where (${queue}::text is null or q.name = ${queue})
    order by d.failed_at desc, d.queue_id, d.partition_id, d.message_offset desc, d.group_id
    limit ${page.limit} offset ${page.offset}`;
}

/** Counts dead letters. Visits each that matches. */
export async function deadLetterCount(sql: Sql, filter: DeadLetterFilter): Promise<number> {
  const { queue, partition, group, from, to } = filter;
  const [row] = await sql<{ total: number }[]>`
    select count(*) as total
    from queen.queues q
    join queen.dead_letters d on d.queue_id = q.id
    join queen.partitions p on p.queue_id = d.queue_id and p.id = d.partition_id
    join queen.consumer_groups g on g.queue_id = d.queue_id and g.id = d.group_id
    where (${queue}::text is null or q.name = ${queue})
      and (${from}::timestamptz is null or d.failed_at >= ${from}::timestamptz)
      and (${to}::timestamptz is null or d.failed_at < ${to}::timestamptz + interval '1 millisecond')
      and (${partition}::text is null or p.name = ${partition}) and (${group}::text is null or g.name = ${group})`;
  return row!.total;
}
