/**
 * What the overload tells its load process, as the first argument, and what that prints, one JSON line a second.
 *
 * @module
 */

/** A stream of equal requests. */
export interface LoadSpec {
  url: string;
  kind: "push" | "pop" | "ack";
  queue: string;
  partitions: number;
  /** Messages of a push, or most messages of a pop. */
  perRequest: number;
  payloadBytes: number;
  /** What is acknowledged, again and again. */
  ack?: { transactionId: string; partitionId: string };
  /** Most requests in flight. */
  connections: number;
  /** Requests a second, sent whether or not earlier ones are answered; null: the next one when one is answered. */
  perSecond: number | null;
  /** Ends after so long. */
  seconds: number;
}

/** What happened in a second, and altogether when it is the last line. */
export interface LoadSecond {
  final: boolean;
  seconds: number;
  /** Due, whether it was sent or not. */
  offered: number;
  /** Not sent, since too much was in flight already. */
  unsent: number;
  accepted: number;
  refused: number;
  /** Refused without `Retry-After`. */
  withoutRetryAfter: number;
  /** Neither 2xx nor 503, by status; 0 is a connection that broke. */
  others: Record<string, number>;
  acceptedP50Ms: number;
  acceptedP99Ms: number;
  acceptedMaxMs: number;
  refusedP50Ms: number;
  refusedP99Ms: number;
}
