/**
 * Finding messages by their transaction id alone, as clients of October 2025 name them.
 *
 * What this dialect pushed or popped is noted by transaction id (`october_messages`). Of several messages with one id the one
 * that the asking group holds a lease on is meant, else one that it has yet to consume, else the latest.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { KeyKind, readUuid, writeTransactionKey } from "../../../schema/wire/ids.ts";
import type { Sql } from "../../storage/database.ts";
import type { MessageRef } from "../../storage/messages.ts";
import {
  type OctoberPartitionRow,
  octoberFind,
  octoberPartitions,
  octoberSearchOrdered,
  octoberSearchOther,
} from "../../storage/october.ts";
import { tombstoneFind } from "../../storage/segments.ts";
import type { EngineContext } from "../context.ts";

/** Where a message lies, and which of the groups that asked for it. */
export interface Place extends MessageRef {
  /** Null when its queue does not have the group. */
  groupId: number | null;
}

interface Candidate extends Place {
  at: number;
  /** Larger is preferred. */
  rank: number;
}

/** The key of a transaction id, as text. */
export function keyOf(transactionId: string): string {
  const bytes = Buffer.alloc(16);
  writeTransactionKey(transactionId, bytes, 0);
  return readUuid(bytes, 0);
}

function rankOf(row: OctoberPartitionRow, offset: number): number {
  if (row.lease_first !== null && offset >= row.lease_first && offset < row.lease_end!) return 3;
  if (row.next_offset !== null) return offset >= row.next_offset ? 2 : 0;
  return 1;
}

/** Drops candidates that were deleted one by one. */
async function withoutTombstones(
  sql: Sql,
  rows: readonly OctoberPartitionRow[],
  candidates: readonly Candidate[],
): Promise<readonly Candidate[]> {
  const holed = rows.filter((row) => row.tombstone_count > 0);
  if (holed.length === 0) return candidates;
  const gone = new Set<string>();
  for (const { queue_id: queueId, partition_id: partitionId } of holed) {
    const inside = candidates.filter((c) => c.queueId === queueId && c.partitionId === partitionId);
    const found = await tombstoneFind(
      sql,
      { queueId, partitionId },
      inside.map((c) => c.offset),
    );
    for (const { message_offset } of found) gone.add(`${queueId} ${partitionId} ${message_offset}`);
  }
  return candidates.filter((c) => !gone.has(`${c.queueId} ${c.partitionId} ${c.offset}`));
}

/** Which of some places still hold a message, ranked for a group. */
async function standing(
  sql: Sql,
  refs: readonly (MessageRef & { at: number })[],
  group: string,
): Promise<readonly Candidate[]> {
  const partitions = new Map(refs.map((ref) => [`${ref.queueId} ${ref.partitionId}`, ref]));
  if (partitions.size === 0) return [];
  const rows = await octoberPartitions(sql, [...partitions.values()], group);
  const byPartition = new Map(rows.map((row) => [`${row.queue_id} ${row.partition_id}`, row]));
  const candidates: Candidate[] = [];
  for (const { at, queueId, partitionId, offset } of refs) {
    const row = byPartition.get(`${queueId} ${partitionId}`);
    if (!row || offset < row.tail || offset >= row.head) continue;
    candidates.push({ at, queueId, partitionId, offset, groupId: row.group_id, rank: rankOf(row, offset) });
  }
  return await withoutTombstones(sql, rows, candidates);
}

function better(a: Candidate, b: Candidate): boolean {
  if (a.rank !== b.rank) return a.rank > b.rank;
  if (a.queueId !== b.queueId) return a.queueId > b.queueId;
  return a.partitionId === b.partitionId ? a.offset > b.offset : a.partitionId > b.partitionId;
}

function choose(candidates: readonly Candidate[], count: number): (Place | null)[] {
  const chosen: (Candidate | null)[] = new Array(count).fill(null);
  for (const candidate of candidates) {
    const best = chosen[candidate.at] ?? null;
    if (best === null || better(candidate, best)) chosen[candidate.at] = candidate;
  }
  return chosen;
}

/**
 * Finds the messages with these transaction ids among those that the dialect has noted.
 *
 * @param group - Asking consumer group.
 * @returns Parallel to `transactionIds`; null where there is none.
 */
export async function findPlaces(
  sql: Sql,
  transactionIds: readonly string[],
  group: string,
): Promise<(Place | null)[]> {
  const noted = await octoberFind(sql, transactionIds.map(keyOf));
  const refs = noted.map((row) => ({
    at: row.at,
    queueId: row.queue_id,
    partitionId: row.partition_id,
    offset: row.message_offset,
  }));
  return choose(await standing(sql, refs, group), transactionIds.length);
}

/**
 * Finds one message wherever it came from: among those noted, then in a bounded search of the log.
 *
 * @returns Null when there is none, or it was not found within bounds.
 */
export async function findMessage(context: EngineContext, transactionId: string, group: string): Promise<Place | null> {
  const sql = context.database.look;
  const [noted] = await findPlaces(sql, [transactionId], group);
  if (noted) return noted;
  const bytes = Buffer.alloc(16);
  const kind = writeTransactionKey(transactionId, bytes, 0);
  const key = readUuid(bytes, 0);
  const refs: (MessageRef & { at: number })[] = [];
  if (kind === KeyKind.other) {
    for (const row of await octoberSearchOther(sql, key)) {
      refs.push({ at: 0, queueId: row.queue_id, partitionId: row.partition_id, offset: row.message_offset });
    }
  } else {
    const drawnAtMs = bytes.readUIntBE(0, 6);
    for (const row of await octoberSearchOrdered(sql, key, drawnAtMs)) {
      for (let index = row.tx_keys.indexOf(bytes); index !== -1; index = row.tx_keys.indexOf(bytes, index + 1)) {
        if (index % 16 !== 0) continue;
        const offset = row.first_offset + index / 16;
        refs.push({ at: 0, queueId: row.queue_id, partitionId: row.partition_id, offset });
      }
    }
  }
  return choose(await standing(sql, refs, group), 1)[0]!;
}
