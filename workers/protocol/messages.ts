/**
 * Parameters of the operations on single messages, dead letters and traces.
 *
 * @module
 */

import type { PageParams } from "./page.ts";

/** A message as clients address it. `partitionId` is the text of the path, not yet checked. */
export interface MessageParams {
  partitionId: string;
  transactionId: string;
}

/** See the module. */
export interface MessageOperations {
  deadLetterList: PageParams & {
    queue: string | null;
    partition: string | null;
    group: string | null;
    error: string | null;
    /** ISO timestamps or null. */
    from: string | null;
    to: string | null;
  };
  /** `limit`: errors answered, the most frequent ones. */
  deadLetterErrors: { queue: string | null; group: string | null; limit: number };
  messageGet: MessageParams;
  messageDelete: MessageParams;
  messageRetry: MessageParams;
  messageMoveToDeadLetter: MessageParams;
  traceCreate: Record<string, never>;
  traceList: MessageParams;
  traceListByName: PageParams & { name: string };
  traceNameList: PageParams;
}
