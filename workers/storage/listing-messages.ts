/**
 * Statements that list messages, newest first. They lock nothing, and read no bodies.
 *
 * @module
 */

import { QUEUE_MODE_GROUP } from "../../schema/wire/limits.ts";
import type { Sql } from "./database.ts";
import { type QueueFilter, queueCondition } from "./listing-counts.ts";
import { arrayOf } from "./literals.ts";
import type { MessageRef } from "./messages.ts";

/** Which messages are meant. */
export interface MessageFilter extends QueueFilter {
  /** Null: of any partition. */
  partition: string | null;
  /** Null: whatever became of them. */
  status: "pending" | "processing" | "completed" | "dead_letter" | null;
}

/** Place of a segment in the order newest first. */
export interface SegmentKey {
  /** ISO 8601 with microseconds. */
  created_at: string;
  queue_id: number;
  partition_id: number;
  first_offset: number;
}

/** What to look at next. */
export interface MessageWalk {
  /** Creation in `[from, to)`, ISO timestamps. */
  from: string;
  to: string;
  /** Only what comes after this segment; null: from the newest on. */
  after: SegmentKey | null;
  segmentsMax: number;
  /** Of the messages that match, so many are passed over and so many wanted. */
  skip: number;
  take: number;
}

/** A segment that holds messages of the page. */
export interface MessageRunRow extends SegmentKey {
  raw_bytes: number;
  queue: string;
  namespace: string;
  task: string;
  priority: number;
  partition: string;
  /** Multirange of the offsets that match. */
  matched: string;
  /** How many messages of newer segments of this step match. */
  before: number;
}

/** What a step found. */
export interface MessageWalkRow {
  segments: number;
  /** Messages that match, in all segments of the step. */
  messages: number;
  last: SegmentKey | null;
  runs: MessageRunRow[];
}

/**
 * Looks at the next segments, newest first, and finds those of their messages that match.
 *
 * @remarks
 * Rides on segments_created, with a partition on segments_pkey, for dead letters on dead_letters_failed, and for what is being
 * processed on cursors_ready. Visits up to `segmentsMax` segments a queue, and with a status the cursors of their partitions.
 */
export async function messageWalk(sql: Sql, filter: MessageFilter, walk: MessageWalk): Promise<MessageWalkRow> {
  const newest = sql`order by w.created_at desc, w.queue_id desc, w.partition_id desc, w.first_offset desc`;
  const rows = await sql<(MessageRunRow & Summary)[]>`
    with walk as materialized (
      select w.* from (${walkedSegments(sql, filter, walk)}) w ${newest} limit ${walk.segmentsMax}
    ), queues as materialized (${queuesOfWalk(sql)}), parts as materialized (${partitionsOfWalk(sql, filter.status)}),
    judged as (
      select w.*, p.name as partition,
             ${simpleMatch(sql, filter.status, "from")} as simple_from, ${simpleMatch(sql, filter.status, "to")} as simple_end,
             case when p.open is not null or s.stones is not null or d.dead is not null then ${match(sql, filter.status)} end as matched
      from walk w
      -- Both sides have the same partitions. A full join is never carried out as a loop within a loop, whatever the planner expects.
      full join parts p on p.queue_id = w.queue_id and p.partition_id = w.partition_id
      left join lateral (
        select range_agg(int8range(t.message_offset, t.message_offset + 1)) as stones from queen.tombstones t
        where p.has_stones and t.queue_id = w.queue_id and t.partition_id = w.partition_id
          and t.message_offset >= w.first_offset and t.message_offset < w.end_offset
      ) s on true
      left join lateral (
        select range_agg(int8range(d.message_offset, d.message_offset + 1)) as dead from queen.dead_letters d
        where p.has_dead and d.queue_id = w.queue_id and d.partition_id = w.partition_id and d.group_id = any (p.groups)
          and d.message_offset >= w.first_offset and d.message_offset < w.end_offset
      ) d on true
    ), counted as (
      select w.*, case when w.matched is null then greatest(w.simple_end - w.simple_from, 0) else queen.offsets_count(w.matched) end as n
      from judged w
    ), summed as (
      select w.*, (sum(w.n) over (${newest} rows unbounded preceding) - w.n)::bigint as before from counted w
    ), summary as (
      select count(*) as segments, coalesce(sum(s.n), 0)::bigint as messages from summed s
    )
    select t.segments, t.messages, l.created_at as last_at, l.queue_id as last_queue, l.partition_id as last_partition,
           l.first_offset as last_offset, w.created_at, w.queue_id, w.partition_id, w.first_offset, w.raw_bytes, w.partition, w.before,
           coalesce(w.matched, int8multirange(int8range(w.simple_from, w.simple_end)))::text as matched,
           q.name as queue, q.namespace, q.task, q.priority
    from summary t
    left join lateral (
      select w.* from walk w order by w.created_at, w.queue_id, w.partition_id, w.first_offset limit 1
    ) l on true
    left join summed w on w.n > 0 and w.before + w.n > ${walk.skip}::bigint and w.before < ${walk.skip + walk.take}::bigint
    left join queen.queues q on q.id = w.queue_id
    ${newest}`;
  const { segments, messages, last_at, last_queue, last_partition, last_offset } = rows[0]!;
  const last =
    last_at === null
      ? null
      : { created_at: last_at, queue_id: last_queue!, partition_id: last_partition!, first_offset: last_offset! };
  return { segments, messages, last, runs: rows.filter((row) => row.queue_id !== null) };
}

/**
 * Has the statements of this transaction planned for their parameters: a plan for any of them would not know how few
 * segments a step wants, nor how large the queue is.
 */
export async function planForParameters(sql: Sql): Promise<void> {
  await sql`select set_config('plan_cache_mode', 'force_custom_plan', true)`;
}

interface Summary {
  segments: number;
  messages: number;
  last_at: string | null;
  last_queue: number | null;
  last_partition: number | null;
  last_offset: number | null;
}

/** The segments in question, newest first in each queue. */
function walkedSegments(sql: Sql, filter: MessageFilter, walk: MessageWalk) {
  const { from, to, after, segmentsMax } = walk;
  const window = sql`
    s.created_at >= ${from}::timestamptz and s.created_at < ${to}::timestamptz
    ${
      after === null
        ? sql``
        : sql`and s.created_at <= ${after.created_at}::timestamptz and (s.created_at, s.queue_id, s.partition_id, s.first_offset)
          < (${after.created_at}::timestamptz, ${after.queue_id}::integer, ${after.partition_id}::bigint, ${after.first_offset}::bigint)`
    }`;
  const columns = sql`s.queue_id, s.partition_id, s.first_offset, s.first_offset + s.message_count as end_offset, s.created_at, s.raw_bytes`;
  const partition =
    filter.partition === null
      ? sql``
      : sql`cross join lateral (
          select p.id from queen.partitions p where p.queue_id = q.id and p.name = ${filter.partition} limit 1
        ) p`;
  const inPartition = filter.partition === null ? sql`` : sql`and s.partition_id = p.id`;
  const queues = sql`queen.queues q ${partition}`;
  if (filter.status === "dead_letter") {
    const ofPartition = filter.partition === null ? sql`` : sql`and d.partition_id = p.id`;
    // A message fails after it was made.
    return sql`
      select distinct ${columns}
      from ${queues}
      join queen.dead_letters d on d.queue_id = q.id and d.failed_at >= ${from}::timestamptz ${ofPartition}
      cross join lateral (
        select s.* from queen.segments s
        where s.queue_id = q.id and s.partition_id = d.partition_id and s.first_offset <= d.message_offset
        order by s.first_offset desc limit 1
      ) s
      where ${window} ${queueCondition(sql, filter)}`;
  }
  if (filter.status === "processing") {
    const ofPartition = filter.partition === null ? sql`` : sql`and c.partition_id = p.id`;
    // Only what is left of partitions under a live lease, and such a cursor is ready when its lease ends.
    return sql`
      select s.*
      from ${queues}
      join queen.consumer_groups g on g.queue_id = q.id and g.name = ${QUEUE_MODE_GROUP} and g.active
      join queen.cursors c on c.queue_id = q.id and c.group_id = g.id and c.ready_at > statement_timestamp() and c.ready_at < 'infinity'
        and c.lease_id is not null ${ofPartition}
      cross join lateral (
        select ${columns} from queen.segments s
        where s.queue_id = q.id and s.partition_id = c.partition_id and ${window} and s.first_offset >= coalesce((
          select f.first_offset from queen.segments f
          where f.queue_id = q.id and f.partition_id = c.partition_id and f.first_offset <= c.next_offset
          order by f.first_offset desc limit 1
        ), 0)
        order by s.first_offset desc limit ${segmentsMax}
      ) s
      where true ${queueCondition(sql, filter)}`;
  }
  const order =
    filter.partition === null
      ? sql`s.created_at desc, s.partition_id desc, s.first_offset desc`
      : sql`s.first_offset desc`;
  return sql`
    select s.*
    from ${queues}
    cross join lateral (
      select ${columns} from queen.segments s where s.queue_id = q.id ${inPartition} and ${window}
      order by ${order} limit ${segmentsMax}
    ) s
    where true ${queueCondition(sql, filter)}`;
}

/** The queues of the step: their active groups, and whether they have dead letters. */
function queuesOfWalk(sql: Sql) {
  return sql`
    select u.queue_id, g.all_groups,
           case when m.queue_mode is not null then array[m.queue_mode] else g.named end as deciding, m.queue_mode is not null as has_queue_mode,
           exists (select from queen.dead_letters d where d.queue_id = u.queue_id) as has_dead
    from (select distinct w.queue_id from walk w) u
    cross join lateral (
      select array(select g.id from queen.consumer_groups g where g.queue_id = u.queue_id) as all_groups,
             array(select g.id from queen.consumer_groups g where g.queue_id = u.queue_id and g.active) as named
    ) g
    left join lateral (
      select g.id as queue_mode from queen.consumer_groups g
      where g.queue_id = u.queue_id and g.name = ${QUEUE_MODE_GROUP} and g.active
    ) m on true`;
}

/**
 * The partitions of the step: from where on messages are open to the groups that decide their status, as a multirange where that is not
 * all. Without any group everything is open; a group without a cursor has nothing open.
 */
function partitionsOfWalk(sql: Sql, status: MessageFilter["status"]) {
  const cursors = sql`
      select min(c.next_offset) as open_from, bool_or(c.resolved is not null) as jumps,
             bool_or(c.lease_id is not null and c.lease_expires_at > statement_timestamp()) as leased
      from queen.cursors c
      where c.queue_id = w.queue_id and c.partition_id = w.partition_id and c.group_id = any (q.deciding)`;
  const undecided = sql`select 0::bigint as open_from, false as jumps, false as leased`;
  return sql`
    select w.queue_id, w.partition_id, p.name, p.tombstone_count > 0 as has_stones, q.has_dead, q.all_groups as groups,
           case when q.deciding = '{}' then 0 else coalesce(c.open_from, 9223372036854775807) end as open_from,
           case when c.jumps then (
             select range_agg(o.open) from queen.cursors c
             cross join lateral unnest(int8multirange(int8range(c.next_offset, null)) - coalesce(c.resolved, '{}')) o(open)
             where c.queue_id = w.queue_id and c.partition_id = w.partition_id and c.group_id = any (q.deciding)
           ) end as open,
           q.has_queue_mode and coalesce(c.leased, false) as leased
    from (select distinct w.queue_id, w.partition_id from walk w) w
    full join queues q on q.queue_id = w.queue_id
    cross join lateral (
      select p.name, p.tombstone_count from queen.partitions p where p.queue_id = w.queue_id and p.id = w.partition_id
      order by p.generation desc limit 1
    ) p
    cross join lateral (${status === null || status === "dead_letter" ? undecided : cursors}) c`;
}

/** Offsets that match, in a segment without dead letters, deleted messages, or any resolved out of turn. */
function simpleMatch(sql: Sql, status: MessageFilter["status"], end: "from" | "to") {
  const all = end === "from" ? sql`w.first_offset` : sql`w.end_offset`;
  if (status === null) return all;
  if (status === "dead_letter") return sql`w.first_offset`;
  if (status === "completed") return end === "from" ? all : sql`least(w.end_offset, p.open_from)`;
  const wrong = status === "pending" ? sql`p.leased` : sql`not p.leased`;
  return end === "from"
    ? sql`case when ${wrong} then w.end_offset else greatest(w.first_offset, p.open_from) end`
    : all;
}

/** Offsets that match, in any segment. */
function match(sql: Sql, status: MessageFilter["status"]) {
  const kept = sql`(int8multirange(int8range(w.first_offset, w.end_offset)) - coalesce(s.stones, '{}'))`;
  const open = sql`coalesce(p.open, int8multirange(int8range(p.open_from, null)))`;
  const dead = sql`coalesce(d.dead, '{}')`;
  if (status === null) return kept;
  if (status === "dead_letter") return sql`${kept} * ${dead}`;
  if (status === "completed") return sql`${kept} - ${open} - ${dead}`;
  const wrong = status === "pending" ? sql`p.leased` : sql`not p.leased`;
  return sql`case when ${wrong} then '{}' else ${kept} * ${open} - ${dead} end`;
}

/** Where an active group stands on a partition. */
export interface PartitionGroupRow {
  queue_id: number;
  partition_id: number;
  group_id: number;
  name: string;
  /** Null without a cursor: the group has nothing to consume there. */
  next_offset: number | null;
  /** Multirange of the offsets after it that are resolved, or null. */
  resolved: string | null;
  /** ISO 8601 with microseconds; null without a live lease. */
  lease_expires_at: string | null;
}

/** Where all active groups of their queues stand on partitions. One probe of cursors_pkey a partition and group. */
export function partitionGroups(
  sql: Sql,
  refs: readonly { queue_id: number; partition_id: number }[],
): Promise<PartitionGroupRow[]> {
  return sql<PartitionGroupRow[]>`
    select r.queue_id, r.partition_id, g.id as group_id, g.name, c.next_offset, c.resolved::text as resolved,
           case when c.lease_id is not null and c.lease_expires_at > statement_timestamp() then c.lease_expires_at end as lease_expires_at
    from unnest(${arrayOf(refs.map((r) => r.queue_id))}::integer[], ${arrayOf(refs.map((r) => r.partition_id))}::bigint[])
      r(queue_id, partition_id)
    join queen.consumer_groups g on g.queue_id = r.queue_id and g.active
    left join lateral (
      select c.* from queen.cursors c where c.queue_id = r.queue_id and c.partition_id = r.partition_id and c.group_id = g.id
      order by c.generation desc limit 1
    ) c on true`;
}

/** Which groups gave up on which of the messages; `ref` is a 0-based position in `refs`. Rides on dead_letters_pkey. */
export function deadLettersOf(
  sql: Sql,
  refs: readonly MessageRef[],
): Promise<{ ref: number; group_id: number; error: string; failure_count: number }[]> {
  return sql<{ ref: number; group_id: number; error: string; failure_count: number }[]>`
    select (r.ord - 1)::integer as ref, d.group_id, d.error, d.failure_count
    from unnest(
      ${arrayOf(refs.map((r) => r.queueId))}::integer[], ${arrayOf(refs.map((r) => r.partitionId))}::bigint[],
      ${arrayOf(refs.map((r) => r.offset))}::bigint[]
    ) with ordinality r(queue_id, partition_id, message_offset, ord)
    join queen.dead_letters d on d.queue_id = r.queue_id and d.partition_id = r.partition_id and d.message_offset = r.message_offset
      and d.group_id = any (array(select g.id from queen.consumer_groups g where g.queue_id = r.queue_id))`;
}

/** How the queues that match are consumed: whether by consumers without a group, and by how many groups of different names. */
export async function consumptionMode(
  sql: Sql,
  filter: QueueFilter,
): Promise<{ has_queue_mode: boolean; named_groups: number }> {
  const [row] = await sql<{ has_queue_mode: boolean; named_groups: number }[]>`
    select coalesce(bool_or(g.name = ${QUEUE_MODE_GROUP}), false) as has_queue_mode,
           count(distinct g.name) filter (where g.name <> ${QUEUE_MODE_GROUP}) as named_groups
    from queen.queues q
    join queen.consumer_groups g on g.queue_id = q.id and g.active
    where true ${queueCondition(sql, filter)}`;
  return row!;
}
