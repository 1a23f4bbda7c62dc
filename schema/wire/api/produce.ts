/**
 * Push and transaction.
 *
 * @module
 */
import { Type } from "typebox";
import { DEFAULT_PARTITION, QUEUE_MODE_GROUP } from "../limits.ts";
import type { ApiOperation } from "./operation.ts";
import { anything, ErrorAnswer, exact, Name, NonEmptyName, nullable, oneOf, Uuid } from "./shapes.ts";

const OptionalUuid = Type.Union([Uuid, Type.Literal("")], { description: "A UUID; the empty text counts as absent." });

/** One item of a push, as the reader of pushes takes it. */
export const PushItemBody = Type.Object(
  {
    queue: Name,
    partition: Type.Optional(Type.String({ ...Name, default: DEFAULT_PARTITION })),
    payload: Type.Optional(anything("Any JSON value; null when absent. It comes back byte for byte.")),
    transactionId: Type.Optional(
      Type.String({
        ...Name,
        description: "Unique in its partition for as long as the message is kept. Drawn when absent or empty.",
      }),
    ),
    traceId: Type.Optional(OptionalUuid),
  },
  { title: "PushItem" },
);

/** The request of a push. */
export const PushBody = Type.Object({ items: Type.Array(PushItemBody) }, { title: "PushRequest" });

const MessageUuid = Type.String({ ...Uuid, description: "A UUIDv7 that grows along the partition." });

const Queued = exact({
  index: Type.Integer(),
  status: Type.Literal("queued"),
  transaction_id: Type.String(),
  message_id: MessageUuid,
  partition_id: Uuid,
  trace_id: nullable(Uuid),
  queueName: Type.String(),
});
const Duplicate = exact({
  index: Type.Integer(),
  status: Type.Literal("duplicate"),
  transaction_id: Type.String(),
  message_id: Type.String({ ...Uuid, description: "Of the message that is kept." }),
  queueName: Type.String(),
});
const Buffered = exact(
  {
    index: Type.Integer(),
    status: Type.Literal("buffered"),
    queue: Type.String(),
    partition: Type.String(),
    transactionId: Type.String({ description: "As given, or drawn." }),
  },
  { description: "On the disk of the server; stored when the database takes it, once and in order." },
);
const Failed = exact({
  index: Type.Integer(),
  status: Type.Literal("failed"),
  transaction_id: Type.String(),
  error: Type.String(),
  queueName: Type.String(),
});

/** One element of the answer to a push. */
export const PushResultAnswer = Type.Union([Queued, Duplicate, Buffered, Failed], { title: "PushResult" });

const AckOperation = Type.Object({
  type: Type.Literal("ack"),
  transactionId: NonEmptyName,
  partitionId: Type.String({ minLength: 1, description: "A UUID; anything else is not found." }),
  status: Type.Optional(nullable(Type.String({ default: "completed" }))),
  consumerGroup: Type.Optional(nullable(Type.String({ ...Name, default: QUEUE_MODE_GROUP }))),
  leaseId: Type.Optional(nullable(Type.String({ description: "Checked when given and not empty." }))),
  error: Type.Optional(nullable(Type.String())),
});
const PushList = Type.Object({ type: Type.Literal("push"), items: Type.Array(PushItemBody) });
const PushOne = Type.Object({
  type: Type.Literal("push"),
  ...PushItemBody.properties,
  data: Type.Optional(anything("The payload, when there is no `payload`.")),
  items: Type.Optional(Type.Never()),
});
const UnknownOperation = Type.Object(
  { type: Type.Optional(Type.Unsafe({ not: oneOf("push", "ack") })) },
  { description: "Any other type fails the transaction." },
);

/** The request of a transaction. */
export const TransactionBody = Type.Object(
  {
    operations: Type.Array(Type.Union([PushList, PushOne, AckOperation, UnknownOperation]), { minItems: 1 }),
    requiredLeases: Type.Optional(anything("Ignored.")),
  },
  { title: "TransactionRequest" },
);

const TransactionPush = exact({
  index: Type.Integer(),
  type: Type.Literal("push"),
  success: Type.Boolean(),
  transactionId: Type.Optional(Type.String()),
  messageId: Type.Optional(Uuid),
  partitionId: Type.Optional(Uuid),
  queueName: Type.Optional(Type.String()),
  error: Type.Optional(nullable(Type.String())),
});
const TransactionAck = exact({
  index: Type.Integer(),
  type: Type.String(),
  success: Type.Boolean(),
  transactionId: Type.Optional(Type.String()),
  error: Type.Optional(nullable(Type.String())),
  dlq: Type.Optional(Type.Boolean()),
});
const TransactionAnswer = exact(
  {
    success: Type.Boolean({ description: "False: nothing was done." }),
    transactionId: Uuid,
    results: Type.Array(Type.Union([TransactionPush, TransactionAck]), { description: "One an operation, in order." }),
    error: Type.Optional(Type.String()),
  },
  { title: "TransactionAnswer" },
);

/** Routes that store messages. */
export const produceOperations: readonly ApiOperation[] = [
  {
    method: "POST",
    path: "/api/v1/push",
    id: "push",
    tag: "Produce",
    summary: "Append messages to any queues and partitions",
    description: "Queues and partitions are made on first use. Messages answered `queued` are on disk.",
    body: { schema: PushBody },
    answers: {
      201: {
        description: "One result an item, in order.",
        schema: Type.Array(PushResultAnswer),
      },
      409: { description: "Interrupted; items without transaction ids may or may not be stored.", schema: ErrorAnswer },
    },
    hot: true,
  },
  {
    method: "POST",
    path: "/api/v1/transaction",
    id: "transaction",
    tag: "Transactions",
    summary: "Push and acknowledge, all or nothing",
    body: { schema: TransactionBody },
    answers: {
      200: { description: "What became of it; look at `success`.", schema: TransactionAnswer },
      409: { description: "Interrupted; it may or may not be done.", schema: ErrorAnswer },
    },
    hot: true,
  },
];
