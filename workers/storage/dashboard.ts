/**
 * Statements for those who watch: depths of queues and partitions, bounded whatever their number. They count as queue mode
 * does; a queue that was never popped in queue mode has everything it keeps pending.
 *
 * @module
 */

import { QUEUE_MODE_GROUP } from "../../schema/wire/limits.ts";
import type { Sql } from "./database.ts";

/** Bounds of one look. */
export const DASHBOARD = { queues: 100, partitionsOfQueue: 500, partitions: 2_000, totals: 20_000 } as const;

/** How one partition stands. Queues without partitions come as one row whose `partition` is null. */
export interface DepthRow {
  queue_id: number;
  queue: string;
  namespace: string;
  task: string;
  partition: string | null;
  depth: number;
  processing: number;
  completed: number;
  failed: number;
  total: number;
}

/**
 * How the partitions of the next queues stand. Of a queue with very many, those that have something pending.
 *
 * @remarks
 * Rides on partitions_pkey (hence the order of what is limited), cursors_pkey and cursors_ready; reads at most 100 queues, 500 partitions of each, and 2,000 in
 * all. Locks nothing.
 * @param afterQueueId - The queues behind this one, by id.
 * @returns By queue id.
 */
export function dashboardDepths(sql: Sql, afterQueueId: number): Promise<DepthRow[]> {
  return sql<DepthRow[]>`
    select q.id as queue_id, q.name as queue, q.namespace, q.task, d.partition, coalesce(d.depth, 0)::float8 as depth,
           coalesce(d.processing, 0)::float8 as processing, coalesce(d.completed, 0)::float8 as completed,
           coalesce(d.failed, 0)::float8 as failed, coalesce(d.total, 0)::float8 as total
    from (
      select q.*, g.id as group_id, (
        select count(*) from (
          select from queen.partitions p where p.queue_id = q.id order by p.id limit ${DASHBOARD.partitionsOfQueue + 1}
        ) few
      ) <= ${DASHBOARD.partitionsOfQueue} as small
      from (select q.* from queen.queues q where q.id > ${afterQueueId} order by q.id limit ${DASHBOARD.queues}) q
      left join queen.consumer_groups g on g.queue_id = q.id and g.name = ${QUEUE_MODE_GROUP} and g.active
      offset 0
    ) q
    left join lateral (
      select p.name as partition, p.head - p.tail - p.tombstone_count as total, coalesce(c.consumed_count, 0) as completed,
             case when q.group_id is null then p.head - p.tail - p.tombstone_count
                  when c.next_offset is null then 0
                  else p.head - greatest(c.next_offset, p.tail) - queen.offsets_count(coalesce(c.resolved, '{}')) - l.processing end as depth,
             l.processing,
             case when c.has_retries then (
               select count(*) from (
                 select from queen.retries t
                 where t.queue_id = q.id and t.partition_id = p.id and t.group_id = q.group_id and t.failure_count > 0 limit 1000
               ) few
             ) else 0 end as failed
      from (
        (select p.* from queen.partitions p where p.queue_id = q.id and (q.small or q.group_id is null)
         order by p.id limit ${DASHBOARD.partitionsOfQueue})
        union all
        (select p.* from (
           select c.partition_id from queen.cursors c
           where not q.small and c.queue_id = q.id and c.group_id = q.group_id and c.ready_at < 'infinity'
           order by c.ready_at limit ${DASHBOARD.partitionsOfQueue}
         ) c
         cross join lateral (
           select p.* from queen.partitions p where p.queue_id = q.id and p.id = c.partition_id order by p.generation desc limit 1
         ) p)
      ) p
      left join lateral (
        select c.* from queen.cursors c
        where c.queue_id = q.id and c.partition_id = p.id and c.group_id = q.group_id
        order by c.generation desc limit 1
      ) c on true
      cross join lateral (
        select case when c.lease_id is not null and c.lease_expires_at > clock_timestamp()
                    then queen.offsets_count(int8multirange(int8range(greatest(c.lease_first, c.next_offset), greatest(c.lease_end, c.next_offset)))
                                             - coalesce(c.resolved, '{}'))
                    else 0 end as processing
      ) l
    ) d on true
    order by q.id
    limit ${DASHBOARD.partitions}`;
}

/** Messages of all queues in queue mode. `complete` is false when there was more than a look takes in. */
export interface TotalsRow {
  pending: number;
  processing: number;
  complete: boolean;
}

/**
 * How many messages wait, and are being processed, over all queues.
 *
 * @remarks Rides on cursors_ready: only partitions that have something are visited, 20,000 at most. Locks nothing.
 */
export async function dashboardTotals(sql: Sql): Promise<TotalsRow> {
  const [row] = await sql<TotalsRow[]>`
    select coalesce(sum(w.depth), 0)::float8 as pending, coalesce(sum(w.processing), 0)::float8 as processing,
           count(*) < ${DASHBOARD.totals} as complete
    from (
      select w.*
      from queen.queues q
      left join queen.consumer_groups g on g.queue_id = q.id and g.name = ${QUEUE_MODE_GROUP} and g.active
      cross join lateral (
        (select p.head - greatest(c.next_offset, p.tail) - queen.offsets_count(coalesce(c.resolved, '{}')) - l.processing as depth, l.processing
         from (
           select c.* from queen.cursors c
           where c.queue_id = q.id and c.group_id = g.id and c.ready_at < 'infinity' order by c.ready_at limit ${DASHBOARD.totals}
         ) c
         cross join lateral (
           select p.head, p.tail from queen.partitions p where p.queue_id = q.id and p.id = c.partition_id
           order by p.generation desc limit 1
         ) p
         cross join lateral (
           select case when c.lease_id is not null and c.lease_expires_at > clock_timestamp()
                       then queen.offsets_count(int8multirange(int8range(greatest(c.lease_first, c.next_offset), greatest(c.lease_end, c.next_offset)))
                                                - coalesce(c.resolved, '{}'))
                       else 0 end as processing
         ) l)
        union all
        (select p.head - p.tail - p.tombstone_count, 0 from queen.partitions p
         where p.queue_id = q.id and g.id is null order by p.id limit ${DASHBOARD.totals})
      ) w
      limit ${DASHBOARD.totals}
    ) w`;
  return row!;
}
