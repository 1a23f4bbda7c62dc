/**
 * Parameters of the operations of the October 2025 dialect that have no equal elsewhere. Its push and pop are those of
 * `hot.ts`, with `october` set.
 *
 * @module
 */

import type { PageParams } from "./page.ts";

/** See the module. */
export interface OctoberOperations {
  octoberConfigure: Record<string, never>;
  octoberAck: Record<string, never>;
  octoberAckBatch: Record<string, never>;
  octoberQueueDelete: { queue: string };
  octoberQueueClear: { queue: string; partition: string | null };
  octoberMessageGet: { transactionId: string };
  octoberMessageDelete: { transactionId: string };
  octoberMessageRetry: { transactionId: string };
  octoberMessageDeadLetter: { transactionId: string };
  octoberMessageRelated: { transactionId: string };
  octoberMessageList: PageParams & {
    queue: string | null;
    partition: string | null;
    namespace: string | null;
    task: string | null;
    status: "pending" | "processing" | "completed" | "failed" | "dead_letter" | null;
  };
  octoberQueueGet: { queue: string };
  octoberQueueCounts: OctoberCountsParams;
  octoberQueueCount: OctoberCountsParams;
  octoberLabelCounts: OctoberCountsParams;
  octoberDepths: OctoberCountsParams;
  octoberGroupCounts: OctoberCountsParams;
  octoberThroughput: OctoberCountsParams;
  octoberQueueLag: OctoberCountsParams;
}

/** Which queues, and messages created when: ISO timestamps. Null means any. */
export interface OctoberCountsParams {
  queue: string | null;
  namespace: string | null;
  task: string | null;
  from: string | null;
  to: string | null;
}
