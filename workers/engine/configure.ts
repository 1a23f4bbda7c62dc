/**
 * Configuring a queue.
 *
 * @module
 */

import { type ConfigureRequest, readConfigure } from "../../schema/wire/admin-requests.ts";
import type { DecodedBody } from "../../schema/wire/body.ts";
import { QueenError } from "../../schema/wire/errors.ts";
import { partitionUuid } from "../../schema/wire/ids.ts";
import { DEFAULT_PARTITION } from "../../schema/wire/limits.ts";
import type { OperationParams } from "../protocol.ts";
import { withConflictRetry } from "../storage/failures.ts";
import { type QueueOptions, queueConfigure, queueFind } from "../storage/queues.ts";
import type { KnownPartition } from "./catalog.ts";
import { type Answer, type EngineContext, ok } from "./context.ts";

/** What was not given stays unknown where giving the default would do something. */
function columnsOf({ options, given }: ConfigureRequest): QueueOptions {
  return {
    lease_time_s: options.leaseTime,
    retry_limit: options.retryLimit,
    retry_delay_ms: given.has("retryDelay") ? options.retryDelay : null,
    max_size: options.maxSize,
    ttl_s: given.has("ttl") ? options.ttl : null,
    dead_letter_queue: options.deadLetterQueue,
    dlq_after_max_retries: options.dlqAfterMaxRetries,
    priority: options.priority,
    delayed_processing_s: options.delayedProcessing,
    window_buffer_s: options.windowBuffer,
    retention_s: options.retentionSeconds,
    completed_retention_s: options.completedRetentionSeconds,
    retention_enabled: options.retentionEnabled,
    encryption_enabled: options.encryptionEnabled,
    max_wait_time_s: options.maxWaitTimeSeconds,
  };
}

async function write(
  context: EngineContext,
  request: ConfigureRequest,
): Promise<{ queueId: number; partition: KnownPartition | null }> {
  const { queue: name, namespace, task } = request;
  const row = await withConflictRetry(() =>
    queueConfigure(context.database.look, { name, namespace, task, options: columnsOf(request) }),
  );
  await context.catalog.ensurePartitions(row, [DEFAULT_PARTITION]);
  return { queueId: row.id, partition: await context.catalog.partition(row, DEFAULT_PARTITION) };
}

/**
 * Creates a queue and its default partition, or overwrites all its options, namespace and task.
 *
 * @throws {@link QueenError} for a bad field, naming it; nothing is changed then.
 */
export async function configure(
  context: EngineContext,
  _params: Record<string, never>,
  body: DecodedBody,
): Promise<Answer> {
  const request = readConfigure(body);
  let written = await write(context, request);
  // Deleted by somebody else in between: make it again.
  if (!written.partition) written = await write(context, request);
  const { queueId, partition } = written;
  context.queueChanged(request.queue);
  context.events.configured(request.queue, DEFAULT_PARTITION);
  context.queuesReady([queueId]);
  if (!partition) throw new QueenError("OVERLOADED");
  return ok({
    configured: true,
    queueId: partitionUuid(queueId, 0),
    partitionId: partition.uuid,
    queue: request.queue,
    namespace: request.namespace,
    task: request.task,
    options: request.options,
  });
}

/** Answers what would configure a queue as it is: its namespace, its task, and its options, less those that were never given. */
export async function queueOptions(
  context: EngineContext,
  { queue }: OperationParams["queueOptions"],
): Promise<Answer> {
  const [row] = await queueFind(context.database.look, [queue]);
  if (!row) return ok({ error: "Queue not found" });
  return ok({
    queue,
    namespace: row.namespace,
    task: row.task,
    options: {
      leaseTime: row.lease_time_s,
      retryLimit: row.retry_limit,
      ...(row.retry_delay_ms !== null && { retryDelay: row.retry_delay_ms }),
      maxSize: row.max_size,
      ...(row.ttl_s !== null && { ttl: row.ttl_s }),
      deadLetterQueue: row.dead_letter_queue,
      dlqAfterMaxRetries: row.dlq_after_max_retries,
      priority: row.priority,
      delayedProcessing: row.delayed_processing_s,
      windowBuffer: row.window_buffer_s,
      retentionSeconds: row.retention_s,
      completedRetentionSeconds: row.completed_retention_s,
      retentionEnabled: row.retention_enabled,
      encryptionEnabled: row.encryption_enabled,
      maxWaitTimeSeconds: row.max_wait_time_s,
    },
  });
}
