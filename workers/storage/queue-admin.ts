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

/**
 * Takes the oldest messages out of a queue, as far as they were there when a clearing began. Pushes go on meanwhile.
 *
 * @remarks Locks partitions by id. Rides on segments_created.
 * @param before - ISO timestamp: what was made later stays.
 * @returns How many segments were taken, fewer than `segmentsMax` when none is left, and how many messages went.
 */
export async function queueClearStep(
  sql: Sql,
  at: { queueId: number; before: string; segmentsMax: number },
): Promise<{ segments: number; messages: number }> {
  const [row] = await sql<{ segments: number; messages: number }[]>`
    with taken as materialized (
      select s.partition_id, s.first_offset + s.message_count as end_offset
      from queen.segments s
      where s.queue_id = ${at.queueId} and s.created_at < ${at.before}::timestamptz
      order by s.created_at limit ${at.segmentsMax}
    ), ends as (
      select t.partition_id, max(t.end_offset) as end_offset from taken t group by t.partition_id
    )
    select (select count(*) from taken) as segments,
           queen.partition_truncate(${at.queueId}, array_agg(e.partition_id), array_agg(e.end_offset)) as messages
    from ends e`;
  return row!;
}

/** As {@link queueClearStep}, of one partition. Rides on segments_pkey. */
export async function partitionClearStep(
  sql: Sql,
  at: { queueId: number; partitionId: number; before: string; segmentsMax: number },
): Promise<{ segments: number; messages: number }> {
  const [row] = await sql<{ segments: number; messages: number }[]>`
    with taken as materialized (
      select s.first_offset + s.message_count as end_offset
      from queen.segments s
      where s.queue_id = ${at.queueId} and s.partition_id = ${at.partitionId} and s.created_at < ${at.before}::timestamptz
      order by s.first_offset limit ${at.segmentsMax}
    )
    select count(*) as segments,
           queen.partition_truncate(${at.queueId}, array[${at.partitionId}::bigint], array[max(t.end_offset)]) as messages
    from taken t`;
  return row!;
}

/** Place of a cursor in the order of cursors_ready. */
export interface CursorPlace {
  groupId: number;
  /** ISO 8601, or `-infinity`. */
  readyAt: string;
}

/**
 * Puts undrained cursors to the head of partitions that are empty.
 *
 * @remarks Holds the queue's advisory lock exclusively. Rides on cursors_ready.
 * @param from - Where to begin.
 * @returns How many were put there, and the last one looked at, null when there are no more.
 */
export async function queueClearCursors(
  sql: Sql,
  at: { queueId: number; from: CursorPlace; cursorsMax: number },
): Promise<{ settled: number; last: CursorPlace | null }> {
  const [row] = await sql<{ settled: number; last_group: number | null; last_ready: string | null }[]>`
    select * from queen.queue_clear_cursors(
      ${at.queueId}, ${at.from.groupId}, ${at.from.readyAt}::timestamptz, ${at.cursorsMax}
    )`;
  const { settled, last_group, last_ready } = row!;
  return { settled, last: last_group === null ? null : { groupId: last_group, readyAt: last_ready! } };
}

/** The database's clock, as ISO 8601 with microseconds. */
export async function databaseNow(sql: Sql): Promise<string> {
  const [row] = await sql<{ now: string }[]>`select clock_timestamp() as now`;
  return row!.now;
}

/** Tables that hold rows of a queue, what refers to others first. */
export const PURGE_TABLES = [
  "cursors",
  "retries",
  "dead_letters",
  "traces",
  "tombstones",
  "transaction_keys",
  "october_answers",
  "october_segments",
  "stream_cycles",
  "stream_state",
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

/** The version of PostgreSQL, such as `18.4`. */
export async function databaseVersion(sql: Sql): Promise<string> {
  const [row] = await sql<{ version: string }[]>`select current_setting('server_version') as version`;
  return row!.version.split(" ")[0]!;
}

/** Answers when the database does. */
export async function databasePing(sql: Sql): Promise<void> {
  await sql`select 1`;
}
