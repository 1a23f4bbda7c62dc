/**
 * Parameters of the operations of the October 2025 dialect that have no equal elsewhere. Its push and pop are those of
 * `hot.ts`, with `october` set.
 *
 * @module
 */

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
}
