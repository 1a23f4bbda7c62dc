/**
 * What the background jobs do to messages and partitions that grew old: one run of each. A run is many small
 * transactions, so that nothing is held for long, and ends early when the server stops.
 *
 * @module
 */

import type postgres from "postgres";
import type { Sql } from "../storage/database.ts";
import { purgeFinish, purgeList } from "../storage/queue-admin.ts";
import {
  completedExpire,
  completedQueues,
  type ExpirePageRow,
  evictionExpire,
  evictionQueues,
  jobElect,
  partitionForget,
  partitionIdleList,
  retentionExpire,
  retentionQueues,
  type SegmentPlace,
} from "../storage/retention.ts";
import { streamPartitionPurge, streamStateOrphans, streamStatePurge } from "../storage/streams.ts";
import type { EngineContext } from "./context.ts";
import { purgeQueue } from "./queue-admin.ts";

/** Second key of the advisory lock of each job. */
export const JOB = { retention: 1, eviction: 2, cleanup: 3, purge: 4, sweep: 5 } as const;

/** What a run works with. */
export interface JobRun {
  context: EngineContext;
  /** Pool of the jobs. */
  sql: postgres.Sql;
  /** False once the server stops. */
  proceed(): boolean;
}

/** Pages of one queue that a run looks at; the next run goes on behind them. */
const PAGES_MAX = 200;
/** Partitions a run of the clean-up looks at, and deletes. */
const CLEANUP_SLICE_MAX = 10_000;
const CLEANUP_FORGET_MAX = 1_000;
/** Batches a run of the purge spends on one queue. */
const PURGE_BATCHES_MAX = 1_000;
/** States of reset queries that a run of the purge clears away, and rows of them in a batch. */
const PURGE_STATES_MAX = 1_000;
const STATE_ROWS_MAX = 10_000;

/** One transaction of a job, if no other instance is at the same job; null otherwise. */
async function step<T>(run: JobRun, job: number, work: (sql: Sql) => Promise<T>): Promise<T | null> {
  return (await run.sql.begin(async (sql) => ((await jobElect(sql, job)) ? await work(sql) : null))) as T | null;
}

/** Where each queue's walk over its old segments stands, by queue id. A queue that is not there starts anew. */
export type Walks = Map<number, SegmentPlace>;

type ExpirePage = (
  sql: Sql,
  queueId: number,
  after: SegmentPlace | null,
  segmentsMax: number,
) => Promise<ExpirePageRow>;

/** Walks on over the old segments of a queue. Returns how many messages were deleted, null when another instance is at it. */
async function walk(
  run: JobRun,
  job: number,
  queueId: number,
  args: { walks: Walks; page: ExpirePage; segmentsMax: number },
): Promise<number | null> {
  const { walks, page, segmentsMax } = args;
  let messages = 0;
  for (let pages = 0; pages < PAGES_MAX && run.proceed(); pages += 1) {
    const row = await step(run, job, (sql) => page(sql, queueId, walks.get(queueId) ?? null, segmentsMax));
    if (!row) return null;
    messages += row.messages ?? 0;
    if (row.created_at === null || row.segments < segmentsMax) {
      walks.delete(queueId);
      break;
    }
    const { created_at, partition_id, first_offset } = row;
    walks.set(queueId, { created_at, partition_id: partition_id!, first_offset: first_offset! });
  }
  return messages;
}

async function expireAll(run: JobRun, queueId: number, segmentsMax: number): Promise<number | null> {
  let messages = 0;
  while (run.proceed()) {
    const row = await step(run, JOB.retention, (sql) => retentionExpire(sql, queueId, segmentsMax));
    if (!row) return null;
    messages += row.messages;
    if (row.segments < segmentsMax || row.messages === 0) break;
  }
  return messages;
}

const EVENTS = {
  retentionMessages: "retention.deleted",
  completedRetentionMessages: "retention.deleted_completed",
  evictionMessages: "eviction.deleted",
} as const;

function report(run: JobRun, kind: keyof typeof EVENTS, queueId: number, messages: number): void {
  if (messages === 0) return;
  run.context.counters.expired(kind, messages);
  run.context.log("info", EVENTS[kind], { queueId, messages });
}

/** Deletes messages beyond the retention and the ttl of their queue, then consumed ones beyond theirs. */
export async function runRetention(run: JobRun, walks: Walks): Promise<void> {
  const segmentsMax = run.context.settings.retentionBatchSize;
  for (const queueId of await retentionQueues(run.sql)) {
    const messages = await expireAll(run, queueId, segmentsMax);
    if (messages === null) return;
    report(run, "retentionMessages", queueId, messages);
  }
  for (const queueId of await completedQueues(run.sql)) {
    const messages = await walk(run, JOB.retention, queueId, { walks, page: completedExpire, segmentsMax });
    if (messages === null) return;
    report(run, "completedRetentionMessages", queueId, messages);
  }
}

/** Deletes messages that waited longer than their queue lets them. */
export async function runEviction(run: JobRun, walks: Walks): Promise<void> {
  const segmentsMax = run.context.settings.evictionBatchSize;
  for (const queueId of await evictionQueues(run.sql)) {
    const messages = await walk(run, JOB.eviction, queueId, { walks, page: evictionExpire, segmentsMax });
    if (messages === null) return;
    report(run, "evictionMessages", queueId, messages);
  }
}

/**
 * Deletes partitions that are empty and were long not pushed to, out of a bounded slice of all partitions.
 *
 * @param after - Last partition of the slice before.
 * @returns Where the next run goes on.
 */
export async function runCleanup(
  run: JobRun,
  after: { queueId: number; id: number },
): Promise<{ queueId: number; id: number }> {
  const days = run.context.settings.partitionCleanupDays;
  if (days <= 0) return after;
  const rows = await partitionIdleList(run.sql, after, { partitionsMax: CLEANUP_SLICE_MAX, days });
  const last = rows.at(-1);
  if (!last) return { queueId: 0, id: 0 };
  const idle = rows.filter((row) => row.idle);
  const taken = idle.slice(0, CLEANUP_FORGET_MAX);
  const byQueue = Map.groupBy(taken, (row) => row.queue_id);
  for (const [queueId, partitions] of byQueue) {
    if (!run.proceed()) return after;
    const partitionIds = partitions.map((row) => row.id);
    const count = await step(run, JOB.cleanup, (sql) => partitionForget(sql, { queueId, partitionIds, days }));
    if (count === null) return after;
    if (count === 0) continue;
    await streamPartitionPurge(run.sql, { queueId, partitionIds });
    run.context.counters.partitions("partitionsDeleted", queueId, count);
    run.context.queueChanged(partitions[0]!.queue);
    run.context.log("info", "partitions_deleted", { queueId, partitions: count });
  }
  const end = idle.length > taken.length ? taken.at(-1)! : last;
  return { queueId: end.queue_id, id: end.id };
}

/** Clears away what streaming queries kept before they were reset. */
async function purgeStates(run: JobRun): Promise<void> {
  for (const { queue_id: queueId, state_id: stateId } of await streamStateOrphans(run.sql, PURGE_STATES_MAX)) {
    for (let count = STATE_ROWS_MAX; count === STATE_ROWS_MAX && run.proceed(); ) {
      count = await streamStatePurge(run.sql, { queueId, stateId, rowsMax: STATE_ROWS_MAX });
    }
  }
}

/** Clears away what is left of deleted queues, and of streaming queries that were reset. */
export async function runPurge(run: JobRun): Promise<void> {
  await purgeStates(run);
  for (const queueId of await purgeList(run.sql)) {
    if (!run.proceed()) return;
    const done = await purgeQueue(run.sql, queueId, PURGE_BATCHES_MAX, run.proceed);
    if (done) await purgeFinish(run.sql, queueId);
  }
}
