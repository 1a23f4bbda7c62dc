/**
 * Statements that count what there is, by queue, namespace, task, and in all. Exact at the time of the call; they lock nothing.
 * They read every partition of the queues they are called for (about 0.1 µs each of PostgreSQL's time), their undrained
 * cursors (1 µs) and their dead letters.
 *
 * @module
 */

import type { Sql } from "./database.ts";
import { arrayOf } from "./literals.ts";

/** A page of a listing. */
export interface Page {
  limit: number;
  offset: number;
}

/**
 * Messages by what became of them. Of several groups on a partition the largest value of each counts; where no group ever came,
 * all is pending.
 */
export interface MessageCounts {
  /** Messages that are kept. */
  total: number;
  /** Not yet resolved, those that are handed out included. */
  pending: number;
  /** Handed out under a live lease, and not yet resolved. */
  processing: number;
  completed: number;
  dead_letter: number;
}

/** The counts of one queue. */
export interface QueueCountsRow extends MessageCounts {
  queue_id: number;
  partitions: number;
}

/** The counts of queues, a row each in the order given; one that does not exist counts 0. */
export function queueCounts(sql: Sql, queueIds: readonly number[]): Promise<QueueCountsRow[]> {
  return sql<QueueCountsRow[]>`select * from queen.queue_counts(${arrayOf(queueIds)}::integer[])`;
}

/** Which queues are meant; null means any. */
export interface QueueFilter {
  queue: string | null;
  namespace: string | null;
  task: string | null;
}

/** A queue in a listing. */
export interface QueueListRow extends QueueCountsRow {
  name: string;
  namespace: string;
  task: string;
  priority: number;
  /** ISO 8601 with microseconds. */
  created_at: string;
}

/** A page of queues with their counts, newest first. Counts the queues of the page alone. */
export function queueList(sql: Sql, filter: QueueFilter, page: Page): Promise<QueueListRow[]> {
  return sql<QueueListRow[]>`
    with page as materialized (
      select q.id, q.name, q.namespace, q.task, q.priority, q.created_at from queen.queues q
      where true ${queueCondition(sql, filter)}
      order by q.created_at desc, q.id desc limit ${page.limit} offset ${page.offset}
    )
    select p.name, p.namespace, p.task, p.priority, p.created_at, c.*
    from queen.queue_counts(array(select p.id from page p)) c
    join page p on p.id = c.queue_id
    order by p.created_at desc, p.id desc`;
}

/** How many queues there are. */
export async function queueCount(sql: Sql, filter: QueueFilter): Promise<number> {
  const [row] = await sql<{ count: number }[]>`
    select count(*) as count from queen.queues q where true ${queueCondition(sql, filter)}`;
  return row!.count;
}

/** Conditions on `queen.queues q`; what does not matter is left out, so that indexes can be searched for the rest. */
export function queueCondition(sql: Sql, { queue, namespace, task }: QueueFilter) {
  return sql`
    ${queue === null ? sql`` : sql`and q.name = ${queue}`}
    ${namespace === null ? sql`` : sql`and q.namespace = ${namespace}`}
    ${task === null ? sql`` : sql`and q.task = ${task}`}`;
}

/** The counts of the queues that share a namespace, or a task. */
export interface LabelCountsRow extends MessageCounts {
  label: string;
  queues: number;
  partitions: number;
}

/**
 * The counts of a page of namespaces, or tasks, by name. The empty one is left out.
 *
 * @param kind - Which label of the queues is meant.
 */
export function labelCounts(sql: Sql, kind: "namespace" | "task", page: Page): Promise<LabelCountsRow[]> {
  const label = sql(`q.${kind}`);
  return sql<LabelCountsRow[]>`
    with page as materialized (
      select distinct ${label} as label from queen.queues q where ${label} <> ''
      order by 1 limit ${page.limit} offset ${page.offset}
    )
    select ${label} as label, count(*) as queues, sum(c.partitions)::bigint as partitions, sum(c.total)::bigint as total,
           sum(c.pending)::bigint as pending, sum(c.processing)::bigint as processing, sum(c.completed)::bigint as completed,
           sum(c.dead_letter)::bigint as dead_letter
    from queen.queue_counts(array(select q.id from queen.queues q where ${label} in (select p.label from page p))) c
    join queen.queues q on q.id = c.queue_id
    group by 1 order by 1`;
}

/** The counts of everything. */
export interface SystemCountsRow extends MessageCounts {
  queues: number;
  partitions: number;
  namespaces: number;
  tasks: number;
}

/** The counts of all queues that match. */
export async function systemCounts(
  sql: Sql,
  filter: QueueFilter = { queue: null, namespace: null, task: null },
): Promise<SystemCountsRow> {
  const [row] = await sql<SystemCountsRow[]>`
    select count(*) as queues, coalesce(sum(c.partitions), 0)::bigint as partitions,
           count(distinct nullif(q.namespace, '')) as namespaces, count(distinct nullif(q.task, '')) as tasks,
           coalesce(sum(c.total), 0)::bigint as total, coalesce(sum(c.pending), 0)::bigint as pending,
           coalesce(sum(c.processing), 0)::bigint as processing, coalesce(sum(c.completed), 0)::bigint as completed,
           coalesce(sum(c.dead_letter), 0)::bigint as dead_letter
    from queen.queue_counts(array(select q.id from queen.queues q where true ${queueCondition(sql, filter)})) c
    join queen.queues q on q.id = c.queue_id`;
  return row!;
}

/** How far consumers are behind: over every cursor that has something left. All 0 when there is none. */
export interface SystemLagRow {
  /** Age of the oldest message left, in seconds. */
  time_avg: number;
  time_median: number;
  time_min: number;
  time_max: number;
  /** Messages left. */
  offset_avg: number;
  offset_median: number;
  offset_min: number;
  offset_max: number;
}

/** See {@link SystemLagRow}. Looks up a segment for each undrained cursor: 3.5 µs of PostgreSQL's time each. */
export async function systemLag(sql: Sql): Promise<SystemLagRow> {
  const [row] = await sql<SystemLagRow[]>`
    select coalesce(avg(l.seconds), 0)::float8 as time_avg, coalesce(min(l.seconds), 0)::float8 as time_min,
           coalesce(max(l.seconds), 0)::float8 as time_max,
           coalesce(percentile_cont(0.5) within group (order by l.seconds), 0)::float8 as time_median,
           coalesce(avg(l.pending), 0)::float8 as offset_avg, coalesce(min(l.pending), 0)::float8 as offset_min,
           coalesce(max(l.pending), 0)::float8 as offset_max,
           coalesce(percentile_cont(0.5) within group (order by l.pending), 0)::float8 as offset_median
    from (
      select greatest(extract(epoch from statement_timestamp() - l.oldest_at), 0)::float8 as seconds, l.pending::float8 as pending
      from queen.queues q
      cross join lateral queen.cursor_lags(
        q.id, array(select g.id from queen.consumer_groups g where g.queue_id = q.id and g.active), 'infinity'
      ) l
    ) l`;
  return row!;
}

/**
 * How many messages were pushed in the last so many seconds and are still kept. Rides on segments_created.
 *
 * @param seconds - 1 or more.
 */
export async function pushedLately(sql: Sql, seconds: number): Promise<number> {
  const [row] = await sql<{ messages: number }[]>`
    select coalesce(sum(s.messages), 0)::bigint as messages
    from queen.queues q
    cross join lateral (
      select sum(s.message_count) as messages from queen.segments s
      where s.queue_id = q.id and s.created_at >= statement_timestamp() - make_interval(secs => ${seconds})
    ) s`;
  return row!.messages;
}

/**
 * How many messages were consumed in the latest minute that was recorded, at all instances; 0 when none was in the last
 * three minutes. Rides on worker_samples_pkey.
 */
export async function processedLately(sql: Sql): Promise<number> {
  const [row] = await sql<{ messages: number }[]>`
    select coalesce(sum(s.ack_success + s.auto_acked), 0)::bigint as messages
    from queen.worker_samples s
    where s.at = (select max(l.at) from queen.worker_samples l where l.at > now() - interval '3 minutes')`;
  return row!.messages;
}
