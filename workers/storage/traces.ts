/**
 * Statements over trace events.
 *
 * @module
 */

import type { Sql } from "./database.ts";
import { textArray } from "./literals.ts";
import type { MessageRef } from "./messages.ts";

/** A trace event to keep. */
export interface TraceInsert extends MessageRef {
  /** UUID text, time-ordered. */
  id: string;
  transactionId: string;
  consumerGroup: string | null;
  eventType: string;
  /** JSON text. */
  data: string;
  names: readonly string[];
  workerId: string;
}

/** A trace event as it is kept. */
export interface TraceRow {
  id: string;
  transaction_id: string;
  queue_id: number;
  partition_id: number;
  message_offset: number;
  queue: string;
  partition: string;
  event_type: string;
  data: string;
  consumer_group: string | null;
  worker_id: string;
  /** ISO 8601 with microseconds. */
  created_at: string;
  /** JSON text of an array. */
  names: string;
}

/**
 * Keeps an event, unless its partition is gone.
 *
 * @returns Whether it was kept.
 */
export async function traceInsert(sql: Sql, trace: TraceInsert): Promise<boolean> {
  const rows = await sql`
    insert into queen.traces (
      queue_id, id, partition_id, message_offset, transaction_id, consumer_group, event_type, data, names, worker_id
    )
    select p.queue_id, ${trace.id}::uuid, p.id, ${trace.offset}::bigint, ${trace.transactionId}, ${trace.consumerGroup}::text,
           ${trace.eventType}::text, ${trace.data}::text, ${textArray(trace.names)}::text[], ${trace.workerId}::text
    from queen.partitions p
    join queen.queues q on q.id = p.queue_id
    where p.queue_id = ${trace.queueId} and p.id = ${trace.partitionId} and p.tail <= ${trace.offset}::bigint
    returning id`;
  return rows.length > 0;
}

/** The events of one message, oldest first. Rides on traces_message. */
export function traceList(sql: Sql, ref: MessageRef): Promise<TraceRow[]> {
  return sql<TraceRow[]>`
    select t.*, q.name as queue, p.name as partition, array_to_json(t.names)::text as names
    from queen.traces t
    join queen.partitions p on p.queue_id = t.queue_id and p.id = t.partition_id
    join queen.queues q on q.id = t.queue_id
    where t.queue_id = ${ref.queueId} and t.partition_id = ${ref.partitionId} and t.message_offset = ${ref.offset}
    order by t.created_at, t.id`;
}

/** A page of the events that carry a name, oldest first. Rides on traces_names. */
export function traceListByName(sql: Sql, name: string, page: { limit: number; offset: number }): Promise<TraceRow[]> {
  return sql<TraceRow[]>`
    select t.*, q.name as queue, p.name as partition, array_to_json(t.names)::text as names
    from queen.traces t
    join queen.partitions p on p.queue_id = t.queue_id and p.id = t.partition_id
    join queen.queues q on q.id = t.queue_id
    where t.names @> ${textArray([name])}::text[]
    order by t.created_at, t.id
    limit ${page.limit} offset ${page.offset}`;
}

/** Counts the events that carry a name. */
export async function traceCountByName(sql: Sql, name: string): Promise<number> {
  const [row] = await sql<{ total: number }[]>`
    select count(*) as total from queen.traces t
    join queen.queues q on q.id = t.queue_id
    where t.names @> ${textArray([name])}::text[]`;
  return row!.total;
}

/** A name that events carry. */
export interface TraceNameRow {
  name: string;
  trace_count: number;
  message_count: number;
  last_seen: string;
}

/** A page of all names, last seen first. Visits every event. */
export function traceNameList(sql: Sql, page: { limit: number; offset: number }): Promise<TraceNameRow[]> {
  return sql<TraceNameRow[]>`
    select n.name, count(*) as trace_count, count(distinct (t.queue_id, t.partition_id, t.message_offset)) as message_count,
           max(t.created_at) as last_seen
    from queen.traces t
    join queen.queues q on q.id = t.queue_id
    cross join lateral unnest(t.names) n(name)
    group by n.name
    order by last_seen desc, n.name
    limit ${page.limit} offset ${page.offset}`;
}

/** Counts the names that events carry. Visits every event. */
export async function traceNameCount(sql: Sql): Promise<number> {
  const [row] = await sql<{ total: number }[]>`
    select count(distinct n.name) as total
    from queen.traces t
    join queen.queues q on q.id = t.queue_id
    cross join lateral unnest(t.names) n(name)`;
  return row!.total;
}
