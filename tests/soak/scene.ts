/**
 * What goes on in a soak: queues of several kinds, those who push to them, and those who consume.
 *
 * @module
 */

/** One queue and its life. */
export interface QueuePlan {
  queue: string;
  /** Options of configure. */
  options: Record<string, unknown>;
  /** Partitions, each with a producer of its own. */
  partitions: number;
  perRequest: number;
  /** `ordered`: time-ordered ids as clients draw them; `text`: ids of the application. */
  ids: "ordered" | "text";
  /** Every so many requests are sent a second time and must be known as duplicates. */
  repeatEvery: number;
  /** Groups that each must get everything; `null` names none. */
  groups: readonly (string | null)[];
  /** Consumers of each group. */
  consumers: number;
  batch: number;
  /** Acknowledge the lease instead of the messages. */
  acksLease: boolean;
  /** Attempts after which a message is a dead letter; 0 when nothing ever fails. */
  attempts: number;
  /** A further group that is moved back and forth. */
  rewound: string | null;
}

const RETRY_LIMIT = 2;
const DELAY_S = 2;

/**
 * Makes the plan.
 *
 * @param retentionSeconds - Age at which messages are deleted, 2 or more; consumed ones go after a tenth of it.
 */
export function scenePlan(retentionSeconds: number): QueuePlan[] {
  const byAge = { retentionEnabled: true, retentionSeconds };
  const consumed = { retentionEnabled: true, completedRetentionSeconds: Math.max(1, Math.ceil(retentionSeconds / 10)) };
  const usual = {
    ids: "ordered",
    repeatEvery: 50,
    consumers: 2,
    acksLease: false,
    attempts: 0,
    rewound: null,
  } as const;
  return [
    {
      ...usual,
      queue: "orders",
      options: byAge,
      partitions: 12,
      perRequest: 100,
      groups: ["billing", "shipping"],
      batch: 1000,
      acksLease: true,
    },
    {
      ...usual,
      queue: "events",
      options: byAge,
      partitions: 8,
      perRequest: 1,
      ids: "text",
      repeatEvery: 20,
      groups: ["audit"],
      batch: 100,
      rewound: "rewinder",
    },
    {
      ...usual,
      queue: "tasks",
      options: { ...consumed, retryLimit: RETRY_LIMIT },
      partitions: 4,
      perRequest: 10,
      groups: [null],
      batch: 100,
      attempts: RETRY_LIMIT + 1,
    },
    {
      ...usual,
      queue: "reminders",
      options: { ...consumed, delayedProcessing: DELAY_S },
      partitions: 2,
      perRequest: 10,
      groups: ["clock"],
      batch: 200,
    },
    {
      ...usual,
      queue: "secrets",
      options: { ...byAge, encryptionEnabled: true },
      partitions: 4,
      perRequest: 20,
      groups: ["vault"],
      batch: 500,
    },
  ];
}

/** Name under which a group is accounted. */
export function accountName(group: string | null): string {
  return group ?? "(no group)";
}

/** What a consumer of a queue with `attempts` does with a message. */
export function fails(number: number, failuresBefore: number): boolean {
  return isPoison(number) || (number % 31 === 7 && failuresBefore === 0);
}

/** Whether a message can never be completed. */
export function isPoison(number: number): boolean {
  return number % 97 === 13;
}
