/**
 * Statements that delete and clear queues, and the trivial one that shows whether the database answers.
 *
 * @module
 */

import type { Sql } from "./database.ts";

/**
 * Takes a queue out of sight. Its rows in other tables stay until {@link queuePurge} cleared them away.
 *
 * @remarks Holds the queue's advisory lock exclusively. Idempotent.
 * @returns Its id, or null when there is no such queue.
 */
export async function queueDelete(sql: Sql, name: string): Promise<number | null> {
  const [row] = await sql<{ id: number | null }[]>`select queen.queue_delete(${name}) as id`;
  return row!.id;
}

/**
 * Takes all messages out of a queue.
 *
 * @remarks Holds the queue's advisory lock exclusively, then partitions and cursors in their order. Idempotent.
 * @param partitionId - Null: of all partitions.
 * @returns How many messages went.
 */
export async function queueClear(sql: Sql, at: { queueId: number; partitionId: number | null }): Promise<number> {
  const [row] = await sql<{ count: number }[]>`
    select queen.queue_clear(${at.queueId}, ${at.partitionId}::bigint) as count`;
  return row!.count;
}

/** Tables that hold rows of a queue, what refers to others first. */
export const PURGE_TABLES = [
  "cursors",
  "retries",
  "dead_letters",
  "traces",
  "tombstones",
  "transaction_keys",
  "segments",
  "partitions",
] as const;

/** One of {@link PURGE_TABLES}. */
export type PurgeTable = (typeof PURGE_TABLES)[number];

/**
 * Clears away some rows of a deleted queue.
 *
 * @param rowsMax - Most rows of this call.
 * @returns How many rows went; fewer than `rowsMax` means that none is left, but for rows others hold.
 */
export async function queuePurge(
  sql: Sql,
  at: { queueId: number; table: PurgeTable; rowsMax: number },
): Promise<number> {
  const table = sql(`queen.${at.table}`);
  const result = await sql`
    delete from ${table} t where t.ctid = any (array(
      select r.ctid from ${table} r where r.queue_id = ${at.queueId} limit ${at.rowsMax} for update skip locked
    ))`;
  return result.count;
}

/** Queues that were deleted and may still have rows, oldest first. */
export async function purgeList(sql: Sql): Promise<number[]> {
  const rows = await sql<
    { queue_id: number }[]
  >`select p.queue_id from queen.purges p order by p.deleted_at limit 1000`;
  return rows.map((row) => row.queue_id);
}

/**
 * Notes that nothing of a deleted queue is left. A queue deleted less than a minute ago stays noted: requests that began
 * before may still leave rows.
 */
export async function purgeFinish(sql: Sql, queueId: number): Promise<void> {
  await sql`
    delete from queen.purges p
    where p.queue_id = ${queueId} and p.deleted_at < clock_timestamp() - interval '1 minute'`;
}

/** Answers when the database does. */
export async function databasePing(sql: Sql): Promise<void> {
  await sql`select 1`;
}
