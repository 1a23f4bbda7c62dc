/**
 * Answers of the API that several pages read; `docs/routes.md` and `/openapi.json` describe them.
 *
 * @module
 */

/** An element of a list of queues. */
export interface QueueElement {
  id: string;
  name: string;
  namespace: string;
  task: string;
  createdAt: string;
  partitions: number;
  messages: { total: number; pending: number; processing: number };
}

/** A consumer group on a queue. */
export interface Group {
  name: string;
  queueName: string;
  members: number;
  partitionsWithLag: number;
  pendingMessages: number | null;
  /** In seconds. */
  maxTimeLag: number;
  state: string;
  subscriptionMode: string | null;
  subscriptionTimestamp: string | null;
}

/** Counts of a queue or a partition. */
export interface Counts {
  total: number;
  pending: number;
  processing: number;
  completed: number;
  failed: number;
  deadLetter: number;
}

/** A partition of a queue. */
export interface Partition {
  id: string;
  name: string;
  createdAt: string;
  messages: Counts;
  lastActivity: string | null;
  oldestMessage: string | null;
  newestMessage: string | null;
}

/** A message in a list. */
export interface MessageElement {
  id: string;
  transactionId: string;
  partitionId: string;
  queue: string;
  partition: string;
  status: string;
  createdAt: string;
}

/** A dead letter. */
export interface DeadLetter {
  id: string;
  transactionId: string;
  partitionId: string;
  queue: string;
  partition: string;
  consumerGroup: string;
  errorMessage: string;
  retryCount: number;
  data: unknown;
  createdAt: string;
  failedAt: string;
}

/** Options of a queue: those that can be configured. */
export type QueueOptions = Record<string, number | boolean>;

/** How a consumer group stands on a partition. */
export interface GroupPartition {
  partition: string;
  workerId: string | null;
  lastConsumedAt: string | null;
  totalConsumed: number;
  offsetLag: number;
  timeLagSeconds: number;
  leaseActive: boolean;
}
