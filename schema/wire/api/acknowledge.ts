/**
 * Acknowledging messages and leases.
 *
 * @module
 */
import { Type } from "typebox";
import { LEASE_EXTEND_S_DEFAULT, LEASE_EXTEND_S_MAX } from "../lease-extend-request.ts";
import { QUEUE_MODE_GROUP } from "../limits.ts";
import type { ApiOperation } from "./operation.ts";
import { count, exact, Instant, Name, NonEmptyName, nullable } from "./shapes.ts";

const ackFields = {
  transactionId: NonEmptyName,
  partitionId: Type.String({ minLength: 1, description: "A UUID; anything else is not found." }),
  status: Type.Optional(
    nullable(
      Type.String({
        default: "completed",
        description: "completed, success, failed, dlq or retry. Others do nothing.",
      }),
    ),
  ),
  leaseId: Type.Optional(nullable(Type.String({ description: "Checked when given and not empty." }))),
  error: Type.Optional(nullable(Type.String({ description: "What a dead letter shows." }))),
};
const consumerGroup = Type.Optional(nullable(Type.String({ ...Name, default: QUEUE_MODE_GROUP })));

/** The request of an acknowledgement. */
export const AckBody = Type.Object({ ...ackFields, consumerGroup }, { title: "AckRequest" });

/** The request of many. */
export const AckBatchBody = Type.Object(
  { acknowledgments: Type.Array(Type.Object(ackFields, { title: "Acknowledgment" })), consumerGroup },
  { title: "AckBatchRequest" },
);

/** The request that answers for a lease. */
export const LeaseAckBody = Type.Object(
  {
    consumerGroup: Type.Optional(nullable(Name, { description: "Null: whatever group the lease is of." })),
    status: Type.Optional(
      nullable(Type.Enum(["completed", "success", "failed", "dlq", "retry"], { type: "string", default: "completed" })),
    ),
    error: Type.Optional(nullable(Type.String())),
  },
  { title: "LeaseAckRequest" },
);

/** The request of an extension. */
export const LeaseExtendBody = Type.Object(
  {
    seconds: Type.Optional(
      nullable(Type.Integer({ default: LEASE_EXTEND_S_DEFAULT, minimum: 0, maximum: LEASE_EXTEND_S_MAX })),
    ),
  },
  { title: "LeaseExtendRequest" },
);

const AckResult = exact(
  {
    index: count(),
    transactionId: Type.String(),
    success: Type.Boolean(),
    error: nullable(Type.String()),
    queueName: nullable(Type.String()),
    partitionName: nullable(Type.String()),
    leaseReleased: nullable(Type.Boolean()),
    dlq: Type.Boolean(),
  },
  { title: "AckResult" },
);

const LeaseExtendAnswer = exact(
  {
    index: Type.Literal(0),
    leaseId: Type.String(),
    success: Type.Boolean(),
    error: nullable(Type.String()),
    expiresAt: nullable(Instant),
    newExpiresAt: nullable(Instant),
  },
  { title: "LeaseExtendAnswer" },
);

const LeaseAckAnswer = exact(
  {
    leaseId: Type.String(),
    success: Type.Boolean(),
    error: nullable(Type.String()),
    acknowledged: count("Messages that were still open."),
    partitions: count(),
    dlq: count("Messages dead-lettered."),
  },
  { title: "LeaseAckAnswer" },
);

/** Routes that resolve messages and keep leases. */
export const acknowledgeOperations: readonly ApiOperation[] = [
  {
    method: "POST",
    path: "/api/v1/ack",
    id: "ack",
    tag: "Acknowledge",
    summary: "Acknowledge one message",
    body: { schema: AckBody },
    answers: { 200: { description: "An array of one.", schema: Type.Array(AckResult, { minItems: 1, maxItems: 1 }) } },
    hot: true,
  },
  {
    method: "POST",
    path: "/api/v1/ack/batch",
    id: "ackBatch",
    tag: "Acknowledge",
    summary: "Acknowledge many messages",
    description: "Each succeeds or fails on its own.",
    body: { schema: AckBatchBody },
    answers: { 200: { description: "One result an acknowledgement, in order.", schema: Type.Array(AckResult) } },
    hot: true,
  },
  {
    method: "POST",
    path: "/api/v1/lease/:leaseId/extend",
    id: "leaseExtend",
    tag: "Acknowledge",
    summary: "Extend a lease",
    body: { schema: LeaseExtendBody, optional: true },
    answers: { 200: { description: "Look at `success`.", schema: LeaseExtendAnswer } },
    hot: true,
  },
  {
    method: "POST",
    path: "/api/v1/lease/:leaseId/ack",
    id: "leaseAck",
    tag: "Acknowledge",
    summary: "Acknowledge everything under a lease",
    description: "Costs the same however many messages the lease covers.",
    body: { schema: LeaseAckBody, optional: true },
    answers: { 200: { description: "Look at `success`.", schema: LeaseAckAnswer } },
    hot: true,
  },
];
