/**
 * The October 2025 dialect: produce, consume, configure, single messages.
 *
 * @module
 */
import { Type } from "typebox";
import { popQuery } from "./consume.ts";
import {
  OCTOBER,
  OctoberAckAnswer,
  OctoberAckBatchAnswer,
  OctoberAckBatchBody,
  OctoberAckBody,
  OctoberConfigureAnswer,
  OctoberConfigureBody,
  OctoberMessageDetail,
  OctoberPoppedMessage,
  OctoberPushResult,
  OctoberRelatedMessage,
} from "./october-shapes.ts";
import type { ApiAnswer, ApiOperation } from "./operation.ts";
import { PushBody } from "./produce.ts";
import { count, ErrorAnswer, exact, nullable, Uuid } from "./shapes.ts";

const { batch, wait, consumerGroup, subscriptionMode, subscriptionFrom } = popQuery;
const timeout = Type.Integer({ default: 30_000, minimum: 0, maximum: 60_000, description: "Milliseconds. Clamped." });
const octoberPopQuery = {
  batch,
  wait,
  timeout,
  consumerGroup,
  consumer_group: Type.String({ description: "As `consumerGroup`." }),
  subscriptionMode,
  subscriptionFrom,
};
const popAnswers: Readonly<Record<number, ApiAnswer>> = {
  200: {
    description: "Messages, leased.",
    schema: exact({ messages: Type.Array(OctoberPoppedMessage, { minItems: 1 }) }, { title: "OctoberPopAnswer" }),
  },
  204: { description: "Nothing to deliver." },
};
const wrongState: ApiAnswer = { description: "The message is not in a state for that.", schema: ErrorAnswer };
const transactionId = Type.String();
const MESSAGE = `${OCTOBER}/messages/:transactionId`;
const tag = "October 2025";

const hot: readonly ApiOperation[] = [
  {
    method: "POST",
    path: `${OCTOBER}/configure`,
    id: "octoberConfigure",
    tag,
    summary: "Create a queue, or overwrite its settings",
    body: { schema: OctoberConfigureBody },
    answers: { 201: { description: "The settings that are in effect now.", schema: OctoberConfigureAnswer } },
  },
  {
    method: "POST",
    path: `${OCTOBER}/push`,
    id: "octoberPush",
    tag,
    summary: "Append messages to queues that are there",
    body: { schema: PushBody },
    answers: {
      201: {
        description: "One result an item, in order.",
        schema: exact({ messages: Type.Array(OctoberPushResult, { minItems: 1 }) }),
      },
      409: { description: "Interrupted; items without transaction ids may or may not be stored.", schema: ErrorAnswer },
    },
  },
  {
    method: "GET",
    path: `${OCTOBER}/pop/queue/:queue`,
    id: "octoberPop",
    tag,
    summary: "Lease messages from any partition of a queue",
    role: "read-write",
    query: octoberPopQuery,
    answers: popAnswers,
  },
  {
    method: "GET",
    path: `${OCTOBER}/pop/queue/:queue/partition/:partition`,
    id: "octoberPopPartition",
    tag,
    summary: "Lease messages from one partition",
    role: "read-write",
    query: octoberPopQuery,
    answers: popAnswers,
  },
  {
    method: "GET",
    path: `${OCTOBER}/pop`,
    id: "octoberPopFiltered",
    tag,
    summary: "Lease messages from the queues of a namespace and/or task",
    role: "read-write",
    query: {
      namespace: Type.String({ description: "This or `task` is required." }),
      task: Type.String(),
      ...octoberPopQuery,
    },
    answers: popAnswers,
  },
  {
    method: "POST",
    path: `${OCTOBER}/ack`,
    id: "octoberAck",
    tag,
    summary: "Acknowledge one message by its transaction id",
    body: { schema: OctoberAckBody },
    answers: { 200: { description: "What the message is now.", schema: OctoberAckAnswer } },
  },
  {
    method: "POST",
    path: `${OCTOBER}/ack/batch`,
    id: "octoberAckBatch",
    tag,
    summary: "Acknowledge many messages",
    body: { schema: OctoberAckBatchBody },
    answers: { 200: { description: "What each message is now, in order.", schema: OctoberAckBatchAnswer } },
  },
];

const queues: readonly ApiOperation[] = [
  {
    method: "DELETE",
    path: `${OCTOBER}/resources/queues/:queue`,
    id: "octoberDeleteQueue",
    tag,
    summary: "Delete a queue and everything in it",
    role: "admin",
    answers: {
      200: {
        description: "It is gone.",
        schema: exact({
          deleted: Type.Literal(true),
          queue: Type.String(),
          existed: Type.Boolean(),
          id: nullable(Uuid),
        }),
      },
    },
  },
  {
    method: "DELETE",
    path: `${OCTOBER}/queues/:queue/clear`,
    id: "octoberClearQueue",
    tag,
    summary: "Delete the messages of a queue, or of one partition",
    role: "admin",
    query: { partition: Type.String() },
    answers: {
      200: {
        description: "How many messages were deleted.",
        schema: exact({ cleared: Type.Literal(true), count: count(), queue: Type.String(), partition: Type.String() }),
      },
    },
  },
];

const messages: readonly ApiOperation[] = [
  {
    method: "GET",
    path: MESSAGE,
    id: "octoberMessage",
    tag,
    summary: "One message with its payload",
    answers: { 200: { description: "The message.", schema: OctoberMessageDetail } },
  },
  {
    method: "DELETE",
    path: MESSAGE,
    id: "octoberDeleteMessage",
    tag,
    summary: "Delete a message",
    answers: { 200: { description: "It is gone.", schema: exact({ deleted: Type.Literal(true), transactionId }) } },
  },
  {
    method: "GET",
    path: `${MESSAGE}/related`,
    id: "octoberRelatedMessages",
    tag,
    summary: "Neighbours of a message in its partition",
    answers: {
      200: { description: "Nearest first.", schema: exact({ messages: Type.Array(OctoberRelatedMessage) }) },
    },
  },
  {
    method: "POST",
    path: `${MESSAGE}/retry`,
    id: "octoberRetryMessage",
    tag,
    summary: "Deliver a failed message again",
    answers: {
      200: { description: "It is deliverable.", schema: exact({ retried: Type.Literal(true), transactionId }) },
      409: wrongState,
    },
  },
  {
    method: "POST",
    path: `${MESSAGE}/dlq`,
    id: "octoberDeadLetterMessage",
    tag,
    summary: "Dead-letter a failed message",
    answers: {
      200: { description: "It is a dead letter.", schema: exact({ movedToDLQ: Type.Literal(true), transactionId }) },
      409: wrongState,
    },
  },
];

/** Routes of the dialect that are not listings. */
export const octoberOperations: readonly ApiOperation[] = [...hot, ...queues, ...messages];
