/**
 * Pop as clients of October 2025 know it: what they get they will acknowledge by transaction id alone, so that is noted
 * before the answer leaves.
 *
 * @module
 */

import { parseLeaseId, parsePartitionUuid } from "../../../schema/wire/ids.ts";
import { renderOctoberPop } from "../../../schema/wire/october/answers.ts";
import type { SegmentAnswer } from "../../../schema/wire/segment-answer.ts";
import type { PopParams } from "../../protocol.ts";
import { withConflictRetry } from "../../storage/failures.ts";
import { type OctoberRetryRow, octoberNote } from "../../storage/october.ts";
import type { EngineContext } from "../context.ts";
import { countPop } from "../count-work.ts";
import type { Engine } from "../engine.ts";
import { tellPopped } from "../event-details.ts";
import type { PopCall } from "../pop.ts";

/** Segments remembered to be noted, a worker. */
const NOTED_MAX = 50_000;

/** Segments whose messages are noted by transaction id, by engine. Forgetting costs a statement that finds them noted. */
const notedBy = new WeakMap<EngineContext, Set<string>>();

function notedOf(context: EngineContext): Set<string> {
  let noted = notedBy.get(context);
  if (!noted) {
    noted = new Set();
    notedBy.set(context, noted);
  }
  if (noted.size > NOTED_MAX) noted.clear();
  return noted;
}

/** Notes the segments of an answer by transaction id, and reads which of its messages failed before. */
async function note(context: EngineContext, answer: SegmentAnswer): Promise<OctoberRetryRow[]> {
  const { queueId, groupId } = parseLeaseId(answer.leaseId)!;
  const noted = notedOf(context);
  const segments: { partitionId: number; firstOffset: number }[] = [];
  const ranges: { partitionId: number; from: number; to: number }[] = [];
  for (const partition of answer.partitions) {
    const { partitionId } = parsePartitionUuid(partition.partitionId)!;
    ranges.push({ partitionId, from: partition.firstOffset, to: partition.endOffset });
    for (const { firstOffset } of partition.segments) {
      if (!noted.has(`${queueId} ${partitionId} ${firstOffset}`)) segments.push({ partitionId, firstOffset });
    }
  }
  segments.sort((a, b) => a.partitionId - b.partitionId || a.firstOffset - b.firstOffset);
  const rows = await withConflictRetry(() => octoberNote(context.database.pop, { queueId, groupId, segments, ranges }));
  for (const { partitionId, firstOffset } of segments) noted.add(`${queueId} ${partitionId} ${firstOffset}`);
  return rows;
}

/**
 * Pops.
 *
 * @returns The answer as JSON text; null when there is nothing in time, or the database failed: the messages are given back.
 */
export async function octoberPop(engine: Engine, params: PopParams, call: PopCall): Promise<string | null> {
  const { context } = engine;
  const answer = await engine.popper.pop({ ...params, segments: true, autoAck: false, partitions: 1 }, call);
  if (!call.cancelled) countPop(context, params, answer);
  if (!answer || !("partitions" in answer)) return null;
  if (context.events.listening) tellPopped(context.events, answer);
  const giveBack = () => engine.leaseAcker.acknowledge(answer.leaseId, { status: "retry", group: null, error: null });
  try {
    const [failures, queue] = await Promise.all([note(context, answer), context.catalog.queue(answer.queue)]);
    if (call.cancelled) {
      // The client went away meanwhile: nobody would acknowledge.
      await giveBack();
      return null;
    }
    const counts = new Map(failures.map((row) => [`${row.partition_id} ${row.message_offset}`, row.failure_count]));
    return renderOctoberPop(answer, {
      priority: queue?.priority ?? 0,
      retryCount(partitionId, offset) {
        if (counts.size === 0) return 0;
        return counts.get(`${parsePartitionUuid(partitionId)!.partitionId} ${offset}`) ?? 0;
      },
    });
  } catch (error) {
    context.log("warn", "october_pop_failed", { error: String(error) });
    // Left alone, the lease would keep the messages until it expires.
    await giveBack().catch(() => {});
    return null;
  }
}
