/**
 * Counts of messages as the October 2025 dialect shows them: six by partition, added up by queue.
 *
 * @module
 */

import { type OctoberCountsRow, octoberCounts, octoberQueues } from "../../storage/october-counts.ts";
import type { EngineContext } from "../context.ts";

/** Which queues, and messages created when: ISO timestamps, null for no bound. */
export interface CountsFilter {
  queue: string | null;
  namespace: string | null;
  task: string | null;
  from: string | null;
  to: string | null;
}

/** The six counts. */
export interface Six {
  pending: number;
  processing: number;
  completed: number;
  failed: number;
  deadLetter: number;
  total: number;
}

/** Partitions of one answer; beyond them it says `truncated`. */
export const PARTITIONS_MAX = 10_000;
/** Queues of one answer. */
export const QUEUES_MAX = 10_000;

/** One queue with its partitions. */
export interface CountedQueue {
  id: number;
  queue: string;
  namespace: string | null;
  task: string | null;
  totals: Six;
  rows: OctoberCountsRow[];
}

/** The counts of one partition. */
export function sixOf(row: OctoberCountsRow): Six {
  const { pending, processing, completed, failed, dead_letter, total } = row;
  return { pending, processing, completed, failed, deadLetter: dead_letter, total };
}

/** Several counts as one. */
export function sumOf(counts: readonly Six[]): Six {
  const sum: Six = { pending: 0, processing: 0, completed: 0, failed: 0, deadLetter: 0, total: 0 };
  for (const six of counts) {
    for (const name of Object.keys(sum) as (keyof Six)[]) sum[name] += six[name];
  }
  return sum;
}

/** Counts the queues that match, as queue mode sees them. `truncated` when there are more partitions than one answer holds. */
export async function countQueues(
  context: EngineContext,
  filter: CountsFilter,
): Promise<{ queues: CountedQueue[]; truncated: boolean }> {
  const sql = context.database.look;
  const [queues, rows] = await Promise.all([
    octoberQueues(sql, filter, QUEUES_MAX),
    octoberCounts(sql, { ...filter, allGroups: false, partitionsMax: PARTITIONS_MAX + 1 }),
  ]);
  const truncated = rows.length > PARTITIONS_MAX || queues.length === QUEUES_MAX;
  const byQueue = Map.groupBy(rows.slice(0, PARTITIONS_MAX), (row) => row.queue_id);
  return {
    truncated,
    queues: queues.map(({ id, name, namespace, task }) => {
      const own = byQueue.get(id) ?? [];
      return {
        id,
        queue: name,
        namespace: namespace || null,
        task: task || null,
        totals: sumOf(own.map(sixOf)),
        rows: own,
      };
    }),
  };
}
