/**
 * Single messages and dead letters.
 *
 * @module
 */
import { Type } from "typebox";
import type { ApiOperation } from "./operation.ts";
import {
  anything,
  count,
  ErrorAnswer,
  exact,
  Instant,
  InstantText,
  nullable,
  oneOf,
  Pagination,
  pageQuery,
  Uuid,
} from "./shapes.ts";

/** What may be said of a message as a whole. */
export const MessageStatus = oneOf("pending", "processing", "completed", "dead_letter");

const MessageDetail = exact(
  {
    id: Uuid,
    transactionId: Type.String(),
    partitionId: Uuid,
    queuePath: Type.String(),
    queue: Type.String(),
    partition: Type.String(),
    namespace: Type.String(),
    task: Type.String(),
    status: MessageStatus,
    payload: anything(),
    isEncrypted: Type.Boolean({ description: "At rest; shown decrypted." }),
    traceId: nullable(Uuid),
    producerSub: nullable(Type.String()),
    createdAt: Instant,
    errorMessage: nullable(Type.String()),
    retryCount: nullable(count()),
    leaseExpiresAt: nullable(Instant),
    queueConfig: exact({
      leaseTime: Type.Integer(),
      retryLimit: Type.Integer(),
      retryDelay: Type.Integer(),
      ttl: Type.Integer(),
      priority: Type.Integer(),
    }),
    mode: exact({
      hasQueueMode: Type.Boolean(),
      busGroupsCount: count(),
      consumedByGroups: count(),
      type: oneOf("queue", "bus", "hybrid", "none"),
    }),
    consumerGroups: Type.Array(
      exact({ name: Type.String(), consumed: Type.Boolean(), leaseExpiresAt: nullable(Instant) }),
    ),
  },
  { title: "MessageDetail" },
);

const DeadLetter = exact(
  {
    id: Uuid,
    transactionId: Type.String(),
    partitionId: Uuid,
    queue: Type.String(),
    partition: Type.String(),
    consumerGroup: Type.String(),
    errorMessage: Type.String(),
    retryCount: count(),
    data: anything(),
    producerSub: nullable(Type.String()),
    createdAt: Instant,
    failedAt: Instant,
  },
  { title: "DeadLetter" },
);

const PATH = "/api/v1/messages/:partitionId/:transactionId";

/** Routes of one message, and of the dead letters. */
export const messageOperations: readonly ApiOperation[] = [
  {
    method: "GET",
    path: PATH,
    id: "message",
    tag: "Messages",
    summary: "One message with its payload",
    answers: {
      200: {
        description: "The message, or `error` when there is none.",
        schema: Type.Union([MessageDetail, ErrorAnswer]),
      },
    },
  },
  {
    method: "DELETE",
    path: PATH,
    id: "deleteMessage",
    tag: "Messages",
    summary: "Delete a message",
    answers: {
      200: {
        description: "Look at `success`.",
        schema: exact({
          success: Type.Boolean(),
          partitionId: Type.String(),
          transactionId: Type.String(),
          message: Type.String(),
        }),
      },
    },
  },
  {
    method: "POST",
    path: `${PATH}/retry`,
    id: "retryMessage",
    tag: "Messages",
    summary: "Deliver a dead letter again",
    answers: {
      200: {
        description: "Look at `retried`.",
        schema: exact({
          retried: Type.Boolean(),
          transactionId: Type.String(),
          error: Type.Optional(Type.String()),
        }),
      },
    },
  },
  {
    method: "POST",
    path: `${PATH}/dlq`,
    id: "deadLetterMessage",
    tag: "Messages",
    summary: "Dead-letter a message for all who have not consumed it",
    answers: {
      200: {
        description: "Look at `movedToDLQ`.",
        schema: exact({
          movedToDLQ: Type.Boolean(),
          transactionId: Type.String(),
          error: Type.Optional(Type.String()),
        }),
      },
    },
  },
  {
    method: "GET",
    path: "/api/v1/dlq",
    id: "deadLetters",
    tag: "Dead letters",
    summary: "List dead letters, latest failure first",
    query: {
      queue: Type.String(),
      partition: Type.String(),
      consumerGroup: Type.String(),
      error: Type.String({ description: "Exactly this error." }),
      from: Type.String({ ...InstantText, description: "Failed at or after. ISO 8601." }),
      to: Type.String({ ...InstantText, description: "Failed at or before. ISO 8601." }),
      ...pageQuery(100),
    },
    answers: {
      200: {
        description: "A page, and how many there are in all.",
        schema: exact({ messages: Type.Array(DeadLetter), total: count(), pagination: Pagination }),
      },
    },
  },
  {
    method: "GET",
    path: "/api/v1/dlq/errors",
    id: "deadLetterErrors",
    tag: "Dead letters",
    summary: "Count dead letters by their error, most frequent first",
    description: "Counts the latest 100,000 of each queue.",
    query: {
      queue: Type.String(),
      consumerGroup: Type.String(),
      limit: Type.Integer({ default: 100, minimum: 1, maximum: 10_000, description: "Clamped." }),
    },
    answers: {
      200: {
        description: "The errors.",
        schema: exact({
          errors: Type.Array(
            exact({
              errorMessage: Type.String(),
              messages: count(),
              queues: count(),
              firstFailedAt: Instant,
              lastFailedAt: Instant,
            }),
          ),
        }),
      },
    },
  },
];
