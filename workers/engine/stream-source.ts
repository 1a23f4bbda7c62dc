/**
 * Finding what a cycle names: its partition, and the message it acknowledges.
 *
 * @module
 */

import { parsePartitionUuid } from "../../schema/wire/ids.ts";
import type { StreamCycleRequest } from "../../schema/wire/stream-requests.ts";
import type { Acker } from "./ack.ts";
import type { KnownPartition } from "./catalog.ts";
import type { EngineContext } from "./context.ts";
import { Refusal } from "./stream-append.ts";

/** A message of the source, as the store knows it. */
export interface Source {
  groupId: number;
  offset: number;
}

/**
 * Finds the source of a cycle. A group that acknowledges a message without a lease is registered, if need be.
 *
 * @returns `source` is null without an acknowledgement.
 * @throws Refusal when there is no such partition or message, or the lease cannot be right.
 */
export async function findSource(
  context: EngineContext,
  acker: Acker,
  request: StreamCycleRequest,
): Promise<{ partition: KnownPartition; source: Source | null }> {
  const { ack, group, partitionId } = request;
  const ref = parsePartitionUuid(partitionId);
  const partition = ref && (await context.catalog.partitionById(ref.queueId, ref.partitionId));
  if (!partition) throw new Refusal(ack ? "Message not found" : "Partition not found");
  if (!ack) return { partition, source: null };
  const { transactionId, leaseId } = ack;
  const item = { transactionId, partitionId, status: "completed", group, leaseId, error: null };
  let { bundles, results } = await acker.resolve([item]);
  if (leaseId === null && results[0]!.success) {
    // Only now: retention waits for a group that is registered, and an unknown message must leave none behind.
    await context.catalog.ensureGroup(partition.queue, group, { mode: "all", from: null }, partition.id);
    if (bundles.length === 0) ({ bundles, results } = await acker.resolve([item]));
  }
  const [bundle] = bundles;
  if (!results[0]!.success) throw new Refusal(results[0]!.error ?? "Message not found");
  if (!bundle) throw new Refusal(leaseId === null ? "Message not found" : "Invalid or expired lease");
  return { partition, source: { groupId: bundle.groupId, offset: bundle.offsets[0]! } };
}
