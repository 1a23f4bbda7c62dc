/**
 * Options of a queue, as the command line has them.
 *
 * @module
 */

/** An option of `queen queue configure`. */
export interface QueueOption {
  /** Name in the API, and, with dashes, of the option. */
  readonly option: string;
  readonly kind: "number" | "boolean";
  readonly unit: string;
  readonly help: string;
}

/** In the order in which they are shown. */
export const QUEUE_OPTIONS: readonly QueueOption[] = [
  { option: "leaseTime", kind: "number", unit: "s", help: "how long a popped message stays leased" },
  {
    option: "retryLimit",
    kind: "number",
    unit: "",
    help: "deliveries after the first, before a message is a dead letter",
  },
  { option: "retryDelay", kind: "number", unit: "ms", help: "pause before a failed message is delivered again" },
  { option: "maxSize", kind: "number", unit: "", help: "messages the queue holds at most, 0 for any number" },
  { option: "ttl", kind: "number", unit: "s", help: "age at which messages vanish" },
  {
    option: "deadLetterQueue",
    kind: "boolean",
    unit: "",
    help: "kept for older clients; dead letters are always kept",
  },
  { option: "dlqAfterMaxRetries", kind: "boolean", unit: "", help: "as above" },
  { option: "priority", kind: "number", unit: "", help: "among the queues of a namespace or task, higher first" },
  { option: "delayedProcessing", kind: "number", unit: "s", help: "age a message must have to be delivered" },
  { option: "windowBuffer", kind: "number", unit: "s", help: "a partition waits so long after its latest message" },
  { option: "retentionSeconds", kind: "number", unit: "s", help: "age at which messages are deleted, consumed or not" },
  {
    option: "completedRetentionSeconds",
    kind: "number",
    unit: "s",
    help: "age at which consumed messages are deleted",
  },
  { option: "retentionEnabled", kind: "boolean", unit: "", help: "whether these two are in effect" },
  { option: "encryptionEnabled", kind: "boolean", unit: "", help: "payloads are encrypted in the database" },
  { option: "maxWaitTimeSeconds", kind: "number", unit: "s", help: "age at which unconsumed messages are deleted" },
];
