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
  partitionSeek: { group: string; queue: string; partition: string };
}
