/**
 * Lists of consumer groups: where they stand, and how far they are behind.
 *
 * @module
 */

import { partitionUuid } from "../../schema/wire/ids.ts";
import { toMilliseconds } from "../../schema/wire/instant.ts";
import type { OperationParams } from "../protocol.ts";
import {
  type GroupListRow,
  groupCursors,
  groupList as groupListStatement,
  laggingList,
} from "../storage/listing-groups.ts";
import { type Answer, type EngineContext, ok } from "./context.ts";

/** Above this age of its oldest message left, in seconds, a group counts as lagging. */
const LAGGING_S = 300;

function instantOrNull(instant: string | null): string | null {
  return instant === null ? null : toMilliseconds(instant);
}

function stateOf(row: GroupListRow): string {
  if ((row.lag_seconds ?? 0) > LAGGING_S) return "Lagging";
  return row.consumed ? "Stable" : "Dead";
}

/** Answers a page of groups, an element for each group and queue, by group and then queue. */
export async function groupList(context: EngineContext, page: OperationParams["groupList"]): Promise<Answer> {
  const rows = await groupListStatement(context.database.look, page);
  return ok(
    rows.map((row) => {
      const begins = row.subscription_mode === "new" || row.subscription_mode === "timestamp";
      return {
        name: row.name,
        topics: [row.queue],
        queueName: row.queue,
        members: row.members,
        partitionsWithLag: row.lagging,
        totalLag: null,
        pendingMessages: row.pending,
        maxTimeLag: Math.floor(row.lag_seconds ?? 0),
        state: stateOf(row),
        subscriptionMode: begins ? row.subscription_mode : null,
        subscriptionTimestamp: begins ? instantOrNull(row.subscribed_from) : null,
        subscriptionCreatedAt: begins ? toMilliseconds(row.created_at) : null,
      };
    }),
  );
}

/** Answers where a group stands, by queue and partition; `{}` for an unknown group. */
export async function groupGet(context: EngineContext, params: OperationParams["groupGet"]): Promise<Answer> {
  const { group, limit, offset } = params;
  const rows = await groupCursors(context.database.look, group, { limit, offset });
  const queues = Map.groupBy(rows, (row) => row.queue);
  const entries = [...queues].map(([queue, cursors]) => {
    const partitions = cursors.map((row) => ({
      partition: row.partition,
      workerId: row.lease_id,
      lastConsumedAt: instantOrNull(row.consumed_at),
      totalConsumed: row.consumed_count,
      offsetLag: row.pending,
      timeLagSeconds: Math.floor(row.lag_seconds ?? 0),
      leaseActive: row.lease_id !== null,
    }));
    return [queue, { partitions, total: cursors[0]!.cursors }] as const;
  });
  return ok(Object.fromEntries(entries));
}

/** Answers the cursors that are behind by more than so many seconds, the largest lag first. */
export async function groupLagging(context: EngineContext, params: OperationParams["groupLagging"]): Promise<Answer> {
  const { lagMin, ...page } = params;
  const rows = await laggingList(context.database.look, lagMin, page);
  return ok(
    rows.map((row) => ({
      consumer_group: row.consumer_group,
      queue_name: row.queue,
      partition_name: row.partition,
      partition_id: partitionUuid(row.queue_id, row.partition_id),
      worker_id: row.lease_id,
      offset_lag: row.pending,
      time_lag_seconds: Math.floor(row.lag_seconds),
      lag_hours: Math.floor(row.lag_seconds / 36) / 100,
      oldest_unconsumed_at: toMilliseconds(row.oldest_at),
      last_consumed_at: instantOrNull(row.consumed_at),
    })),
  );
}
