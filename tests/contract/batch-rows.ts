/**
 * What consumers may say of a batch of three messages, and the safe outcome of each (wire contract, 4.4).
 *
 * @module
 */
import { type AckItem, ackOf, leasedAckOf, type Popped } from "../support/api.ts";

/**
 * One row of the table of batches: A, B and C popped together, then `requests`, each a list of `<letter> <status>`. A
 * second word `bare` in front sends no lease id; `!` behind expects `Invalid or expired lease`.
 */
export interface BatchRow {
  name: string;
  retryLimit: number;
  /** Whole-batch failures before the rows' own requests. */
  failuresBefore?: number;
  requests: string[][];
  /** What the next pop of the group gets, or `held` when the lease is still there. */
  next: string[] | "held";
  dead: string[];
}

/** Every row of the contract's table (4.4), and more of their kind. */
export const BATCH_ROWS: readonly BatchRow[] = [
  {
    name: "one request, all completed",
    retryLimit: 3,
    requests: [["A completed", "B completed", "C completed"]],
    next: [],
    dead: [],
  },
  { name: "A completed, nothing more", retryLimit: 3, requests: [["A completed"]], next: "held", dead: [] },
  {
    name: "separate requests with the lease: A completed, B failed, C completed",
    retryLimit: 3,
    requests: [["A completed"], ["B failed"], ["C completed !"]],
    next: ["B", "C"],
    dead: [],
  },
  {
    name: "separate requests without the lease: A completed, B failed, C completed",
    retryLimit: 3,
    requests: [["bare A completed"], ["bare B failed"], ["bare C completed"]],
    next: ["B"],
    dead: [],
  },
  {
    name: "one request: A completed, B failed, C completed",
    retryLimit: 3,
    requests: [["A completed", "B failed", "C completed"]],
    next: ["B"],
    dead: [],
  },
  {
    name: "one request: A failed, B and C completed",
    retryLimit: 3,
    requests: [["A failed", "B completed", "C completed"]],
    next: ["A"],
    dead: [],
  },
  {
    name: "one request: A and B completed, C failed",
    retryLimit: 3,
    requests: [["A completed", "B completed", "C failed"]],
    next: ["C"],
    dead: [],
  },
  { name: "one request: A failed only", retryLimit: 3, requests: [["A failed"]], next: ["A", "B", "C"], dead: [] },
  {
    name: "one request, all failed, two retries left",
    retryLimit: 2,
    requests: [["A failed", "B failed", "C failed"]],
    next: ["A", "B", "C"],
    dead: [],
  },
  {
    name: "one request, all failed, exactly one retry left",
    retryLimit: 1,
    requests: [["A failed", "B failed", "C failed"]],
    next: ["A", "B", "C"],
    dead: [],
  },
  {
    name: "one request, all failed, one retry left after one failure",
    retryLimit: 2,
    failuresBefore: 1,
    requests: [["A failed", "B failed", "C failed"]],
    next: ["A", "B", "C"],
    dead: [],
  },
  {
    name: "one request, all failed, no retries left",
    retryLimit: 0,
    requests: [["A failed", "B failed", "C failed"]],
    next: [],
    dead: ["A", "B", "C"],
  },
  {
    name: "one request, all failed, no retries left after a failure",
    retryLimit: 1,
    failuresBefore: 1,
    requests: [["A failed", "B failed", "C failed"]],
    next: [],
    dead: ["A", "B", "C"],
  },
  {
    name: "one request, no retries left: A completed, B failed, C completed",
    retryLimit: 0,
    requests: [["A completed", "B failed", "C completed"]],
    next: [],
    dead: ["B"],
  },
  {
    name: "separate requests with the lease, all failed, retries left",
    retryLimit: 3,
    requests: [["A failed"], ["B failed !"], ["C failed !"]],
    next: ["A", "B", "C"],
    dead: [],
  },
  {
    name: "separate requests with the lease, all failed, no retries left",
    retryLimit: 0,
    requests: [["A failed"], ["B failed"], ["C failed"]],
    next: [],
    dead: ["A", "B", "C"],
  },
  {
    name: "A dlq, then B and C completed",
    retryLimit: 3,
    requests: [["A dlq"], ["B completed"], ["C completed"]],
    next: [],
    dead: ["A"],
  },
  {
    name: "out of order: C, A, B completed",
    retryLimit: 3,
    requests: [["C completed"], ["A completed"], ["B completed"]],
    next: [],
    dead: [],
  },
  {
    name: "out of order within a request",
    retryLimit: 3,
    requests: [["C completed", "B failed", "A completed"]],
    next: ["B"],
    dead: [],
  },
  { name: "C completed, nothing more", retryLimit: 3, requests: [["C completed"]], next: "held", dead: [] },
  {
    name: "A acked three times",
    retryLimit: 3,
    requests: [["A completed"], ["A completed"], ["A completed"]],
    next: "held",
    dead: [],
  },
  {
    name: "A acked three times in one request",
    retryLimit: 3,
    requests: [["A completed", "A completed", "A completed"]],
    next: "held",
    dead: [],
  },
  {
    name: "A retry, B and C completed in one request",
    retryLimit: 3,
    requests: [["A retry", "B completed", "C completed"]],
    next: ["A"],
    dead: [],
  },
  {
    name: "B retry, then C completed under the released lease",
    retryLimit: 3,
    requests: [["B retry"], ["C completed !"]],
    next: ["A", "B", "C"],
    dead: [],
  },
];

/** `[bare] <letter> <status> [!]` as the acknowledgement of that message of the batch. */
export function parseAck(text: string, batch: readonly Popped[]): AckItem {
  const bare = text.startsWith("bare ");
  const [letter, status] = text.slice(bare ? 5 : 0).split(" ");
  const message = batch.find((one) => one.data === letter)!;
  return bare ? ackOf(message, status) : leasedAckOf(message, status);
}
