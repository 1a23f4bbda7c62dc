/**
 * Configuring a queue as clients of October 2025 know it: zero counts as left out, namespace and task stay when none is
 * given, and so do encryption and the longest wait.
 *
 * @module
 */

import { DEFAULT_PARTITION } from "../../../schema/wire/limits.ts";
import type { OctoberConfigureRequest } from "../../../schema/wire/october/requests.ts";
import { withConflictRetry } from "../../storage/failures.ts";
import { type QueueOptions, type QueueRow, queueConfigure } from "../../storage/queues.ts";
import type { Answer, EngineContext } from "../context.ts";

/** What was left out stays unknown, or is no limit, where giving the shown default would do something. */
function columnsOf({ options, given, keeps }: OctoberConfigureRequest, stored: QueueRow | null): QueueOptions {
  return {
    lease_time_s: options.leaseTime,
    retry_limit: options.retryLimit,
    retry_delay_ms: given.has("retryDelay") ? options.retryDelay : null,
    max_size: given.has("maxSize") ? options.maxSize : 0,
    ttl_s: given.has("ttl") ? options.ttl : null,
    dead_letter_queue: options.deadLetterQueue,
    dlq_after_max_retries: options.dlqAfterMaxRetries,
    priority: options.priority,
    delayed_processing_s: options.delayedProcessing,
    window_buffer_s: options.windowBuffer,
    retention_s: options.retentionSeconds,
    completed_retention_s: options.completedRetentionSeconds,
    retention_enabled: options.retentionEnabled,
    encryption_enabled: stored && keeps("encryptionEnabled") ? stored.encryption_enabled : options.encryptionEnabled,
    max_wait_time_s: stored && keeps("maxWaitTimeSeconds") ? stored.max_wait_time_s : options.maxWaitTimeSeconds,
  };
}

/**
 * Creates a queue or overwrites its options. Partitions come with the first push.
 *
 * @returns 201 with what is now in force.
 */
export async function octoberConfigure(context: EngineContext, request: OctoberConfigureRequest): Promise<Answer> {
  const { queue: name, partition, options } = request;
  // Read anew: what this worker remembers may be older than what another one stored.
  context.catalog.invalidate([name]);
  const stored = await context.catalog.queue(name);
  const columns = columnsOf(request, stored);
  const row = await withConflictRetry(() =>
    queueConfigure(context.database.look, {
      name,
      namespace: request.namespace ?? stored?.namespace ?? "",
      task: request.task ?? stored?.task ?? "",
      options: columns,
    }),
  );
  context.queueChanged(name);
  context.queuesReady([row.id]);
  context.events.configured(name, partition ?? DEFAULT_PARTITION);
  return {
    status: 201,
    value: {
      queue: name,
      namespace: row.namespace || null,
      task: row.task || null,
      ...(partition !== null && {
        partition,
        _deprecation_notice: "Options belong to the queue: the partition is ignored",
      }),
      configured: true,
      options: {
        ...options,
        encryptionEnabled: row.encryption_enabled,
        maxWaitTimeSeconds: row.max_wait_time_s,
      },
    },
  };
}
