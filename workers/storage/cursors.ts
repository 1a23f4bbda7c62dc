/**
 * Statements over cursors: claiming, acknowledging, extending leases, and when there will be more.
 *
 * @module
 */

import type { Sql } from "./database.ts";
import { arrayOf, booleanArray, instantOf, multirange, type OffsetRanges, textArray } from "./literals.ts";

/** A place for one partition in the answer of a pop; the slots of a pop stand together. */
export interface ClaimSlot {
  /** Number of the pop within the call. */
  pop: number;
  /** Budget of the pop, in messages, over all its slots. */
  batch: number;
  leaseId: string | null;
}

/** One partition that was claimed. */
export interface ClaimRow {
  pop: number;
  partition_id: number;
  partition_name: string;
  /** Offsets `[first_offset, end_offset)` less `skip` (a multirange as text). */
  first_offset: number;
  end_offset: number;
  skip: string;
  lease_expires_at: string | null;
  tail: number;
  /** Since when there was something, as ISO 8601. */
  ready_at: string;
}

/**
 * Claims partitions of one queue for pops of one group.
 *
 * @remarks
 * Locks cursors, skipping those that others hold; then, for cursors found drained, their partitions, skipping too. Rides
 * on cursors_ready, or cursors_pkey with `partitionId`. Not idempotent: a repeat claims further partitions.
 *
 * @param partitionId - Only this partition, or null for any that is ready, longest ready first.
 * @param floor - Cursors that became ready before are not looked at, milliseconds since 1970; -Infinity: all are.
 * @returns In order of the slots. Empty when nothing can be delivered now.
 */
export function cursorClaim(
  sql: Sql,
  args: {
    queueId: number;
    groupId: number;
    partitionId: number | null;
    autoAck: boolean;
    slots: readonly ClaimSlot[];
    floor?: number;
  },
): Promise<ClaimRow[]> {
  const { slots } = args;
  return sql<ClaimRow[]>`
    select * from queen.cursor_claim(
      ${args.queueId}, ${args.groupId}, ${args.partitionId}, ${args.autoAck},
      ${arrayOf(slots.map((s) => s.pop))}, ${arrayOf(slots.map((s) => s.batch))}, ${arrayOf(slots.map((s) => s.leaseId))},
      ${instantOf(args.floor ?? -Infinity)}
    )`;
}

/** What is said of messages under one cursor. */
export interface Acknowledge {
  queueId: number;
  partitionId: number;
  groupId: number;
  /** Null: not checked. */
  leaseId: string | null;
  done: OffsetRanges;
  /** Offsets whose consumer gives the lease back. */
  released: OffsetRanges;
  failed: { offset: number; error: string | null; final: boolean }[];
}

/** A row of the answer of {@link cursorAcknowledge}. */
export interface AcknowledgeRow {
  /** 1-based position in the entries of the call. */
  entry: number;
  outcome: "recorded" | "lease" | "missing" | "dead";
  released: boolean | null;
  /** With `dead`: a failed offset that was dead-lettered. */
  message_offset: number | null;
}

/**
 * Records acknowledgements, one entry a cursor.
 *
 * @remarks
 * Entries must be sorted by (queueId, partitionId, groupId): the lock order of the cursors. Then partitions of cursors
 * that became drained, skipping locked ones. Idempotent but for failures, which count again.
 *
 * @throws The driver's error; the outcome is unknown when the connection was lost, nothing was written otherwise.
 */
export function cursorAcknowledge(sql: Sql, entries: readonly Acknowledge[]): Promise<AcknowledgeRow[]> {
  const failed = entries.flatMap((entry, index) => entry.failed.map((f) => ({ entry: index + 1, ...f })));
  return sql<AcknowledgeRow[]>`
    select * from queen.cursor_acknowledge(
      ${arrayOf(entries.map((e) => e.queueId))}, ${arrayOf(entries.map((e) => e.partitionId))},
      ${arrayOf(entries.map((e) => e.groupId))}, ${arrayOf(entries.map((e) => e.leaseId))},
      ${textArray(entries.map((e) => multirange(e.done)))}, ${textArray(entries.map((e) => multirange(e.released)))},
      ${arrayOf(failed.map((f) => f.entry))}, ${arrayOf(failed.map((f) => f.offset))},
      ${textArray(failed.map((f) => f.error))}, ${booleanArray(failed.map((f) => f.final))}
    )`;
}

/**
 * Extends a lease on every partition it holds: the deadline becomes the later of the current one and now + `seconds`.
 *
 * @remarks Rides on cursors_ready: leased cursors are those of the group that become ready later.
 * @returns A row a partition held, with the new deadline; empty when the lease is not held (any more).
 */
export function leaseExtend(
  sql: Sql,
  args: { queueId: number; groupId: number; leaseId: string; seconds: number },
): Promise<{ lease_expires_at: string }[]> {
  return sql<{ lease_expires_at: string }[]>`
    update queen.cursors c
    set lease_expires_at = greatest(c.lease_expires_at, clock_timestamp() + make_interval(secs => ${args.seconds})),
        ready_at = greatest(c.lease_expires_at, clock_timestamp() + make_interval(secs => ${args.seconds}))
    where c.queue_id = ${args.queueId} and c.group_id = ${args.groupId} and c.lease_id = ${args.leaseId}
      and c.ready_at > clock_timestamp() and c.ready_at < 'infinity' and c.lease_expires_at > clock_timestamp()
    returning c.lease_expires_at`;
}

/** Whether an expired, unreleased lease of this id still stands on some cursor. */
export async function leaseExpired(
  sql: Sql,
  args: { queueId: number; groupId: number; leaseId: string },
): Promise<boolean> {
  const rows = await sql`
    select from queen.cursors c
    where c.queue_id = ${args.queueId} and c.group_id = ${args.groupId} and c.lease_id = ${args.leaseId}
      and c.ready_at < 'infinity' limit 1`;
  return rows.length > 0;
}

/**
 * When each of several groups may next have something to deliver, as far as that is soon.
 *
 * @remarks One index probe a pair, on cursors_ready, or on cursors_pkey for a pair that names its partition.
 * @param pairs - `floor` as of {@link cursorClaim}.
 * @param horizonMs - What is ready later than so many milliseconds from now does not count: entries of leases that were
 * given back long before their end may lie there, as dead as those below the floor.
 * @returns A row a pair that has any such cursor: `pair` is its 0-based position, `wait_ms` milliseconds from now, 0
 * or less when something is ready. And one row of `pair` -1, whose `wait_ms` is now in milliseconds since 1970.
 */
export function cursorNextReady(
  sql: Sql,
  pairs: readonly { queueId: number; groupId: number; partitionId: number | null; floor?: number }[],
  horizonMs: number,
): Promise<{ pair: number; wait_ms: number }[]> {
  return sql<{ pair: number; wait_ms: number }[]>`
    with waited as (
      select (u.ord - 1)::integer as pair, u.queue_id, u.group_id, u.partition_id, u.floor
      from unnest(
        ${arrayOf(pairs.map((p) => p.queueId))}::integer[], ${arrayOf(pairs.map((p) => p.groupId))}::integer[],
        ${arrayOf(pairs.map((p) => p.partitionId))}::bigint[],
        ${arrayOf(pairs.map((p) => instantOf(p.floor ?? -Infinity)))}::timestamptz[]
      ) with ordinality u(queue_id, group_id, partition_id, floor, ord)
    )
    select w.pair, (extract(epoch from c.ready_at - clock_timestamp()) * 1000)::float8 as wait_ms
    from waited w
    cross join lateral (
      select c.ready_at from queen.cursors c
      where c.queue_id = w.queue_id and c.group_id = w.group_id and c.ready_at >= w.floor and c.ready_at < 'infinity'
        and c.ready_at < now() + make_interval(secs => ${horizonMs / 1000})
      order by c.ready_at limit 1
    ) c
    where w.partition_id is null
    union all
    select w.pair, (extract(epoch from c.ready_at - clock_timestamp()) * 1000)::float8
    from waited w
    join queen.cursors c on c.queue_id = w.queue_id and c.partition_id = w.partition_id and c.group_id = w.group_id
    where w.partition_id is not null and c.ready_at < 'infinity'
    union all
    select -1, (extract(epoch from clock_timestamp()) * 1000)::float8`;
}

/** What is said of everything under one lease. */
export interface LeaseAcknowledge {
  queueId: number;
  groupId: number;
  leaseId: string;
  status: "completed" | "failed" | "dlq" | "retry";
  error: string;
  /** All partitions that the lease was given on, less those given back since; null: not known. */
  partitionIds: readonly number[] | null;
}

/** One partition that was given back. */
export interface LeaseAcknowledgeRow {
  /** 1-based position in the entries of the call. */
  entry: number;
  partition_id: number;
  /** Messages that were still open under the lease. */
  open_count: number;
  /** Those of them that were dead-lettered. */
  dead_count: number;
}

/**
 * Answers for everything under some leases and gives them back.
 *
 * @remarks
 * Rides on cursors_pkey where the partitions are known, else on cursors_ready. Locks cursors in order, then partitions that
 * became drained, skipping locked ones. A repeat finds the lease given back and changes nothing.
 *
 * @param entries - Each lease once.
 * @returns Nothing for a lease that is not held (any more).
 * @throws The driver's error; the outcome is unknown when the connection was lost, nothing was written otherwise.
 */
export function leaseAcknowledge(sql: Sql, entries: readonly LeaseAcknowledge[]): Promise<LeaseAcknowledgeRow[]> {
  const known = entries.flatMap((entry, at) => (entry.partitionIds ?? []).map((id) => ({ entry: at + 1, id })));
  return sql<LeaseAcknowledgeRow[]>`
    select * from queen.lease_acknowledge(
      ${arrayOf(entries.map((e) => e.queueId))}, ${arrayOf(entries.map((e) => e.groupId))},
      ${arrayOf(entries.map((e) => e.leaseId))}, ${textArray(entries.map((e) => e.status))},
      ${textArray(entries.map((e) => e.error))}, ${arrayOf(known.map((k) => k.entry))}, ${arrayOf(known.map((k) => k.id))},
      ${arrayOf(entries.flatMap((entry, at) => (entry.partitionIds === null ? [at + 1] : [])))}
    )`;
}

/** Which of some leases expired without being given back; an old one may be forgotten. */
export async function leasesExpired(
  sql: Sql,
  leases: readonly { queueId: number; groupId: number; leaseId: string }[],
): Promise<ReadonlySet<string>> {
  const rows = await sql<{ id: string }[]>`
    select id from queen.lease_expired(
      ${arrayOf(leases.map((l) => l.queueId))}, ${arrayOf(leases.map((l) => l.groupId))},
      ${arrayOf(leases.map((l) => l.leaseId))}
    ) id`;
  return new Set(rows.map((row) => row.id));
}
