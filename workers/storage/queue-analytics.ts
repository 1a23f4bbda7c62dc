/**
 * Statements that read measurements of queues, as those of `analytics.ts`. Without a queue named, they show the busiest ones.
 *
 * @module
 */

import type { QueueFilter, RangeParams } from "../protocol/samples.ts";
import type { Sql } from "./database.ts";

/** How old the messages of a queue were when they were popped. */
export interface QueueLagRow {
  queue: string;
  bucket: string;
  pop_count: number;
  avg_lag_ms: number;
  max_lag_ms: number;
}

/** Which queues: one by name, or so many of the busiest. */
export interface QueueChoice {
  queue: string | null;
  queuesMax: number;
}

/** Ages of messages at their delivery, by bucket, newest first, then by queue. */
export function queueLagBuckets(sql: Sql, range: RangeParams, of: QueueChoice): Promise<QueueLagRow[]> {
  return sql<QueueLagRow[]>`
    with chosen as materialized (
      select q.id, q.name
      from queen.queue_samples s
      join queen.queues q on q.id = s.queue_id
      where s.at >= date_trunc('minute', ${range.from}::timestamptz) and s.at <= ${range.to}::timestamptz
        and s.lag_count > 0 and (${of.queue}::text is null or q.name = ${of.queue})
      group by q.id
      order by sum(s.lag_count) desc, q.name limit ${of.queuesMax}
    )
    select c.name as queue, date_bin(make_interval(mins => ${range.bucketMinutes}), s.at, '2000-01-01 00:00:00+00') as bucket,
           sum(s.pop_messages)::bigint as pop_count,
           (sum(s.lag_sum_ms)::float8 / sum(s.lag_count))::float8 as avg_lag_ms, max(s.lag_max_ms)::float8 as max_lag_ms
    from chosen c
    join queen.queue_samples s on s.queue_id = c.id
    where s.at >= date_trunc('minute', ${range.from}::timestamptz) and s.at <= ${range.to}::timestamptz and s.lag_count > 0
    group by c.name, bucket
    order by bucket desc, c.name`;
}

/** Ages of messages at their delivery over a whole range, by queue. */
export function queueLagTotals(
  sql: Sql,
  range: Pick<RangeParams, "from" | "to">,
  of: { hostname: string | null; worker: number | null; queuesMax: number },
): Promise<Omit<QueueLagRow, "bucket">[]> {
  return sql<Omit<QueueLagRow, "bucket">[]>`
    select q.name as queue, sum(s.pop_messages)::bigint as pop_count,
           (sum(s.lag_sum_ms)::float8 / sum(s.lag_count))::float8 as avg_lag_ms, max(s.lag_max_ms)::float8 as max_lag_ms
    from queen.queue_samples s
    join queen.queues q on q.id = s.queue_id
    join queen.instances i on i.id = s.instance_id
    where s.at >= date_trunc('minute', ${range.from}::timestamptz) and s.at <= ${range.to}::timestamptz and s.lag_count > 0
      and (${of.hostname}::text is null or i.hostname = ${of.hostname})
      and (${of.worker}::integer is null or s.worker = ${of.worker})
    group by q.id
    order by pop_count desc, q.name limit ${of.queuesMax}`;
}

/** What was done with a queue in a bucket. */
export interface QueueOperationsRow {
  bucket: string;
  queue: string;
  push_requests: number;
  push_messages: number;
  pop_messages: number;
  pop_empty: number;
  ack_requests: number;
  ack_success: number;
  ack_failed: number;
  transactions: number;
  partitions_created: number;
  partitions_deleted: number;
  /** How many partitions it had at the end of the bucket. */
  partition_count: number;
  avg_lag_ms: number;
  max_lag_ms: number;
  /** Most pops parked at once, over all workers. */
  parked: number;
}

/** What was done with queues, by bucket, oldest first, then by queue. */
export function queueOperationBuckets(sql: Sql, range: RangeParams, of: QueueChoice): Promise<QueueOperationsRow[]> {
  return sql<QueueOperationsRow[]>`
    with chosen as materialized (
      select q.id, q.name
      from queen.queue_samples s
      join queen.queues q on q.id = s.queue_id
      where s.at >= date_trunc('minute', ${range.from}::timestamptz) and s.at <= ${range.to}::timestamptz
        and (${of.queue}::text is null or q.name = ${of.queue})
      group by q.id
      order by sum(s.push_messages + s.pop_messages + s.pop_empty + s.ack_success) desc, q.name limit ${of.queuesMax}
    ), partitions as materialized (
      select c.id, (select count(*) from queen.partitions p where p.queue_id = c.id)
        - coalesce((
            select sum(s.partitions_created - s.partitions_deleted)
            from queen.queue_samples s where s.queue_id = c.id and s.at > ${range.to}::timestamptz
          ), 0) as at_end
      from chosen c
    ), buckets as (
      select c.id, c.name, date_bin(make_interval(mins => ${range.bucketMinutes}), s.at, '2000-01-01 00:00:00+00') as bucket,
             s.instance_id, s.worker, sum(s.push_requests) as push_requests, sum(s.push_messages) as push_messages,
             sum(s.pop_messages) as pop_messages, sum(s.pop_empty) as pop_empty, sum(s.ack_requests) as ack_requests,
             sum(s.ack_success) as ack_success, sum(s.ack_failed) as ack_failed, sum(s.transactions) as transactions,
             sum(s.partitions_created) as partitions_created, sum(s.partitions_deleted) as partitions_deleted,
             sum(s.lag_sum_ms) as lag_sum_ms, sum(s.lag_count) as lag_count, max(s.lag_max_ms) as lag_max_ms,
             max(s.parked_max) as parked
      from chosen c
      join queen.queue_samples s on s.queue_id = c.id
      where s.at >= date_trunc('minute', ${range.from}::timestamptz) and s.at <= ${range.to}::timestamptz
      group by c.id, c.name, bucket, s.instance_id, s.worker
    )
    select b.bucket, b.name as queue, sum(b.push_requests)::bigint as push_requests,
           sum(b.push_messages)::bigint as push_messages, sum(b.pop_messages)::bigint as pop_messages,
           sum(b.pop_empty)::bigint as pop_empty, sum(b.ack_requests)::bigint as ack_requests,
           sum(b.ack_success)::bigint as ack_success, sum(b.ack_failed)::bigint as ack_failed,
           sum(b.transactions)::bigint as transactions, sum(b.partitions_created)::bigint as partitions_created,
           sum(b.partitions_deleted)::bigint as partitions_deleted,
           (p.at_end - coalesce(sum(sum(b.partitions_created - b.partitions_deleted)) over (
             partition by b.id order by b.bucket desc rows between unbounded preceding and 1 preceding
           ), 0))::bigint as partition_count,
           coalesce(sum(b.lag_sum_ms)::float8 / nullif(sum(b.lag_count), 0), 0)::float8 as avg_lag_ms,
           max(b.lag_max_ms)::float8 as max_lag_ms, sum(b.parked)::bigint as parked
    from buckets b
    join partitions p on p.id = b.id
    group by b.id, b.name, b.bucket, p.at_end
    order by b.bucket, b.name`;
}

/** Pops parked on a queue at one worker. */
export interface ParkedRow {
  bucket: string;
  queue: string;
  hostname: string;
  worker: number;
  /** Most at once. */
  parked: number;
}

/** Pops parked, by bucket, oldest first, then by queue and worker. */
export function parkedBuckets(sql: Sql, range: RangeParams, of: QueueChoice): Promise<ParkedRow[]> {
  return sql<ParkedRow[]>`
    with chosen as materialized (
      select q.id, q.name
      from queen.queue_samples s
      join queen.queues q on q.id = s.queue_id
      where s.at >= date_trunc('minute', ${range.from}::timestamptz) and s.at <= ${range.to}::timestamptz
        and s.parked_max > 0 and (${of.queue}::text is null or q.name = ${of.queue})
      group by q.id
      order by max(s.parked_max) desc, q.name limit ${of.queuesMax}
    )
    select date_bin(make_interval(mins => ${range.bucketMinutes}), s.at, '2000-01-01 00:00:00+00') as bucket,
           c.name as queue, i.hostname, s.worker, max(s.parked_max) as parked
    from chosen c
    join queen.queue_samples s on s.queue_id = c.id
    join queen.instances i on i.id = s.instance_id
    where s.at >= date_trunc('minute', ${range.from}::timestamptz) and s.at <= ${range.to}::timestamptz and s.parked_max > 0
    group by bucket, c.name, i.hostname, i.port, s.worker
    order by bucket, c.name, i.hostname, i.port, s.worker`;
}

/** How many messages were stored in an interval. */
export interface MessageCountRow {
  bucket: string;
  messages: number;
}

/**
 * How many messages were stored, by minute, hour or day, oldest first; intervals without any are left out.
 *
 * @param of - Without any filter, messages of queues that are deleted by now count as well.
 */
export function messageBuckets(
  sql: Sql,
  range: { from: string; to: string; interval: "minute" | "hour" | "day" },
  of: QueueFilter,
): Promise<MessageCountRow[]> {
  if (of.queue === null && of.namespace === null && of.task === null) {
    return sql<MessageCountRow[]>`
      select date_trunc(${range.interval}::text, s.at) as bucket, sum(s.push_messages)::bigint as messages
      from queen.worker_samples s
      where s.at >= date_trunc('minute', ${range.from}::timestamptz) and s.at <= ${range.to}::timestamptz
      group by bucket order by bucket`;
  }
  return sql<MessageCountRow[]>`
    select date_trunc(${range.interval}::text, s.at) as bucket, sum(s.push_messages)::bigint as messages
    from queen.queue_samples s
    join queen.queues q on q.id = s.queue_id
    where s.at >= date_trunc('minute', ${range.from}::timestamptz) and s.at <= ${range.to}::timestamptz
      and (${of.queue}::text is null or q.name = ${of.queue})
      and (${of.namespace}::text is null or q.namespace = ${of.namespace})
      and (${of.task}::text is null or q.task = ${of.task})
    group by bucket order by bucket`;
}

/** What was done with queues in a bucket, all of them together. */
export interface QueueTrafficRow {
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
  avg_lag_ms: number;
  max_lag_ms: number;
}

/** What was done with the queues that match, by bucket. */
export function queueTrafficBuckets(sql: Sql, range: RangeParams, of: QueueFilter): Promise<QueueTrafficRow[]> {
  return sql<QueueTrafficRow[]>`
    select date_bin(make_interval(mins => ${range.bucketMinutes}), s.at, '2000-01-01 00:00:00+00') as bucket,
           sum(s.push_requests)::bigint as push_requests, sum(s.push_messages)::bigint as push_messages,
           sum(s.pop_requests)::bigint as pop_requests, sum(s.pop_messages)::bigint as pop_messages,
           sum(s.ack_requests)::bigint as ack_requests, sum(s.ack_success)::bigint as ack_success,
           sum(s.ack_failed)::bigint as ack_failed, sum(s.auto_acked)::bigint as auto_acked,
           sum(s.dead_letters)::bigint as dead_letters,
           coalesce(sum(s.lag_sum_ms)::float8 / nullif(sum(s.lag_count), 0), 0)::float8 as avg_lag_ms,
           max(s.lag_max_ms)::float8 as max_lag_ms
    from queen.queue_samples s
    join queen.queues q on q.id = s.queue_id
    where s.at >= date_trunc('minute', ${range.from}::timestamptz) and s.at <= ${range.to}::timestamptz
      and (${of.queue}::text is null or q.name = ${of.queue})
      and (${of.namespace}::text is null or q.namespace = ${of.namespace})
      and (${of.task}::text is null or q.task = ${of.task})
    group by bucket`;
}
