/**
 * Statements behind the page that Prometheus reads: what concerns all instances together.
 *
 * @module
 */

import type { Sql } from "./database.ts";

/** What all processes counted since they started, by name; those that are gone by now included. */
export async function clusterTotals(sql: Sql): Promise<Record<string, number>> {
  const rows = await sql<{ name: string; total: number }[]>`
    select e.key as name, sum(e.value::numeric)::bigint as total
    from queen.instances i
    cross join lateral jsonb_each_text(i.totals) e
    group by e.key`;
  return Object.fromEntries(rows.map(({ name, total }) => [name, total]));
}

/** Dead letters of the queues that have most of them, and how many there are in all. Counts each dead letter. */
export async function deadLetterDepths(
  sql: Sql,
  queuesMax: number,
): Promise<{ total: number; queues: { queue: string; depth: number }[] }> {
  const rows = await sql<{ queue: string | null; depth: number; total: number }[]>`
    with depths as materialized (
      select q.name, count(*) as depth
      from queen.queues q
      join queen.dead_letters d on d.queue_id = q.id
      group by q.name
    )
    select d.name as queue, d.depth, (sum(d.depth) over ())::bigint as total
    from depths d order by d.depth desc, d.name limit ${queuesMax}`;
  return {
    total: rows[0]?.total ?? 0,
    queues: rows.map(({ queue, depth }) => ({ queue: queue!, depth })),
  };
}

/** The newest interval of samples that is over, or the one under way when none is. */
export interface RecentInterval {
  /** Its beginning, as ISO 8601. */
  from: string;
  /** A minute, or as long as samples are, in seconds. */
  seconds: number;
  /** Seconds since it was over; 0 while it is under way. */
  age: number;
}

/** Finds the interval of the figures "per minute". */
export async function recentInterval(sql: Sql, seconds: number): Promise<RecentInterval> {
  const [row] = await sql<{ from: string; age: number }[]>`
    with this as materialized (
      select date_bin(make_interval(secs => ${seconds}), clock_timestamp(), '2000-01-01 00:00:00+00') as at,
             make_interval(secs => ${seconds}) as width
    ), over as (
      select t.at - t.width as at from this t
      where exists (select from queen.worker_samples s where s.at >= t.at - t.width and s.at < t.at)
    )
    select coalesce(o.at, t.at) as from,
           case when o.at is null then 0 else extract(epoch from clock_timestamp() - t.at) end::float8 as age
    from this t left join over o on true`;
  return { ...row!, seconds };
}

/** What was done with a queue in an interval. */
export interface QueueRecentRow {
  queue: string;
  push_requests: number;
  push_messages: number;
  pop_messages: number;
  pop_empty: number;
  ack_success: number;
  ack_failed: number;
  transactions: number;
  parked: number;
  avg_lag_ms: number;
  max_lag_ms: number;
}

/** What was done with queues in an interval, busiest first. */
export function queueRecent(sql: Sql, at: RecentInterval, queuesMax: number): Promise<QueueRecentRow[]> {
  return sql<QueueRecentRow[]>`
    select q.name as queue, sum(s.push_requests)::bigint as push_requests, sum(s.push_messages)::bigint as push_messages,
           sum(s.pop_messages)::bigint as pop_messages, sum(s.pop_empty)::bigint as pop_empty,
           sum(s.ack_success)::bigint as ack_success, sum(s.ack_failed)::bigint as ack_failed,
           sum(s.transactions)::bigint as transactions, sum(s.parked_max)::bigint as parked,
           coalesce(sum(s.lag_sum_ms)::float8 / nullif(sum(s.lag_count), 0), 0)::float8 as avg_lag_ms,
           max(s.lag_max_ms)::float8 as max_lag_ms
    from queen.queue_samples s
    join queen.queues q on q.id = s.queue_id
    where s.at >= ${at.from}::timestamptz and s.at < ${at.from}::timestamptz + make_interval(secs => ${at.seconds})
    group by q.name
    order by sum(s.push_messages + s.pop_messages + s.ack_success) desc, q.name limit ${queuesMax}`;
}

/** What a worker did in an interval. */
export interface WorkerRecentRow {
  hostname: string;
  worker: number;
  pid: number;
  avg_loop_lag_ms: number;
  max_loop_lag_ms: number;
  avg_free_slots: number;
  min_free_slots: number;
  connections: number;
  avg_job_queue: number;
  max_job_queue: number;
  parked: number;
  jobs_done: number;
  push_requests: number;
  pop_requests: number;
  ack_requests: number;
  push_messages: number;
  pop_messages: number;
  ack_success: number;
  ack_failed: number;
  avg_lag_ms: number;
  max_lag_ms: number;
  database_errors: number;
  dead_letters: number;
}

/** What workers of all instances did in an interval. */
export function workerRecent(sql: Sql, at: RecentInterval): Promise<WorkerRecentRow[]> {
  return sql<WorkerRecentRow[]>`
    select i.hostname, s.worker, i.pid,
           coalesce(sum(s.loop_lag_sum_ms) / nullif(sum(s.loop_lag_count), 0), 0)::float8 as avg_loop_lag_ms,
           max(s.loop_lag_max_ms) as max_loop_lag_ms,
           coalesce(sum(s.free_slots_sum)::float8 / nullif(sum(s.looks), 0), 0)::float8 as avg_free_slots,
           min(s.free_slots_min) as min_free_slots, max(s.connections) as connections,
           coalesce(sum(s.job_queue_sum)::float8 / nullif(sum(s.looks), 0), 0)::float8 as avg_job_queue,
           max(s.job_queue_max) as max_job_queue, max(s.parked_max) as parked, sum(s.jobs_done)::bigint as jobs_done,
           sum(s.push_requests)::bigint as push_requests, sum(s.pop_requests)::bigint as pop_requests,
           sum(s.ack_requests)::bigint as ack_requests, sum(s.push_messages)::bigint as push_messages,
           sum(s.pop_messages)::bigint as pop_messages, sum(s.ack_success)::bigint as ack_success,
           sum(s.ack_failed)::bigint as ack_failed,
           coalesce(sum(s.lag_sum_ms)::float8 / nullif(sum(s.lag_count), 0), 0)::float8 as avg_lag_ms,
           max(s.lag_max_ms)::float8 as max_lag_ms, sum(s.database_errors)::bigint as database_errors,
           sum(s.dead_letters)::bigint as dead_letters
    from queen.worker_samples s
    join queen.instances i on i.id = s.instance_id
    where s.at >= ${at.from}::timestamptz and s.at < ${at.from}::timestamptz + make_interval(secs => ${at.seconds})
    group by i.id, s.worker
    order by i.hostname, i.port, i.pid, s.worker
    limit 1000`;
}
