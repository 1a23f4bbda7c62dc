/**
 * The answer of an acknowledgement (wire contract, section 8.3).
 *
 * @module
 */

import { quoted } from "./json-render.ts";

/** Result of one acknowledgement, as the contract shows it. */
export interface AckResult {
  index: number;
  transactionId: string;
  success: boolean;
  error: string | null;
  queueName: string | null;
  partitionName: string | null;
  leaseReleased: boolean | null;
  dlq: boolean;
}

/** The answer as JSON text, one element a result, in order. */
export function renderAckAnswer(results: readonly AckResult[]): string {
  if (results.length === 0) return "[]";
  const parts: string[] = [];
  let last: AckResult | null = null;
  let tail = "";
  for (const result of results) {
    // Neighbours mostly differ in their index and id alone.
    if (
      last === null ||
      result.success !== last.success ||
      result.error !== last.error ||
      result.queueName !== last.queueName ||
      result.partitionName !== last.partitionName ||
      result.leaseReleased !== last.leaseReleased ||
      result.dlq !== last.dlq
    ) {
      const { success, error, queueName, partitionName, leaseReleased, dlq } = result;
      tail = `,${JSON.stringify({ success, error, queueName, partitionName, leaseReleased, dlq }).slice(1)}`;
      last = result;
    }
    parts.push(parts.length === 0 ? '[{"index":' : ',{"index":', String(result.index), ',"transactionId":');
    parts.push(quoted(result.transactionId), tail);
  }
  return `${parts.join("")}]`;
}
