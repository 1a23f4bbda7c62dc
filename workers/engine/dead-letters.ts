/**
 * The list of dead letters.
 *
 * @module
 */

import { partitionUuid } from "../../schema/wire/ids.ts";
import { toMilliseconds } from "../../schema/wire/instant.ts";
import type { OperationParams } from "../protocol.ts";
import {
  deadLetterCount,
  deadLetterErrors as deadLetterErrorsStatement,
  deadLetterList as deadLetterListStatement,
} from "../storage/dead-letters.ts";
import { type Answer, type EngineContext, ok } from "./context.ts";
import { readMessages } from "./read-messages.ts";

/** Answers a page of dead letters with their payloads, latest failure first. */
export async function deadLetterList(
  context: EngineContext,
  params: OperationParams["deadLetterList"],
): Promise<Answer> {
  const { limit, offset, ...filter } = params;
  const sql = context.database.look;
  const rows = await deadLetterListStatement(sql, filter, { limit, offset });
  const total = rows.length < limit && rows.length > 0 ? offset + rows.length : await deadLetterCount(sql, filter);
  const stored = await readMessages(
    context,
    sql,
    rows.map((row) => ({ queueId: row.queue_id, partitionId: row.partition_id, offset: row.message_offset })),
  );
  const messages = rows.flatMap((row, index) => {
    const message = stored[index];
    // Its message expired between the two readings.
    if (!message) return [];
    return {
      id: message.id,
      transactionId: message.transactionId,
      partitionId: partitionUuid(row.queue_id, row.partition_id),
      queue: row.queue,
      partition: row.partition,
      consumerGroup: row.consumer_group,
      errorMessage: row.error,
      retryCount: row.failure_count,
      data: message.payload,
      producerSub: message.producerSub,
      createdAt: toMilliseconds(message.createdAt),
      failedAt: toMilliseconds(row.failed_at),
    };
  });
  return ok({ messages, total, pagination: { limit, offset } });
}

/** Answers the errors that dead letters failed with, the most frequent first. */
export async function deadLetterErrors(
  context: EngineContext,
  params: OperationParams["deadLetterErrors"],
): Promise<Answer> {
  const rows = await deadLetterErrorsStatement(context.database.look, params);
  return ok({
    errors: rows.map(({ error, messages, queues, first, last }) => ({
      errorMessage: error,
      messages,
      queues,
      firstFailedAt: toMilliseconds(first),
      lastFailedAt: toMilliseconds(last),
    })),
  });
}
