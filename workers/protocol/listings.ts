/**
 * Parameters of the operations that list queues, partitions, messages and consumer groups.
 *
 * @module
 */

import type { PageParams } from "./page.ts";

/** What of a message list is wanted. Null means any. */
export interface MessageListParams extends PageParams {
  queue: string | null;
  partition: string | null;
  namespace: string | null;
  task: string | null;
  status: MessageStatus | null;
  /** ISO timestamps; null: the last hour, up to now. */
  from: string | null;
  to: string | null;
}

/** What became of a message. */
export type MessageStatus = "pending" | "processing" | "completed" | "dead_letter";

/** See the module. */
export interface ListingOperations {
  queueList: PageParams & {
    namespace: string | null;
    task: string | null;
    /** As the status listing answers: what is being processed counts as pending too. */
    inclusive: boolean;
  };
  queueGet: PageParams & { queue: string };
  queueStatus: PageParams & { queue: string };
  namespaceList: PageParams;
  taskList: PageParams;
  overview: Record<string, never>;
  partitionList: PageParams & {
    queue: string | null;
    namespace: string | null;
    task: string | null;
    depthMin: number;
  };
  statisticsRefresh: Record<string, never>;
  messageList: MessageListParams;
  queueMessageList: PageParams & { queue: string };
  groupList: PageParams;
  groupGet: PageParams & { group: string };
  /** `lagMin` in seconds, 0 or more. */
  groupLagging: PageParams & { lagMin: number };
}
