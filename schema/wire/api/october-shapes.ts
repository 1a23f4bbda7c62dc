/**
 * Shapes of the October 2025 dialect.
 *
 * @module
 */
import { Type } from "typebox";
import { QueueOptionsBody } from "../admin-requests.ts";
import { anything, count, exact, Instant, Name, NonEmptyName, nullable, oneOf, Uuid } from "./shapes.ts";

const groupOrNull = nullable(Type.String(), { description: "Null in queue mode." });

/** What stands before every path of the dialect. */
export const OCTOBER = "/2025-10/api/v1";

/** The request of configure. */
export const OctoberConfigureBody = Type.Object(
  {
    queue: NonEmptyName,
    namespace: Type.Optional(nullable(Name, { description: "Null keeps what is stored." })),
    task: Type.Optional(nullable(Name, { description: "Null keeps what is stored." })),
    partition: Type.Optional(nullable(Name, { description: "Without effect." })),
    options: Type.Optional(nullable(Type.Partial(QueueOptionsBody), { description: "Zero counts as left out." })),
  },
  { title: "OctoberConfigureRequest" },
);

const ackFields = {
  transactionId: NonEmptyName,
  status: oneOf("completed", "failed"),
  error: Type.Optional(nullable(Type.String())),
};
const consumerGroup = Type.Optional(nullable(Name));

/** The request of an acknowledgement. */
export const OctoberAckBody = Type.Object({ ...ackFields, consumerGroup }, { title: "OctoberAckRequest" });

/** The request of many. */
export const OctoberAckBatchBody = Type.Object(
  {
    acknowledgments: Type.Array(Type.Object(ackFields, { title: "OctoberAcknowledgment" })),
    consumerGroup,
  },
  { title: "OctoberAckBatchRequest" },
);

/** The answer of configure. */
export const OctoberConfigureAnswer = exact(
  {
    queue: Type.String(),
    namespace: nullable(Type.String()),
    task: nullable(Type.String()),
    partition: Type.Optional(Type.String()),
    _deprecation_notice: Type.Optional(Type.String()),
    configured: Type.Literal(true),
    options: exact({ ...QueueOptionsBody.properties }, { title: "QueueOptions" }),
  },
  { title: "OctoberConfigureAnswer" },
);

/** One element of the answer to a push. */
export const OctoberPushResult = Type.Union(
  [
    exact({
      id: Uuid,
      transactionId: Type.String(),
      traceId: nullable(Uuid),
      status: Type.Literal("queued"),
    }),
    exact({ id: Uuid, transactionId: Type.String(), status: Type.Literal("duplicate") }),
    exact({ transactionId: Type.String(), status: Type.Literal("failed"), error: Type.String() }),
    exact({ transactionId: Type.String(), traceId: nullable(Uuid), status: Type.Literal("buffered") }),
  ],
  { title: "OctoberPushResult" },
);

/** A delivered message. */
export const OctoberPoppedMessage = exact(
  {
    id: Uuid,
    transactionId: Type.String(),
    traceId: nullable(Uuid),
    data: anything(),
    payload: anything("As `data`."),
    retryCount: count(),
    queue: Type.String(),
    partition: Type.String(),
    priority: Type.Integer(),
    createdAt: Instant,
    consumerGroup: groupOrNull,
  },
  { title: "OctoberPoppedMessage" },
);

const AckStatus = oneOf("completed", "failed", "dead_letter", "not_found");

/** The answer of an acknowledgement. */
export const OctoberAckAnswer = exact(
  { transactionId: Type.String(), status: AckStatus, consumerGroup: groupOrNull, acknowledgedAt: Instant },
  { title: "OctoberAckAnswer" },
);

/** The answer of many. */
export const OctoberAckBatchAnswer = exact(
  {
    processed: count(),
    results: Type.Array(exact({ transactionId: Type.String(), status: AckStatus })),
  },
  { title: "OctoberAckBatchAnswer" },
);

const MessageStatus = oneOf("pending", "processing", "completed", "failed", "dead_letter");
const message = {
  id: Uuid,
  transactionId: Type.String(),
  traceId: nullable(Uuid),
  queuePath: Type.String(),
  queue: Type.String(),
  partition: Type.String(),
  namespace: nullable(Type.String()),
  task: nullable(Type.String()),
  payload: anything(),
  isEncrypted: Type.Boolean(),
  status: MessageStatus,
  workerId: Type.Null(),
  createdAt: Instant,
  lockedAt: Type.Null(),
  completedAt: Type.Null(),
  failedAt: nullable(Instant),
  errorMessage: nullable(Type.String()),
  retryCount: count(),
  leaseExpiresAt: nullable(Instant),
  consumerGroups: Type.Array(
    exact({
      consumerGroup: groupOrNull,
      status: MessageStatus,
      retryCount: count(),
      errorMessage: nullable(Type.String()),
    }),
  ),
};

/** A message of a list. */
export const OctoberMessage = exact({ ...message }, { title: "OctoberMessage" });

/** One message. */
export const OctoberMessageDetail = exact(
  {
    ...message,
    queueConfig: exact({
      leaseTime: Type.Integer(),
      retryLimit: Type.Integer(),
      retryDelay: Type.Integer(),
      ttl: Type.Integer(),
      priority: Type.Integer(),
    }),
  },
  { title: "OctoberMessageDetail" },
);

/** A neighbour of a message. */
export const OctoberRelatedMessage = exact(
  { transactionId: Type.String(), status: MessageStatus, createdAt: Instant, payload: anything() },
  { title: "OctoberRelatedMessage" },
);
