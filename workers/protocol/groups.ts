/**
 * Parameters of the operations on consumer groups.
 *
 * @module
 */

/** See the module. */
export interface GroupOperations {
  groupDelete: { group: string; deleteMetadata: boolean };
  groupQueueDelete: { group: string; queue: string; deleteMetadata: boolean };
  groupSubscriptionUpdate: { group: string };
  groupSeek: { group: string; queue: string };
  /** `after`: ISO timestamp; null: to the end. */
  seekPreview: { group: string; queue: string; after: string | null };
  partitionSeek: { group: string; queue: string; partition: string };
}
