/**
 * Statements over single messages.
 *
 * @module
 */

import type { Sql } from "./database.ts";
import { arrayOf } from "./literals.ts";

/** A message by number. */
export interface MessageRef {
  queueId: number;
  partitionId: number;
  offset: number;
}

/** The segment that holds a message, without its body. */
export interface MessageSegmentRow {
  /** 0-based position in the references of the call. */
  ref: number;
  first_offset: number;
  message_count: number;
  format: number;
  raw_bytes: number;
  id_base: string;
  /** ISO 8601 with microseconds. */
  created_at: string;
}

/**
 * Finds the segments that hold messages.
 *
 * @remarks One probe of segments_pkey a message. Locks nothing.
 * @returns Any order; messages that are no longer kept are left out.
 */
export function messageSegments(sql: Sql, refs: readonly MessageRef[]): Promise<MessageSegmentRow[]> {
  return sql<MessageSegmentRow[]>`
    select (r.ord - 1)::integer as ref, s.first_offset, s.message_count, s.format, s.raw_bytes, s.id_base, s.created_at
    from unnest(
      ${arrayOf(refs.map((r) => r.queueId))}::integer[], ${arrayOf(refs.map((r) => r.partitionId))}::bigint[],
      ${arrayOf(refs.map((r) => r.offset))}::bigint[]
    ) with ordinality r(queue_id, partition_id, message_offset, ord)
    cross join lateral (
      select s.* from queen.segments s
      where s.queue_id = r.queue_id and s.partition_id = r.partition_id and s.first_offset <= r.message_offset
      order by s.first_offset desc limit 1
    ) s
    where s.first_offset + s.message_count > r.message_offset`;
}

/** What one group has to do with a message. */
export interface MessageGroupRow {
  name: string;
  consumed: boolean;
  /** ISO 8601 with microseconds; null without a live lease on the partition. */
  lease_expires_at: string | null;
}

/**
 * The active groups of the queue of a message, and whether each has consumed it. One without a cursor on the partition has
 * nothing to consume there.
 *
 * @remarks Rides on cursors_pkey. Locks nothing.
 * @returns By name.
 */
export function messageGroups(sql: Sql, ref: MessageRef): Promise<MessageGroupRow[]> {
  return sql<MessageGroupRow[]>`
    select g.name,
           c.next_offset is null or c.next_offset > ${ref.offset} or coalesce(c.resolved @> ${ref.offset}::bigint, false) as consumed,
           case when c.lease_id is not null and c.lease_expires_at > clock_timestamp() then c.lease_expires_at end as lease_expires_at
    from queen.consumer_groups g
    left join lateral (
      select c.* from queen.cursors c
      where c.queue_id = ${ref.queueId} and c.partition_id = ${ref.partitionId} and c.group_id = g.id
      order by c.generation desc limit 1
    ) c on true
    where g.queue_id = ${ref.queueId} and g.active
    order by g.name`;
}

/** A group that gave up on a message. */
export interface MessageFailureRow {
  error: string;
  failure_count: number;
}

/** The dead letters of one message, latest first. Rides on dead_letters_pkey. */
export function messageFailures(sql: Sql, ref: MessageRef): Promise<MessageFailureRow[]> {
  return sql<MessageFailureRow[]>`
    select d.error, d.failure_count
    from queen.dead_letters d
    where d.queue_id = ${ref.queueId} and d.partition_id = ${ref.partitionId} and d.message_offset = ${ref.offset}
    order by d.failed_at desc`;
}

/**
 * Deletes a message with everything that refers to it; a tombstone stands in its place in the log.
 *
 * @remarks
 * Locks the queue (shared), the partition, then its cursors by group. A lease that has nothing left is given back.
 * Idempotent.
 * @returns Whether it was there.
 */
export async function messageDelete(sql: Sql, ref: MessageRef): Promise<boolean> {
  const [row] = await sql<{ deleted: boolean }[]>`
    select queen.message_delete(${ref.queueId}, ${ref.partitionId}, ${ref.offset}) as deleted`;
  return row!.deleted;
}

/** See {@link messageRetry}. */
export type RetryOutcome = "reopened" | "readied" | "nothing" | "missing";

/**
 * Gives a dead-lettered message back to its groups, with fresh attempts; one that waits for its next attempt is made
 * ready.
 *
 * @remarks Locks the queue and the partition (shared), then its cursors by group. Idempotent.
 * @returns `nothing` when it is neither.
 */
export async function messageRetry(sql: Sql, ref: MessageRef): Promise<RetryOutcome> {
  const [row] = await sql<{ outcome: RetryOutcome }[]>`
    select queen.message_retry(${ref.queueId}, ${ref.partitionId}, ${ref.offset}) as outcome`;
  return row!.outcome;
}

/**
 * Dead-letters a message for every group that has it open.
 *
 * @remarks Locks the queue and the partition (shared), then its cursors by group. Idempotent.
 * @returns For how many groups; null when the message is gone.
 */
export async function messageDeadLetter(sql: Sql, ref: MessageRef, error: string): Promise<number | null> {
  const [row] = await sql<{ groups: number | null }[]>`
    select queen.message_dead_letter(${ref.queueId}, ${ref.partitionId}, ${ref.offset}, ${error}) as groups`;
  return row!.groups;
}
