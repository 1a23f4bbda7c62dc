/**
 * Statements that read measurements of workers and processes. All of them go along the time in the tables' primary keys, so
 * that they cost what the range holds; intervals add up to buckets here, so that what is answered stays small.
 *
 * @module
 */

import type { RangeParams } from "../protocol/samples.ts";
import type { Sql } from "./database.ts";

/** Whose samples are wanted; null means any. */
export interface WorkerFilter {
  hostname: string | null;
  worker: number | null;
}

/** What all workers did in a bucket. */
export interface WorkerBucketRow {
  /** ISO 8601 with microseconds. */
  bucket: string;
  push_requests: number;
  push_messages: number;
  pop_requests: number;
  pop_messages: number;
  ack_requests: number;
  ack_success: number;
  ack_failed: number;
  auto_acked: number;
  dead_letters: number;
  database_errors: number;
  jobs_done: number;
  lag_count: number;
  avg_lag_ms: number;
  max_lag_ms: number;
  avg_loop_lag_ms: number;
  max_loop_lag_ms: number;
  avg_free_slots: number;
  min_free_slots: number;
  avg_job_queue: number;
  max_job_queue: number;
  parked: number;
  connections: number;
}

/** What all workers did, by bucket, newest first. */
export function workerBuckets(sql: Sql, range: RangeParams, of: WorkerFilter): Promise<WorkerBucketRow[]> {
  return sql<WorkerBucketRow[]>`
    select date_bin(make_interval(mins => ${range.bucketMinutes}), s.at, '2000-01-01 00:00:00+00') as bucket,
           sum(s.push_requests)::bigint as push_requests, sum(s.push_messages)::bigint as push_messages,
           sum(s.pop_requests)::bigint as pop_requests, sum(s.pop_messages)::bigint as pop_messages,
           sum(s.ack_requests)::bigint as ack_requests, sum(s.ack_success)::bigint as ack_success,
           sum(s.ack_failed)::bigint as ack_failed, sum(s.auto_acked)::bigint as auto_acked,
           sum(s.dead_letters)::bigint as dead_letters, sum(s.database_errors)::bigint as database_errors,
           sum(s.jobs_done)::bigint as jobs_done, sum(s.lag_count)::bigint as lag_count,
           coalesce(sum(s.lag_sum_ms)::float8 / nullif(sum(s.lag_count), 0), 0)::float8 as avg_lag_ms,
           max(s.lag_max_ms)::float8 as max_lag_ms,
           coalesce(sum(s.loop_lag_sum_ms) / nullif(sum(s.loop_lag_count), 0), 0)::float8 as avg_loop_lag_ms,
           max(s.loop_lag_max_ms) as max_loop_lag_ms,
           coalesce(sum(s.free_slots_sum)::float8 / nullif(sum(s.looks), 0), 0)::float8 as avg_free_slots,
           min(s.free_slots_min) as min_free_slots,
           coalesce(sum(s.job_queue_sum)::float8 / nullif(sum(s.looks), 0), 0)::float8 as avg_job_queue,
           max(s.job_queue_max) as max_job_queue,
           round(sum(s.parked_max) / count(distinct s.at))::bigint as parked,
           round(sum(s.connections) / count(distinct s.at))::bigint as connections
    from queen.worker_samples s
    join queen.instances i on i.id = s.instance_id
    where s.at >= date_trunc('minute', ${range.from}::timestamptz) and s.at <= ${range.to}::timestamptz
      and (${of.hostname}::text is null or i.hostname = ${of.hostname})
      and (${of.worker}::integer is null or s.worker = ${of.worker})
    group by bucket
    order by bucket desc`;
}

/** What one worker did in a range; `free_slots` and the like as they were last. */
export interface WorkerRow {
  hostname: string;
  worker: number;
  avg_loop_lag_ms: number;
  max_loop_lag_ms: number;
  free_slots: number;
  connections: number;
  job_queue: number;
  parked: number;
  messages_processed: number;
  last_seen: string;
}

/** The workers that have samples in a range. A process that was started again on its port counts as the same. */
export function workerList(sql: Sql, range: Pick<RangeParams, "from" | "to">, of: WorkerFilter): Promise<WorkerRow[]> {
  return sql<WorkerRow[]>`
    select i.hostname, s.worker,
           coalesce(sum(s.loop_lag_sum_ms) / nullif(sum(s.loop_lag_count), 0), 0)::float8 as avg_loop_lag_ms,
           max(s.loop_lag_max_ms) as max_loop_lag_ms,
           (array_agg(round(s.free_slots_sum::float8 / greatest(s.looks, 1)) order by s.at desc))[1]::float8 as free_slots,
           (array_agg(s.connections order by s.at desc))[1] as connections,
           (array_agg(round(s.job_queue_sum::float8 / greatest(s.looks, 1)) order by s.at desc))[1]::float8 as job_queue,
           (array_agg(s.parked_max order by s.at desc))[1] as parked,
           sum(s.ack_success + s.auto_acked)::bigint as messages_processed,
           max(i.seen_at) as last_seen
    from queen.worker_samples s
    join queen.instances i on i.id = s.instance_id
    where s.at >= date_trunc('minute', ${range.from}::timestamptz) and s.at <= ${range.to}::timestamptz
      and (${of.hostname}::text is null or i.hostname = ${of.hostname})
      and (${of.worker}::integer is null or s.worker = ${of.worker})
    group by i.hostname, i.port, s.worker
    order by i.hostname, i.port, s.worker
    limit 10000`;
}

/** Messages deleted by the background jobs in a bucket. */
export interface RetentionRow {
  bucket: string;
  retention: number;
  completed: number;
  eviction: number;
  events: number;
}

/** What the background jobs deleted, by bucket, oldest first. */
export function retentionBuckets(sql: Sql, range: RangeParams): Promise<RetentionRow[]> {
  return sql<RetentionRow[]>`
    select date_bin(make_interval(mins => ${range.bucketMinutes}), s.at, '2000-01-01 00:00:00+00') as bucket,
           sum(s.retention_messages)::bigint as retention, sum(s.completed_retention_messages)::bigint as completed,
           sum(s.eviction_messages)::bigint as eviction, sum(s.retention_events)::bigint as events
    from queen.worker_samples s
    where s.at >= date_trunc('minute', ${range.from}::timestamptz) and s.at <= ${range.to}::timestamptz
    group by bucket
    order by bucket`;
}

/** One measurement of a process in a bucket. */
export interface MeasurementRow {
  hostname: string;
  port: number;
  bucket: string;
  path: string;
  sample_count: number;
  avg: number;
  min: number;
  max: number;
  last: number;
}

/**
 * Measurements of processes, by process, bucket (oldest first) and path. A process that was started again on its port counts as
 * the same.
 *
 * @remarks Reads about 30 measurements an interval: 2 µs of PostgreSQL's time each.
 */
export function instanceBuckets(sql: Sql, range: RangeParams, hostname: string | null): Promise<MeasurementRow[]> {
  return sql<MeasurementRow[]>`
    with measured as materialized (
      -- Nothing is asked for in order here: there are too many to be sorted.
      select s.instance_id, date_bin(make_interval(mins => ${range.bucketMinutes}), s.at, '2000-01-01 00:00:00+00') as bucket,
             m.key as path, sum(s.sample_count) as sample_count, sum((m.value -> 0)::float8) as total,
             min((m.value -> 1)::float8) as min, max((m.value -> 2)::float8) as max, max(s.at) as last_at
      from queen.instance_samples s
      cross join lateral jsonb_each(s.metrics) m
      where s.at >= date_trunc('minute', ${range.from}::timestamptz) and s.at <= ${range.to}::timestamptz
      group by s.instance_id, bucket, m.key
    )
    select i.hostname, i.port, m.bucket, m.path, sum(m.sample_count)::bigint as sample_count,
           sum(m.total) / sum(m.sample_count) as avg, min(m.min) as min, max(m.max) as max,
           (array_agg((l.metrics -> m.path -> 3)::float8 order by m.last_at desc))[1] as last
    from measured m
    join queen.instances i on i.id = m.instance_id
    join queen.instance_samples l on l.at = m.last_at and l.instance_id = m.instance_id
    where ${hostname}::text is null or i.hostname = ${hostname}
    group by i.hostname, i.port, m.bucket, m.path
    order by i.hostname, i.port, m.bucket, m.path`;
}

/** The mean of a measurement in a bucket, of all processes together. */
export interface ProcessRow {
  bucket: string;
  cpu_user_us: number;
  cpu_system_us: number;
  rss_bytes: number;
  pool_active: number;
  pool_idle: number;
  pool_size: number;
}

/** Means of some measurements, summed over all processes, by bucket. */
export function processBuckets(sql: Sql, range: RangeParams): Promise<ProcessRow[]> {
  return sql<ProcessRow[]>`
    with means as materialized (
      select s.instance_id, date_bin(make_interval(mins => ${range.bucketMinutes}), s.at, '2000-01-01 00:00:00+00') as bucket,
             sum((s.metrics -> 'cpu.user_us' -> 0)::float8) / sum(s.sample_count) as cpu_user_us,
             sum((s.metrics -> 'cpu.system_us' -> 0)::float8) / sum(s.sample_count) as cpu_system_us,
             sum((s.metrics -> 'memory.rss_bytes' -> 0)::float8) / sum(s.sample_count) as rss_bytes,
             sum((s.metrics -> 'database.pool_active' -> 0)::float8) / sum(s.sample_count) as pool_active,
             sum((s.metrics -> 'database.pool_idle' -> 0)::float8) / sum(s.sample_count) as pool_idle,
             sum((s.metrics -> 'database.pool_size' -> 0)::float8) / sum(s.sample_count) as pool_size
      from queen.instance_samples s
      where s.at >= date_trunc('minute', ${range.from}::timestamptz) and s.at <= ${range.to}::timestamptz
      group by s.instance_id, bucket
    )
    select m.bucket, sum(m.cpu_user_us) as cpu_user_us, sum(m.cpu_system_us) as cpu_system_us, sum(m.rss_bytes) as rss_bytes,
           sum(m.pool_active) as pool_active, sum(m.pool_idle) as pool_idle, sum(m.pool_size) as pool_size
    from means m
    group by m.bucket`;
}

/** The newest moment at which a process wrote samples, seconds ago; null without any. */
export async function sampleAge(sql: Sql): Promise<number | null> {
  const [row] = await sql<{ seconds: number | null }[]>`
    select extract(epoch from clock_timestamp() - max(i.seen_at))::float8 as seconds from queen.instances i where i.id > 0`;
  return row!.seconds;
}
