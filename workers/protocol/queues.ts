/**
 * Parameters of the operations on queues: configuring, clearing, deleting, listing.
 *
 * @module
 */

/** See the module. */
export interface QueueOperations {
  configure: Record<string, never>;
  queueOptions: { queue: string };
  queueDelete: { queue: string };
  queueClear: { queue: string; partition: string | null };
}
