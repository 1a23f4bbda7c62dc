/**
 * Statements behind the summary of the dashboard that no other listing needs.
 *
 * @module
 */

import type { Sql } from "./database.ts";
import { type QueueFilter, queueCondition } from "./listing-counts.ts";

/** A queue, how many partitions it has, and how many messages its groups consumed together. */
export interface ConsumedRow {
  id: number;
  name: string;
  namespace: string;
  task: string;
  partitions: number;
  consumed: number;
}

/** The queues that match, by name. Reads every cursor of theirs. */
export function queueConsumption(sql: Sql, filter: QueueFilter, queuesMax: number): Promise<ConsumedRow[]> {
  return sql<ConsumedRow[]>`
    with page as materialized (
      select q.id, q.name, q.namespace, q.task from queen.queues q
      where true ${queueCondition(sql, filter)}
      order by q.name limit ${queuesMax}
    )
    select p.id, p.name, p.namespace, p.task,
           (select count(*) from queen.partitions x where x.queue_id = p.id) as partitions,
           coalesce((select sum(c.consumed_count) from queen.cursors c where c.queue_id = p.id), 0)::bigint as consumed
    from page p order by p.name`;
}

/** Leases that are held. */
export interface LeaseCountsRow {
  leases: number;
  partitions: number;
  /** Messages they cover, and those of them that are resolved already. */
  messages: number;
  resolved: number;
}

/** Counts live leases. Rides on cursors_ready: a leased cursor is ready again when its lease expires. */
export async function leaseCounts(sql: Sql, filter: QueueFilter): Promise<LeaseCountsRow> {
  const [row] = await sql<LeaseCountsRow[]>`
    select count(distinct c.lease_id) as leases, count(distinct (c.queue_id, c.partition_id)) as partitions,
           coalesce(sum(c.lease_end - c.lease_first), 0)::bigint as messages,
           coalesce(sum(
             greatest(0, least(c.next_offset, c.lease_end) - c.lease_first)
             + case when c.resolved is null then 0
               else queen.offsets_count(c.resolved * int8multirange(int8range(greatest(c.next_offset, c.lease_first), greatest(c.next_offset, c.lease_end))))
               end
           ), 0)::bigint as resolved
    from queen.queues q
    join queen.consumer_groups g on g.queue_id = q.id
    cross join lateral (
      select c.* from queen.cursors c
      where c.queue_id = g.queue_id and c.group_id = g.id and c.ready_at > statement_timestamp() and c.ready_at < 'infinity'
        and c.lease_id is not null and c.lease_expires_at > statement_timestamp()
    ) c
    where true ${queueCondition(sql, filter)}`;
  return row!;
}

/** Dead letters. */
export interface DeadLetterSummary {
  messages: number;
  partitions: number;
  errors: { error: string; count: number }[];
}

/** Dead letters whose texts are looked at, newest first in each queue. */
const ERRORS_SAMPLE = 10_000;

/** Counts dead letters, and the texts that are most frequent among the newest of them. */
export async function deadLetterSummary(sql: Sql, filter: QueueFilter, errorsMax: number): Promise<DeadLetterSummary> {
  const [counts] = await sql<{ messages: number; partitions: number }[]>`
    select count(*) as messages, count(distinct (d.queue_id, d.partition_id)) as partitions
    from queen.queues q
    join queen.dead_letters d on d.queue_id = q.id
    where true ${queueCondition(sql, filter)}`;
  const errors =
    counts!.messages === 0
      ? []
      : await sql<{ error: string; count: number }[]>`
          select left(d.error, 500) as error, count(*) as count
          from (
            select d.error from queen.queues q
            cross join lateral (
              select d.error, d.failed_at from queen.dead_letters d
              where d.queue_id = q.id order by d.failed_at desc limit ${ERRORS_SAMPLE}
            ) d
            where true ${queueCondition(sql, filter)}
            order by d.failed_at desc limit ${ERRORS_SAMPLE}
          ) d
          group by 1 order by 2 desc, 1 limit ${errorsMax}`;
  return { ...counts!, errors: [...errors] };
}
