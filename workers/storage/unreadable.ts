/**
 * Statements over cursors whose messages were claimed and then could not be read.
 *
 * @module
 */

import type { Sql } from "./database.ts";
import { arrayOf, textArray } from "./literals.ts";

/** What was claimed on one partition: offsets `[firstOffset, endOffset)` less `skip`, a multirange as text. */
export interface UnreadableClaim {
  partitionId: number;
  firstOffset: number;
  endOffset: number;
  skip: string;
  /** Null when it was claimed as consumed at once. */
  leaseId: string | null;
}

/**
 * Undoes claims of one queue and group: what was leased, or counted as consumed, is to be delivered again, and not before a
 * pause is over.
 *
 * @remarks
 * Locks the cursors by partition. What others claimed there since stays claimed. A cursor whose lease is another's by now is
 * left alone. Idempotent.
 *
 * @param pauseS - In seconds.
 * @throws The driver's error; nothing was written then, unless the connection was lost.
 */
export async function cursorSetAside(
  sql: Sql,
  args: { queueId: number; groupId: number; claims: readonly UnreadableClaim[]; pauseS: number },
): Promise<void> {
  const { claims, groupId, pauseS, queueId } = args;
  await sql`
    with claimed as (
      select * from unnest(
        ${arrayOf(claims.map((c) => c.partitionId))}::bigint[], ${arrayOf(claims.map((c) => c.firstOffset))}::bigint[],
        ${arrayOf(claims.map((c) => c.endOffset))}::bigint[], ${textArray(claims.map((c) => c.skip))}::int8multirange[],
        ${arrayOf(claims.map((c) => c.leaseId))}::uuid[]
      ) u(partition_id, first_offset, end_offset, skip, lease_id)
    ), locked as materialized (
      select c.ctid as at, u.*, least(c.next_offset, u.first_offset) as next_offset, c.next_offset as reached
      from claimed u
      join queen.cursors c on c.queue_id = ${queueId} and c.partition_id = u.partition_id and c.group_id = ${groupId}
      where c.lease_id is not distinct from u.lease_id or u.lease_id is null
      order by c.partition_id
      for update of c
    )
    update queen.cursors c
    set next_offset = l.next_offset,
        ready_at = case when c.lease_id is distinct from l.lease_id and c.lease_expires_at > clock_timestamp() then c.ready_at
                   else clock_timestamp() + make_interval(secs => ${pauseS}) end,
        lease_expires_at = case when c.lease_id = l.lease_id then clock_timestamp() + make_interval(secs => ${pauseS})
                           else c.lease_expires_at end,
        resolved = case when l.lease_id is not null then c.resolved else nullif(
          (coalesce(c.resolved, '{}') + int8multirange(int8range(l.next_offset, l.reached))
            - int8multirange(int8range(l.first_offset, l.end_offset)) + l.skip)
          * int8multirange(int8range(l.next_offset, null)), '{}') end,
        consumed_count = case when l.lease_id is not null or l.reached < l.end_offset then c.consumed_count
          else greatest(0, c.consumed_count - (l.end_offset - l.first_offset) + queen.offsets_count(l.skip)) end
    from locked l
    where c.ctid = l.at`;
}
