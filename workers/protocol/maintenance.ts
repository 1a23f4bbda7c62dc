/**
 * Maintenance and the spool: parameters of their operations, and what worker 0 tells the router about them.
 *
 * @module
 */

/** A push that another worker could not store, packed for the spool; the body of the request is its content. */
export interface SpoolAppendParams {
  format: number;
  messageCount: number;
  rawBytes: number;
  /** Names of its queues. */
  queues: string[];
  /** Every item came with a transaction id: repeating the push would not store it twice. */
  repeatable: boolean;
}

/** See the module. Only worker 0 carries them out. */
export interface MaintenanceOperations {
  maintenanceGet: Record<string, never>;
  /** Body `{"enabled": boolean}`. */
  maintenanceSet: Record<string, never>;
  popMaintenanceGet: Record<string, never>;
  /** Body `{"enabled": boolean}`. */
  popMaintenanceSet: Record<string, never>;
  bufferStatus: Record<string, never>;
  spoolAppend: SpoolAppendParams;
}

/** How an instance stands. */
export interface InstanceState {
  pushMaintenance: boolean;
  popMaintenance: boolean;
  /** Pushes go to the spool of worker 0, or wait there until it is drained. */
  buffering: boolean;
  /** Messages in the spool, and messages that were set aside as refused. */
  pendingMessages: number;
  failedMessages: number;
  /** Whether the database answered last. */
  databaseHealthy: boolean;
  /** Whether pushes can be spooled. */
  spoolUsable: boolean;
}

/** Before worker 0 has said anything. */
export const INSTANCE_STATE_UNKNOWN: InstanceState = Object.freeze({
  pushMaintenance: false,
  popMaintenance: false,
  buffering: false,
  pendingMessages: 0,
  failedMessages: 0,
  databaseHealthy: true,
  spoolUsable: false,
});
