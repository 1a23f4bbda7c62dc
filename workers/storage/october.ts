/**
 * Statements of the October 2025 dialect: messages named by transaction id alone, and what is said of them.
 *
 * @module
 */

import type { Sql } from "./database.ts";
import { arrayOf, instantOf, multirange, type OffsetRanges, textArray } from "./literals.ts";

/** Most places that one transaction id is looked for at: ids are meant to be unique. */
const PLACES_MAX = 20;

/** A message that has a transaction id, by number. */
export interface OctoberPlaceRow {
  /** 0-based position in the keys of the call. */
  at: number;
  queue_id: number;
  partition_id: number;
  message_offset: number;
}

/**
 * Where the messages with these transaction ids lie, as far as the dialect has noted them. Some may be gone.
 *
 * @remarks One probe of october_messages_pkey a key. Locks nothing.
 * @returns By position.
 */
export function octoberFind(sql: Sql, keys: readonly string[]): Promise<OctoberPlaceRow[]> {
  return sql<OctoberPlaceRow[]>`
    select (u.ord - 1)::integer as at, m.queue_id, m.partition_id, m.message_offset
    from unnest(${arrayOf(keys)}::uuid[]) with ordinality u(key, ord)
    cross join lateral (
      select m.* from queen.october_messages m where m.key = u.key limit ${PLACES_MAX}
    ) m
    order by u.ord`;
}

/** A partition as one group sees it. */
export interface OctoberPartitionRow {
  queue_id: number;
  partition_id: number;
  tail: number;
  head: number;
  tombstone_count: number;
  /** Null when the queue does not have the group. */
  group_id: number | null;
  /** First offset that is not resolved; null without a cursor. */
  next_offset: number | null;
  /** Range of the live lease; null without one. */
  lease_first: number | null;
  lease_end: number | null;
}

/**
 * How partitions stand, and what a group holds of them.
 *
 * @remarks A probe each of partitions_pkey, consumer_groups_name and cursors_pkey for every partition. Locks nothing.
 * @returns Any order; partitions that are gone are left out.
 */
export function octoberPartitions(
  sql: Sql,
  partitions: readonly { queueId: number; partitionId: number }[],
  group: string,
): Promise<OctoberPartitionRow[]> {
  return sql<OctoberPartitionRow[]>`
    select u.queue_id, u.partition_id, p.tail, p.head, p.tombstone_count, g.id as group_id, c.next_offset,
           case when c.lease_id is not null and c.lease_expires_at > clock_timestamp() then c.lease_first end as lease_first,
           case when c.lease_id is not null and c.lease_expires_at > clock_timestamp() then c.lease_end end as lease_end
    from unnest(
      ${arrayOf(partitions.map((p) => p.queueId))}::integer[], ${arrayOf(partitions.map((p) => p.partitionId))}::bigint[]
    ) u(queue_id, partition_id)
    join queen.queues q on q.id = u.queue_id
    cross join lateral (
      select p.* from queen.partitions p where p.queue_id = u.queue_id and p.id = u.partition_id
      order by p.generation desc limit 1
    ) p
    left join queen.consumer_groups g on g.queue_id = u.queue_id and g.name = ${group}
    left join lateral (
      select c.* from queen.cursors c
      where c.queue_id = u.queue_id and c.partition_id = u.partition_id and c.group_id = g.id
      order by c.generation desc limit 1
    ) c on true`;
}

/** A segment as far as one push filled it. */
export interface PushedSegment {
  queueId: number;
  partitionId: number;
  /** Where its first message lies that the push brought, and how many it brought. */
  from: number;
  count: number;
}

/**
 * Notes where messages lie that were just pushed, and which segments hold no others: a pop need not note those again.
 *
 * @remarks Idempotent. Rows must come sorted by place, the order of the locks.
 */
export async function octoberRecord(
  sql: Sql,
  rows: readonly { key: string; queueId: number; partitionId: number; offset: number }[],
  segments: readonly PushedSegment[] = [],
): Promise<void> {
  await sql`
    with whole as (
      insert into queen.october_segments (queue_id, partition_id, first_offset)
      select u.queue_id, u.partition_id, u.first_offset
      from unnest(
        ${arrayOf(segments.map((s) => s.queueId))}::integer[], ${arrayOf(segments.map((s) => s.partitionId))}::bigint[],
        ${arrayOf(segments.map((s) => s.from))}::bigint[], ${arrayOf(segments.map((s) => s.count))}::integer[]
      ) u(queue_id, partition_id, first_offset, message_count)
      cross join lateral (
        select s.message_count from queen.segments s
        where s.queue_id = u.queue_id and s.partition_id = u.partition_id and s.first_offset = u.first_offset limit 1
      ) s
      where s.message_count = u.message_count
      on conflict do nothing
    )
    insert into queen.october_messages (key, queue_id, partition_id, message_offset)
    select u.* from unnest(
      ${arrayOf(rows.map((r) => r.key))}::uuid[], ${arrayOf(rows.map((r) => r.queueId))}::integer[],
      ${arrayOf(rows.map((r) => r.partitionId))}::bigint[], ${arrayOf(rows.map((r) => r.offset))}::bigint[]
    ) u
    on conflict do nothing`;
}

/** How often a message failed for a group. */
export interface OctoberRetryRow {
  partition_id: number;
  message_offset: number;
  failure_count: number;
}

/**
 * Notes where the messages of segments lie, and reads how often the messages of ranges failed for a group.
 *
 * @remarks Idempotent. `segments` must be sorted by partition and offset. Rides on segments_pkey and retries_pkey.
 * @returns A row for each message of the ranges that failed.
 */
export function octoberNote(
  sql: Sql,
  args: {
    queueId: number;
    groupId: number;
    segments: readonly { partitionId: number; firstOffset: number }[];
    ranges: readonly { partitionId: number; from: number; to: number }[];
  },
): Promise<OctoberRetryRow[]> {
  const { queueId, groupId, segments, ranges } = args;
  return sql<OctoberRetryRow[]>`
    select * from queen.october_note(
      ${queueId}, ${groupId}, ${arrayOf(segments.map((s) => s.partitionId))}, ${arrayOf(segments.map((s) => s.firstOffset))},
      ${arrayOf(ranges.map((r) => r.partitionId))}, ${arrayOf(ranges.map((r) => r.from))}, ${arrayOf(ranges.map((r) => r.to))}
    )`;
}

/** A row of the answer of {@link octoberAcknowledge}. */
export interface OctoberAcknowledgeRow {
  /** Null in the one row that is about the lease. */
  message_offset: number | null;
  status: "completed" | "failed" | "dead_letter" | null;
  released: boolean | null;
}

/**
 * Records what is said of messages under one cursor, by the rules of the dialect.
 *
 * @remarks Locks the cursor, then its partition when it became drained. Idempotent while the lease stands.
 * @returns A row for each failed offset, and for each completed one that is something else already; and one about the lease.
 */
export function octoberAcknowledge(
  sql: Sql,
  entry: {
    queueId: number;
    partitionId: number;
    groupId: number;
    done: OffsetRanges;
    failed: readonly { offset: number; error: string | null }[];
  },
): Promise<OctoberAcknowledgeRow[]> {
  return sql<OctoberAcknowledgeRow[]>`
    select * from queen.october_acknowledge(
      ${entry.queueId}, ${entry.partitionId}, ${entry.groupId}, ${multirange(entry.done)},
      ${arrayOf(entry.failed.map((f) => f.offset))}, ${textArray(entry.failed.map((f) => f.error))}
    )`;
}

/**
 * Dead-letters a message for the groups for which it failed.
 *
 * @remarks Locks the queue and the partition (shared), then its cursors by group. Idempotent.
 * @returns For how many groups; null when the message is gone.
 */
export async function octoberDeadLetter(
  sql: Sql,
  ref: { queueId: number; partitionId: number; offset: number },
  error: string,
): Promise<number | null> {
  const [row] = await sql<{ groups: number | null }[]>`
    select queen.october_dead_letter(${ref.queueId}, ${ref.partitionId}, ${ref.offset}, ${error}) as groups`;
  return row!.groups;
}

/** What a message is to one group that has a cursor on its partition. */
export interface OctoberStatusRow {
  name: string;
  status: "pending" | "processing" | "completed" | "failed" | "dead_letter";
  retry_count: number;
  error: string | null;
  /** Instants as ISO 8601 with microseconds. */
  failed_at: string | null;
  lease_expires_at: string | null;
}

/**
 * What messages are to each group.
 *
 * @remarks Rides on cursors_pkey, retries_pkey, dead_letters_pkey and october_answers_pkey. Locks nothing.
 * @returns By position of the message in `refs`, then by name of the group; groups with nothing to consume there are left out.
 */
export function octoberStatuses(
  sql: Sql,
  refs: readonly { queueId: number; partitionId: number; offset: number }[],
): Promise<({ at: number } & OctoberStatusRow)[]> {
  return sql<({ at: number } & OctoberStatusRow)[]>`
    select (u.ord - 1)::integer as at, g.name,
           case when d.error is not null then 'dead_letter'
                when c.next_offset > u.message_offset or coalesce(c.resolved @> u.message_offset, false) then 'completed'
                when c.lease_expires_at > clock_timestamp() and u.message_offset >= c.lease_first and u.message_offset < c.lease_end
                     and not coalesce(a.failed @> u.message_offset, false) then 'processing'
                when t.failure_count > 0 then 'failed'
                else 'pending' end as status,
           coalesce(d.failure_count, t.failure_count, 0) as retry_count, coalesce(d.error, t.error) as error,
           coalesce(d.failed_at, case when t.failure_count > 0 then t.failed_at end) as failed_at,
           case when c.lease_expires_at > clock_timestamp() and u.message_offset >= c.lease_first and u.message_offset < c.lease_end
                then c.lease_expires_at end as lease_expires_at
    from unnest(
      ${arrayOf(refs.map((r) => r.queueId))}::integer[], ${arrayOf(refs.map((r) => r.partitionId))}::bigint[],
      ${arrayOf(refs.map((r) => r.offset))}::bigint[]
    ) with ordinality u(queue_id, partition_id, message_offset, ord)
    join queen.consumer_groups g on g.queue_id = u.queue_id
    cross join lateral (
      select c.* from queen.cursors c
      where c.queue_id = u.queue_id and c.partition_id = u.partition_id and c.group_id = g.id
      order by c.generation desc limit 1
    ) c
    left join queen.retries t on t.queue_id = u.queue_id and t.partition_id = u.partition_id and t.group_id = g.id
      and t.message_offset = u.message_offset
    left join queen.dead_letters d on d.queue_id = u.queue_id and d.partition_id = u.partition_id and d.group_id = g.id
      and d.message_offset = u.message_offset
    left join queen.october_answers a on a.queue_id = u.queue_id and a.partition_id = u.partition_id and a.group_id = g.id
      and a.lease_id = c.lease_id
    where g.active or d.error is not null
    order by u.ord, g.name`;
}

/** Most queues, segments of a queue and partitions that a search looks at. */
const SEARCH = { queues: 1_000, segments: 500, partitions: 20_000, found: 20 } as const;
/** How long before and after its id was drawn a message may have been stored, in seconds. */
const DRAWN_BEFORE_S = 60;
const DRAWN_AFTER_S = 600;

/**
 * Segments that may hold a message with a time-ordered transaction id, among those stored around the time it was drawn.
 *
 * @remarks Rides on segments_created, bounded in queues and segments. Locks nothing.
 * @param drawnAtMs - Milliseconds since 1970.
 */
export function octoberSearchOrdered(
  sql: Sql,
  key: string,
  drawnAtMs: number,
): Promise<{ queue_id: number; partition_id: number; first_offset: number; tx_keys: Buffer }[]> {
  const drawnAt = instantOf(Math.min(drawnAtMs, TIME_MS_MAX));
  return sql<{ queue_id: number; partition_id: number; first_offset: number; tx_keys: Buffer }[]>`
    select s.queue_id, s.partition_id, s.first_offset, s.tx_keys
    from (select q.id from queen.queues q order by q.id desc limit ${SEARCH.queues}) q
    cross join lateral (
      select s.* from queen.segments s
      where s.queue_id = q.id and s.created_at >= ${drawnAt}::timestamptz - make_interval(secs => ${DRAWN_BEFORE_S})
        and s.created_at < ${drawnAt}::timestamptz + make_interval(secs => ${DRAWN_AFTER_S})
      order by s.created_at limit ${SEARCH.segments}
    ) s
    where s.tx_max >= ${key} and s.tx_min <= ${key}
    limit ${SEARCH.found}`;
}

/** The last instant that both clocks know. */
const TIME_MS_MAX = Date.UTC(9999, 0, 1);

/**
 * Messages with a transaction id that is not time-ordered.
 *
 * @remarks A probe of transaction_keys_pkey a partition, bounded in partitions. Locks nothing.
 */
export function octoberSearchOther(
  sql: Sql,
  key: string,
): Promise<{ queue_id: number; partition_id: number; message_offset: number }[]> {
  return sql<{ queue_id: number; partition_id: number; message_offset: number }[]>`
    select k.queue_id, k.partition_id, k.message_offset
    from (
      select p.queue_id, p.id from queen.partitions p order by p.queue_id desc, p.id desc limit ${SEARCH.partitions}
    ) p
    cross join lateral (
      select k.* from queen.transaction_keys k where k.queue_id = p.queue_id and k.partition_id = p.id and k.key = ${key} limit 1
    ) k
    limit ${SEARCH.found}`;
}
