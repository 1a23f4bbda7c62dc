/**
 * Statements that change consumer groups. Each is one transaction and holds the queue's advisory lock exclusively, then
 * the group's cursors by partition.
 *
 * @module
 */

import type { Sql } from "./database.ts";

/** A queue by number and name. */
export interface QueueRef {
  id: number;
  name: string;
}

/** The queues that know a group, active or not, by id. Rides on consumer_groups_by_name. */
export function groupQueues(sql: Sql, group: string): Promise<QueueRef[]> {
  return sql<QueueRef[]>`
    select q.id, q.name from queen.consumer_groups g
    join queen.queues q on q.id = g.queue_id
    where g.name = ${group}
    order by q.id`;
}

/**
 * Forgets where a group stands on a queue.
 *
 * @param deleteMetadata - Also the group itself, its subscription and its dead letters.
 * @returns How many partitions it had a cursor on.
 */
export async function groupForget(
  sql: Sql,
  args: { queueId: number; group: string; deleteMetadata: boolean },
): Promise<number> {
  const [row] = await sql<{ partitions: number }[]>`
    select queen.consumer_group_forget(${args.queueId}, ${args.group}, ${args.deleteMetadata}) as partitions`;
  return row!.partitions;
}

/**
 * Moves the start of a group's subscription on a queue, and what has not begun with it.
 *
 * @param from - ISO timestamp.
 * @returns Whether the group had a subscription there.
 */
export async function groupResubscribe(
  sql: Sql,
  args: { queueId: number; group: string; from: string },
): Promise<boolean> {
  const [row] = await sql<{ updated: boolean }[]>`
    select queen.consumer_group_resubscribe(${args.queueId}, ${args.group}, ${args.from}::timestamptz) as updated`;
  return row!.updated;
}

/** Ids of partitions stay below. */
const PARTITION_ID_MAX = Number.MAX_SAFE_INTEGER;

/**
 * Moves the cursors of a group on some partitions, in the order of their ids.
 *
 * @param first - Id to begin at; `only` looks at that one alone.
 * @param after - ISO timestamp to resume after; null: to the end.
 * @returns How many cursors were moved or made, and the last partition looked at, null when there are no more.
 */
export async function groupSeek(
  sql: Sql,
  args: { queueId: number; group: string; first: number; only: boolean; after: string | null; partitionsMax: number },
): Promise<{ moved: number; last: number | null }> {
  const { queueId, group, first, only, after, partitionsMax } = args;
  const [row] = await sql<{ moved: number; last: number | null }[]>`
    select * from queen.consumer_group_seek(
      ${queueId}, ${group}, ${first}, ${only ? first : PARTITION_ID_MAX}, ${after}::timestamptz, ${partitionsMax}
    )`;
  return row!;
}

/** When the newest message of a partition was made, as ISO 8601; null when it holds none. Rides on segments_pkey. */
export async function partitionNewest(sql: Sql, at: { queueId: number; partitionId: number }): Promise<string | null> {
  const [row] = await sql<{ created_at: string }[]>`
    select s.created_at from queen.segments s
    where s.queue_id = ${at.queueId} and s.partition_id = ${at.partitionId}
    order by s.first_offset desc limit 1`;
  return row?.created_at ?? null;
}

/** Whether a queue has any active group. */
export async function groupExists(sql: Sql, queueId: number): Promise<boolean> {
  const rows = await sql`
    select from queen.consumer_groups g where g.queue_id = ${queueId} and g.active limit 1`;
  return rows.length > 0;
}
