/**
 * Parameters of the operations that produce and consume.
 *
 * @module
 */

/** Parameters of a pop, as the route decoded them from path and query; ranges are already clamped. */
export interface PopParams {
  /** Absent for a pop by namespace and/or task. */
  queue?: string;
  /** Present for a pop of one partition. */
  partition?: string;
  namespace?: string;
  task?: string;
  /** Consumer group name; `__QUEUE_MODE__` when the client named none. */
  group: string;
  /** Most messages in the answer, over all partitions; 1 or more. */
  batch: number;
  /** Most partitions claimed for the answer; 1 or more. */
  partitions: number;
  wait: boolean;
  /** Long-poll limit in milliseconds, 0 or more. Only looked at with `wait`. */
  timeoutMs: number;
  autoAck: boolean;
  /** Raw query values; empty when absent. */
  subscriptionMode: string;
  subscriptionFrom: string;
  /** Messages are wanted as the segments they are stored in. */
  segments?: boolean;
  /** The client speaks the dialect of October 2025. */
  october?: true;
}

/** Operations that produce and consume, and their parameters. One that reads a body gets it in the request. */
export interface HotOperations {
  push: { producerSub: string | null; october?: true };
  pop: PopParams;
  ack: Record<string, never>;
  ackBatch: Record<string, never>;
  transaction: Record<string, never>;
  leaseExtend: { leaseId: string };
  leaseAcknowledge: { leaseId: string };
}
