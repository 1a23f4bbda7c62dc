/**
 * Statements over queues, partitions and consumer groups: the catalog that hot statements refer to by number.
 *
 * @module
 */

import type postgres from "postgres";
import type { Sql } from "./database.ts";
import { arrayOf, textArray } from "./literals.ts";

/** A queue and its options. Null options were not given. */
export interface QueueRow {
  id: number;
  name: string;
  namespace: string;
  task: string;
  config_version: number;
  lease_time_s: number;
  retry_limit: number;
  retry_delay_ms: number | null;
  max_size: number;
  ttl_s: number | null;
  dead_letter_queue: boolean;
  dlq_after_max_retries: boolean;
  priority: number;
  delayed_processing_s: number;
  window_buffer_s: number;
  retention_s: number;
  completed_retention_s: number;
  retention_enabled: boolean;
  encryption_enabled: boolean;
  max_wait_time_s: number;
  created_at: string;
}

/** The options of a queue, as columns. */
export type QueueOptions = Omit<QueueRow, "id" | "name" | "namespace" | "task" | "config_version" | "created_at">;

/**
 * The columns of {@link QueueRow}, by name: a prepared `select *` would fail when a newer version adds a column beside this
 * one, and the driver, which then repeats it, mixes up the answers of the statements behind it.
 */
function queueColumns(sql: Sql) {
  return sql`q.id, q.name, q.namespace, q.task, q.config_version, q.lease_time_s, q.retry_limit, q.retry_delay_ms, q.max_size,
    q.ttl_s, q.dead_letter_queue, q.dlq_after_max_retries, q.priority, q.delayed_processing_s, q.window_buffer_s, q.retention_s,
    q.completed_retention_s, q.retention_enabled, q.encryption_enabled, q.max_wait_time_s, q.created_at`;
}

/** Finds queues by name. Any order; unknown names are left out. */
export function queueFind(sql: Sql, names: readonly string[]): Promise<QueueRow[]> {
  return sql<
    QueueRow[]
  >`select ${queueColumns(sql)} from queen.queues q where q.name = any (${textArray(names)}::text[])`;
}

/** Whether any queue is encrypted. */
export async function queueAnyEncrypted(sql: Sql): Promise<boolean> {
  const [row] = await sql<{ any: boolean }[]>`
    select exists (select from queen.queues q where q.encryption_enabled) as any`;
  return row!.any;
}

/** Finds queues by id. Any order; unknown ids are left out. */
export function queueFindById(sql: Sql, ids: readonly number[]): Promise<QueueRow[]> {
  return sql<QueueRow[]>`select ${queueColumns(sql)} from queen.queues q where q.id = any (${arrayOf(ids)}::integer[])`;
}

/** Makes queues with default options where they do not exist. Namespace and task come from the dotted name. */
export async function queueEnsure(
  sql: Sql,
  queues: readonly { name: string; namespace: string; task: string }[],
): Promise<void> {
  await sql`
    insert into queen.queues (name, namespace, task)
    select u.* from unnest(
      ${textArray(queues.map((q) => q.name))}::text[], ${textArray(queues.map((q) => q.namespace))}::text[],
      ${textArray(queues.map((q) => q.task))}::text[]
    ) u(name, namespace, task)
    order by 1
    on conflict (name) do nothing`;
}

/**
 * Creates a queue or overwrites all its settings. Cursors that wait for a delay or window look again at once, since the
 * new options may let them go earlier.
 *
 * @param sql - Pool; opens a transaction of its own.
 */
export async function queueConfigure(
  sql: postgres.Sql,
  queue: { name: string; namespace: string; task: string; options: QueueOptions },
): Promise<QueueRow> {
  const { name, namespace, task, options: o } = queue;
  return await sql.begin(async (transaction) => {
    const [row] = await transaction<QueueRow[]>`
      insert into queen.queues as q (
        name, namespace, task, lease_time_s, retry_limit, retry_delay_ms, max_size, ttl_s, dead_letter_queue,
        dlq_after_max_retries, priority, delayed_processing_s, window_buffer_s, retention_s, completed_retention_s,
        retention_enabled, encryption_enabled, max_wait_time_s
      ) values (
        ${name}, ${namespace}, ${task}, ${o.lease_time_s}, ${o.retry_limit}, ${o.retry_delay_ms}, ${o.max_size}, ${o.ttl_s},
        ${o.dead_letter_queue}, ${o.dlq_after_max_retries}, ${o.priority}, ${o.delayed_processing_s}, ${o.window_buffer_s},
        ${o.retention_s}, ${o.completed_retention_s}, ${o.retention_enabled}, ${o.encryption_enabled}, ${o.max_wait_time_s}
      )
      on conflict (name) do update set
        namespace = excluded.namespace, task = excluded.task, lease_time_s = excluded.lease_time_s,
        retry_limit = excluded.retry_limit, retry_delay_ms = excluded.retry_delay_ms, max_size = excluded.max_size,
        ttl_s = excluded.ttl_s, dead_letter_queue = excluded.dead_letter_queue,
        dlq_after_max_retries = excluded.dlq_after_max_retries, priority = excluded.priority,
        delayed_processing_s = excluded.delayed_processing_s, window_buffer_s = excluded.window_buffer_s,
        retention_s = excluded.retention_s, completed_retention_s = excluded.completed_retention_s,
        retention_enabled = excluded.retention_enabled, encryption_enabled = excluded.encryption_enabled,
        max_wait_time_s = excluded.max_wait_time_s, config_version = q.config_version + 1
      returning ${queueColumns(transaction)}`;
    await transaction`
      update queen.cursors c set ready_at = clock_timestamp()
      where c.queue_id = ${row!.id} and c.lease_id is null and c.ready_at > clock_timestamp() and c.ready_at < 'infinity'`;
    return row!;
  });
}

/**
 * Finds partitions of a queue by name. Any order; unknown names are left out.
 *
 * @remarks
 * Rides on partitions_name, one probe a name: with `name = any (...)` a plan made while the queue was small reads all of
 * the queue's partitions.
 */
export function partitionFind(
  sql: Sql,
  queueId: number,
  names: readonly string[],
): Promise<{ id: number; name: string }[]> {
  return sql<{ id: number; name: string }[]>`
    select p.id, p.name
    from unnest(${textArray(names)}::text[]) u(name)
    cross join lateral (
      select p.id, p.name from queen.partitions p where p.queue_id = ${queueId} and p.name = u.name limit 1
    ) p`;
}

/** Makes partitions where they do not exist. Returns those it made. */
export function partitionEnsure(
  sql: Sql,
  queueId: number,
  names: readonly string[],
): Promise<{ id: number; name: string }[]> {
  return sql<{ id: number; name: string }[]>`
    select * from queen.partition_ensure(${queueId}, ${textArray(names)}::text[])`;
}

/** Names of partitions and their queues, by number. Any order; unknown ones are left out. */
export function partitionNames(
  sql: Sql,
  refs: readonly { queueId: number; partitionId: number }[],
): Promise<{ queue_id: number; partition_id: number; queue: string; partition: string }[]> {
  return sql<{ queue_id: number; partition_id: number; queue: string; partition: string }[]>`
    select p.queue_id, p.id as partition_id, q.name as queue, p.name as partition
    from unnest(${arrayOf(refs.map((r) => r.queueId))}::integer[], ${arrayOf(refs.map((r) => r.partitionId))}::bigint[])
      u(queue_id, partition_id)
    join queen.partitions p on p.queue_id = u.queue_id and p.id = u.partition_id
    join queen.queues q on q.id = p.queue_id`;
}

/** A consumer group of a queue. */
export interface GroupRow {
  id: number;
  name: string;
  subscription_mode: string | null;
  /** Cursors are missing yet: see {@link groupFill}. */
  filling: boolean;
}

/** Finds an active group of a queue; empty when there is none. */
export function groupFind(sql: Sql, queueId: number, name: string): Promise<GroupRow[]> {
  return sql<GroupRow[]>`
    select g.id, g.name, g.subscription_mode, g.filled_to is not null as filling from queen.consumer_groups g
    where g.queue_id = ${queueId} and g.name = ${name} and g.active`;
}

/** How a group's consumption starts. */
export interface Subscription {
  mode: "all" | "new" | "timestamp";
  /** ISO timestamp, with `timestamp`. */
  from: string | null;
}

/**
 * Makes a group known to a queue and decides its subscription if that is still open.
 *
 * @remarks Holds the queue's advisory lock exclusively. Idempotent.
 * @param partitionId - Null for a pop over the whole queue.
 * @returns The group's id, null when the queue is gone; and whether {@link groupFill} has to go on before any pop.
 */
export async function groupRegister(
  sql: Sql,
  group: { queueId: number; name: string; subscription: Subscription; partitionId: number | null },
): Promise<{ id: number | null; filling: boolean | null }> {
  const { queueId, name, subscription, partitionId } = group;
  const [row] = await sql<{ id: number | null; filling: boolean | null }[]>`
    select * from queen.consumer_group_register(
      ${queueId}, ${name}, ${subscription.mode}, ${subscription.from}::timestamptz, ${partitionId}
    )`;
  return row!;
}

/**
 * Makes cursors of a group for some more of the partitions that had something when it came.
 *
 * @remarks Holds the queue's advisory lock exclusively. Anybody may go on with it.
 * @returns Whether there are more.
 */
export async function groupFill(sql: Sql, queueId: number, groupId: number): Promise<boolean> {
  const [row] = await sql<{ more: boolean }[]>`select queen.consumer_group_fill(${queueId}, ${groupId}) as more`;
  return row!.more;
}
