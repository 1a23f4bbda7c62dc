/**
 * Statements over streaming queries, their cycles and their state.
 *
 * @module
 */

import type postgres from "postgres";
import type { Sql } from "./database.ts";
import { arrayOf, textArray } from "./literals.ts";

/** A query as it stands after {@link streamQueryRegister}. */
export interface StreamQueryRow {
  id: string;
  /** Just made. */
  fresh: boolean;
  /** Its state was given up. */
  reset: boolean;
  /** It has another hash and was left alone. */
  conflict: boolean;
}

/**
 * Registers a query by name, or brings its queues up to date.
 *
 * @remarks
 * Locks its row, if there is one. With another hash the query keeps its row and, with `reset`, gets a new, empty state: what
 * is left of the old one is of no use to anybody and is cleared away by a job. Idempotent, but for `fresh` and `reset`.
 *
 * @param sql - Pool; opens a transaction of its own.
 */
export async function streamQueryRegister(
  sql: postgres.Sql,
  query: { name: string; sourceQueue: string; sinkQueue: string | null; configHash: string; reset: boolean },
): Promise<StreamQueryRow> {
  const { name, sourceQueue, sinkQueue, configHash } = query;
  return await sql.begin(async (transaction) => {
    const [made] = await transaction<{ id: string }[]>`
      insert into queen.stream_queries (name, source_queue, sink_queue, config_hash)
      values (${name}, ${sourceQueue}, ${sinkQueue}, ${configHash})
      on conflict (name) do nothing
      returning id`;
    if (made) return { id: made.id, fresh: true, reset: false, conflict: false };
    const [known] = await transaction<{ id: string; config_hash: string }[]>`
      select q.id, q.config_hash from queen.stream_queries q where q.name = ${name} for update`;
    const changed = known!.config_hash !== configHash;
    if (changed && !query.reset) return { id: known!.id, fresh: false, reset: false, conflict: true };
    await transaction`
      update queen.stream_queries q
      set source_queue = ${sourceQueue}, sink_queue = ${sinkQueue}, config_hash = ${configHash}, updated_at = clock_timestamp(),
          state_id = case when ${changed} then nextval('queen.stream_state_ids') else q.state_id end
      where q.id = ${known!.id}`;
    return { id: known!.id, fresh: false, reset: changed, conflict: false };
  });
}

/** What a cycle changes of the state of its partition. A key stands in one of them, once. */
export interface StateChanges {
  upserts: readonly { key: string; value: string; windowEnd: number | null }[];
  deletes: readonly string[];
}

/**
 * Begins a cycle and changes its state.
 *
 * @remarks
 * Waits for another cycle of the query on this partition; holds its row of `stream_cycles`, then rows of `stream_state`, to
 * the end of the transaction.
 *
 * @param sql - An open transaction.
 * @param cycleId - UUID; the same one again is known as a repetition as long as no other cycle came between.
 * @returns `repeated` when this very cycle was committed before, `unknown` when there is state to change and no such query;
 * nothing is changed then.
 */
export async function streamCycleBegin(
  sql: Sql,
  args: { queueId: number; partitionId: number; queryId: string; cycleId: string; changes: StateChanges },
): Promise<"begun" | "repeated" | "unknown"> {
  const { queueId, partitionId, queryId, cycleId, changes } = args;
  const { upserts, deletes } = changes;
  const [row] = await sql<{ outcome: "begun" | "repeated" | "unknown" }[]>`
    select queen.stream_cycle_begin(
      ${queueId}, ${partitionId}, ${queryId}, ${cycleId}, ${textArray(upserts.map((u) => u.key))},
      ${textArray(upserts.map((u) => u.value))}, ${arrayOf(upserts.map((u) => u.windowEnd))}, ${textArray(deletes)}
    ) as outcome`;
  return row!.outcome;
}

/**
 * Resolves everything of a cursor up to and including an offset.
 *
 * @remarks Locks the cursor, then its partition when it became drained, skipping a locked one. Repeating it changes nothing.
 * @param args - `leaseId` null: not checked. `dead`: text of the dead letters that the messages become; null: they are done.
 * @returns Outcome `lease` for a wrong or expired lease, `missing` without a cursor: nothing is changed then.
 */
export async function streamAcknowledge(
  sql: Sql,
  args: {
    queueId: number;
    partitionId: number;
    groupId: number;
    leaseId: string | null;
    offset: number;
    release: boolean;
    dead: string | null;
  },
): Promise<{ outcome: "recorded" | "lease" | "missing"; released: boolean | null }> {
  const [row] = await sql<{ outcome: "recorded" | "lease" | "missing"; released: boolean | null }[]>`
    select * from queen.stream_acknowledge(
      ${args.queueId}, ${args.partitionId}, ${args.groupId}, ${args.leaseId}::uuid, ${args.offset}, ${args.release}, ${args.dead}
    )`;
  return row!;
}

/** One state. */
export interface StreamStateRow {
  key: string;
  /** JSON text. */
  value: string;
  /** ISO 8601 with microseconds. */
  updated_at: string;
}

/** The smallest text that sorts after all that begin with `prefix`; null when there is none. */
function afterPrefix(prefix: string): string | null {
  const points = [...prefix];
  for (let last = points.pop(); last !== undefined; last = points.pop()) {
    const code = last.codePointAt(0)!;
    // The range of surrogates stands for no characters.
    if (code < 0x10ffff) return points.join("") + String.fromCodePoint(code === 0xd7ff ? 0xe000 : code + 1);
  }
  return null;
}

/**
 * Reads the state of a query on a partition.
 *
 * @remarks Rides on stream_state_pkey, with keys or a prefix down to the key.
 * @param filter - `keys` null, an empty `prefix` and `ripeAtOrBefore` null: any. `ripeAtOrBefore` leaves out what has no window end.
 * @returns By key, in order of code points; empty for an unknown query.
 */
export function streamStateRead(
  sql: Sql,
  at: { queueId: number; partitionId: number; queryId: string },
  filter: { keys: readonly string[] | null; prefix: string; ripeAtOrBefore: number | null },
  rowsMax: number,
): Promise<StreamStateRow[]> {
  const { keys, prefix, ripeAtOrBefore } = filter;
  const end = afterPrefix(prefix);
  return sql<StreamStateRow[]>`
    select s.key, s.value, s.updated_at
    from queen.stream_state s
    where s.queue_id = ${at.queueId} and s.state_id = (select q.state_id from queen.stream_queries q where q.id = ${at.queryId})
      and s.partition_id = ${at.partitionId}
      ${keys === null ? sql`` : sql`and s.key = any (${textArray(keys)}::text[])`}
      ${prefix === "" ? sql`` : sql`and s.key >= ${prefix}`} ${end === null ? sql`` : sql`and s.key < ${end}`}
      ${ripeAtOrBefore === null ? sql`` : sql`and s.window_end <= ${ripeAtOrBefore}`}
    order by s.key limit ${rowsMax}`;
}

/**
 * States that belong to no query any more, since it was reset.
 *
 * @remarks Jumps along stream_state_pkey from one state to the next: costs the number of states, not of their rows.
 */
export function streamStateOrphans(sql: Sql, statesMax: number): Promise<{ queue_id: number; state_id: number }[]> {
  return sql<{ queue_id: number; state_id: number }[]>`
    with recursive states as (
      (select s.queue_id, s.state_id from queen.stream_state s order by s.queue_id, s.state_id limit 1)
      union all
      select n.queue_id, n.state_id
      from states t
      cross join lateral (
        select s.queue_id, s.state_id from queen.stream_state s
        where (s.queue_id, s.state_id) > (t.queue_id, t.state_id)
        order by s.queue_id, s.state_id limit 1
      ) n
    )
    select t.queue_id, t.state_id from states t
    where not exists (select from queen.stream_queries q where q.state_id = t.state_id)
    limit ${statesMax}`;
}

/** Clears away some rows of a state. Returns how many went; fewer than `rowsMax` means that none is left. */
export async function streamStatePurge(
  sql: Sql,
  at: { queueId: number; stateId: number; rowsMax: number },
): Promise<number> {
  const result = await sql`
    delete from queen.stream_state t where t.ctid = any (array(
      select s.ctid from queen.stream_state s
      where s.queue_id = ${at.queueId} and s.state_id = ${at.stateId} limit ${at.rowsMax} for update skip locked
    ))`;
  return result.count;
}

/** Clears away the cycles and states of those of some partitions that are gone: their ids are never used again. */
export async function streamPartitionPurge(
  sql: Sql,
  at: { queueId: number; partitionIds: readonly number[] },
): Promise<void> {
  await sql`
    with gone as (
      delete from queen.stream_cycles c
      where c.queue_id = ${at.queueId} and c.partition_id = any (${arrayOf(at.partitionIds)}::bigint[])
        and not exists (select from queen.partitions p where p.queue_id = c.queue_id and p.id = c.partition_id)
      returning c.partition_id, c.query_id
    )
    delete from queen.stream_state s using gone g, queen.stream_queries q
    where q.id = g.query_id and s.queue_id = ${at.queueId} and s.state_id = q.state_id and s.partition_id = g.partition_id`;
}
