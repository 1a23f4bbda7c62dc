/**
 * The answer of a push (wire contract, section 6.2).
 *
 * @module
 */

import { quoted } from "./json-render.ts";

/** What became of one item. */
export type PushOutcome =
  | { status: "queued"; messageId: string; partitionId: string; offset?: number }
  | { status: "duplicate"; messageId: string }
  | { status: "buffered"; partition: string }
  | { status: "failed"; error: string };

/** One item and what became of it. */
export interface PushResult {
  queue: string;
  transactionId: string;
  traceId: string | null;
  outcome: PushOutcome;
}

/** One element of the answer as a value, for CBOR and for transactions. */
export function pushResultValue(result: PushResult, index: number): Record<string, unknown> {
  const { queue, transactionId, traceId, outcome } = result;
  switch (outcome.status) {
    case "queued":
      return {
        index,
        status: "queued",
        transaction_id: transactionId,
        message_id: outcome.messageId,
        partition_id: outcome.partitionId,
        trace_id: traceId,
        queueName: queue,
      };
    case "duplicate":
      return {
        index,
        status: "duplicate",
        transaction_id: transactionId,
        message_id: outcome.messageId,
        queueName: queue,
      };
    case "buffered":
      return { index, status: "buffered", queue, partition: outcome.partition, transactionId };
    case "failed":
      return { index, status: "failed", transaction_id: transactionId, error: outcome.error, queueName: queue };
  }
}

/** The answer as JSON text, one element an item, in order. */
export function renderPushAnswer(results: readonly PushResult[]): string {
  const parts: string[] = [];
  let queue: string | null = null;
  let tail = "";
  for (let index = 0; index < results.length; index += 1) {
    const result = results[index]!;
    const { outcome } = result;
    parts.push(index === 0 ? "[" : ",");
    if (outcome.status !== "queued") {
      parts.push(JSON.stringify(pushResultValue(result, index)));
      continue;
    }
    if (result.queue !== queue) {
      queue = result.queue;
      tail = `,"queueName":${JSON.stringify(queue)}}`;
    }
    parts.push(
      '{"index":',
      String(index),
      ',"status":"queued","transaction_id":',
      quoted(result.transactionId),
      ',"message_id":"',
      outcome.messageId,
      '","partition_id":"',
      outcome.partitionId,
      '","trace_id":',
      result.traceId === null ? "null" : `"${result.traceId}"`,
      tail,
    );
  }
  return results.length === 0 ? "[]" : `${parts.join("")}]`;
}
