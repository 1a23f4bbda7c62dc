/**
 * Statements that clear away what the October 2025 dialect noted of messages that are gone, in bounded steps.
 *
 * @module
 */

import type { Sql } from "./database.ts";

/** A row of `october_messages`, where a step ended. */
export interface NotedMessage {
  key: string;
  queueId: number;
  partitionId: number;
  offset: number;
}

/** A row of one of the other tables, where a step ended. The number is an offset or a group. */
export interface NotedPlace {
  queueId: number;
  partitionId: number;
  number: number;
}

/** What a step did. `last` is null when it came to the end. */
export interface ForgetStep<Place> {
  seen: number;
  gone: number;
  last: Place | null;
}

interface StepRow {
  seen: number;
  gone: number;
  key: string;
  queue_id: number;
  partition_id: number;
  number: number;
}

/** Before every row. */
export const FIRST_MESSAGE: NotedMessage = {
  key: "00000000-0000-0000-0000-000000000000",
  queueId: 0,
  partitionId: 0,
  offset: -1,
};
/** Before every row. */
export const FIRST_PLACE: NotedPlace = { queueId: 0, partitionId: 0, number: -1 };

function placeStep(row: StepRow | undefined, rowsMax: number): ForgetStep<NotedPlace> {
  if (row === undefined) return { seen: 0, gone: 0, last: null };
  const last = { queueId: row.queue_id, partitionId: row.partition_id, number: row.number };
  return { seen: row.seen, gone: row.gone, last: row.seen < rowsMax ? null : last };
}

/**
 * Forgets transaction ids of messages that are no longer kept.
 *
 * @remarks Walks october_messages_pkey; a probe of partitions_pkey for each row.
 */
export async function octoberForgetMessages(
  sql: Sql,
  after: NotedMessage,
  rowsMax: number,
): Promise<ForgetStep<NotedMessage>> {
  const [row] = await sql<StepRow[]>`
    with page as materialized (
      select m.ctid as at, m.* from queen.october_messages m
      where (m.key, m.queue_id, m.partition_id, m.message_offset)
        > (${after.key}::uuid, ${after.queueId}::integer, ${after.partitionId}::bigint, ${after.offset}::bigint)
      order by m.key, m.queue_id, m.partition_id, m.message_offset limit ${rowsMax}
    ), gone as (
      delete from queen.october_messages m using page g
      where m.ctid = g.at and not exists (
        select from queen.queues q
        cross join lateral (
          select p.tail from queen.partitions p where p.queue_id = q.id and p.id = g.partition_id
          order by p.generation desc limit 1
        ) p
        where q.id = g.queue_id and p.tail <= g.message_offset
      )
      returning 1
    )
    select (select count(*) from page)::integer as seen, (select count(*) from gone)::integer as gone,
           l.key, l.queue_id, l.partition_id, l.message_offset as number
    from page l order by l.key desc, l.queue_id desc, l.partition_id desc, l.message_offset desc limit 1`;
  if (row === undefined) return { seen: 0, gone: 0, last: null };
  const last = { key: row.key, queueId: row.queue_id, partitionId: row.partition_id, offset: row.number };
  return { seen: row.seen, gone: row.gone, last: row.seen < rowsMax ? null : last };
}

/**
 * Forgets which segments were noted, where they are no longer kept.
 *
 * @remarks Walks october_segments_pkey; a probe of segments_pkey for each row.
 */
export async function octoberForgetSegments(
  sql: Sql,
  after: NotedPlace,
  rowsMax: number,
): Promise<ForgetStep<NotedPlace>> {
  const [row] = await sql<StepRow[]>`
    with page as materialized (
      select k.ctid as at, k.* from queen.october_segments k
      where (k.queue_id, k.partition_id, k.first_offset)
        > (${after.queueId}::integer, ${after.partitionId}::bigint, ${after.number}::bigint)
      order by k.queue_id, k.partition_id, k.first_offset limit ${rowsMax}
    ), gone as (
      delete from queen.october_segments k using page g
      where k.ctid = g.at and not exists (
        select from queen.segments s
        where s.queue_id = g.queue_id and s.partition_id = g.partition_id and s.first_offset = g.first_offset
      )
      returning 1
    )
    select (select count(*) from page)::integer as seen, (select count(*) from gone)::integer as gone,
           l.queue_id, l.partition_id, l.first_offset as number
    from page l order by l.queue_id desc, l.partition_id desc, l.first_offset desc limit 1`;
  return placeStep(row, rowsMax);
}

/**
 * Forgets failures said under leases that are no longer held.
 *
 * @remarks Walks october_answers_pkey; a probe of cursors_pkey for each row.
 */
export async function octoberForgetAnswers(
  sql: Sql,
  after: NotedPlace,
  rowsMax: number,
): Promise<ForgetStep<NotedPlace>> {
  const [row] = await sql<StepRow[]>`
    with page as materialized (
      select a.ctid as at, a.* from queen.october_answers a
      where (a.queue_id, a.partition_id, a.group_id)
        > (${after.queueId}::integer, ${after.partitionId}::bigint, ${after.number}::integer)
      order by a.queue_id, a.partition_id, a.group_id limit ${rowsMax}
    ), gone as (
      delete from queen.october_answers a using page g
      where a.ctid = g.at and not exists (
        select from queen.cursors c
        where c.queue_id = g.queue_id and c.partition_id = g.partition_id and c.group_id = g.group_id and c.lease_id = g.lease_id
      )
      returning 1
    )
    select (select count(*) from page)::integer as seen, (select count(*) from gone)::integer as gone,
           l.queue_id, l.partition_id, l.group_id as number
    from page l order by l.queue_id desc, l.partition_id desc, l.group_id desc limit 1`;
  return placeStep(row, rowsMax);
}
