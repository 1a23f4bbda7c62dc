/**
 * Statements that find the queues of a namespace and/or task for a consumer group.
 *
 * @module
 */

import type { Sql } from "./database.ts";
import { arrayOf } from "./literals.ts";
import type { Subscription } from "./queues.ts";

/** Which queues, and for whom. Null: any. */
export interface QueueFilter {
  namespace: string | null;
  task: string | null;
  group: string;
}

/** A queue that matches. */
export interface CandidateRow {
  id: number;
  name: string;
  /** Null: the group is not registered there, or not to the end. */
  group_id: number | null;
  /** Something may be deliverable now. */
  ready: boolean;
}

// Left out where any will do: with "is null or" the index could not be searched.
function matching(sql: Sql, { namespace, task }: QueueFilter) {
  return sql`
    ${namespace === null ? sql`` : sql`and q.namespace = ${namespace}`} ${task === null ? sql`` : sql`and q.task = ${task}`}`;
}

/** Cursors of one queue whose next message is looked at for its age. */
const AGED_CURSORS_MAX = 8;

/**
 * Queues of a namespace and/or task: first those in which the group may have something to consume now, best first, that
 * is by priority and then by the age of the oldest deliverable message, chance deciding among equals; then others.
 *
 * @remarks
 * Rides on queues_namespace_task, and for each queue on cursors_ready, or on segments_created where the group is not
 * registered: two probes a queue. The age is looked at for `readyMax` queues, the longest ready of the highest priorities, and
 * in each for the longest ready cursors.
 *
 * @param bounds - `readyMax`: queues with something; `rowsMax`: all rows.
 */
export function queueCandidates(
  sql: Sql,
  filter: QueueFilter,
  bounds: { readyMax: number; rowsMax: number },
): Promise<CandidateRow[]> {
  return sql<CandidateRow[]>`
    with found as materialized (
      select q.id, q.name, q.priority, g.id as group_id, coalesce(c.ready_at, s.created_at) as since,
             coalesce(c.ready_at <= clock_timestamp(), s.created_at is not null) as ready
      from queen.queues q
      left join queen.consumer_groups g on g.queue_id = q.id and g.name = ${filter.group} and g.active
        and g.subscription_mode is not null and g.filled_to is null
      left join lateral (
        select c.ready_at from queen.cursors c
        where c.queue_id = q.id and c.group_id = g.id and c.ready_at < 'infinity'
        order by c.ready_at limit 1
      ) c on true
      left join lateral (
        select s.created_at from queen.segments s
        where s.queue_id = q.id and g.id is null
        order by s.created_at limit 1
      ) s on true
      where true ${matching(sql, filter)}
    ), best as materialized (
      select f.* from found f where f.ready order by f.priority desc, f.since, random() limit ${bounds.readyMax}
    ), aged as (
      select b.id, b.name, b.group_id, b.priority, true as ready, coalesce(o.oldest, b.since) as oldest
      from best b
      left join lateral (
        select min(m.created_at) as oldest
        from (
          select c.partition_id, c.next_offset from queen.cursors c
          where c.queue_id = b.id and c.group_id = b.group_id and c.ready_at <= clock_timestamp() and c.ready_at < 'infinity'
          order by c.ready_at limit ${AGED_CURSORS_MAX}
        ) c
        cross join lateral (
          select s.created_at from queen.segments s
          where s.queue_id = b.id and s.partition_id = c.partition_id and s.first_offset <= c.next_offset
          order by s.first_offset desc limit 1
        ) m
      ) o on b.group_id is not null
    )
    select r.id, r.name, r.group_id, r.ready
    from (
      select a.* from aged a
      union all
      select f.id, f.name, f.group_id, f.priority, false, null from found f where f.id not in (select b.id from best b)
    ) r
    order by r.ready desc, r.priority desc, r.oldest, random()
    limit ${bounds.rowsMax}`;
}

/**
 * Queues of a namespace and/or task where a group is not registered yet.
 *
 * @param sinceMs - How long ago the group asked for them, in milliseconds.
 * @returns By id. `later`: the queue was made after the group first asked, here or for another of these queues.
 */
export function queueUnregistered(
  sql: Sql,
  filter: QueueFilter,
  bounds: { sinceMs: number; rowsMax: number },
): Promise<{ id: number; later: boolean }[]> {
  return sql<{ id: number; later: boolean }[]>`
    with asked as materialized (
      select least(min(g.created_at), clock_timestamp() - make_interval(secs => ${bounds.sinceMs / 1000})) as at
      from queen.queues q
      join queen.consumer_groups g on g.queue_id = q.id and g.name = ${filter.group}
      where true ${matching(sql, filter)}
    )
    select q.id, q.created_at > a.at as later
    from queen.queues q
    cross join asked a
    where not exists (
      select from queen.consumer_groups g
      where g.queue_id = q.id and g.name = ${filter.group} and g.active and g.subscription_mode is not null and g.filled_to is null
    ) ${matching(sql, filter)}
    order by q.id limit ${bounds.rowsMax}`;
}

/**
 * Makes a group known to several queues, as `groupRegister` does to one.
 *
 * @remarks Holds the advisory locks of all of them exclusively. Idempotent.
 * @param queueIds - Ascending: the lock order.
 * @returns A row a queue that is not gone.
 */
export function groupRegisterMany(
  sql: Sql,
  args: { queueIds: readonly number[]; name: string; subscription: Subscription },
): Promise<{ queue_id: number; id: number; filling: boolean }[]> {
  const { queueIds, name, subscription } = args;
  return sql<{ queue_id: number; id: number; filling: boolean }[]>`
    select u.id as queue_id, r.id, r.filling
    from unnest(${arrayOf(queueIds)}::integer[]) u(id)
    cross join lateral queen.consumer_group_register(
      u.id, ${name}, ${subscription.mode}, ${subscription.from}::timestamptz, null
    ) r
    where r.id is not null`;
}
