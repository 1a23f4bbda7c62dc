/**
 * Pop: lease messages.
 *
 * @module
 */
import { Type } from "typebox";
import { SEGMENTS_TYPE } from "../format.ts";
import { POP_BATCH_MAX, POP_PARTITIONS_MAX, QUEUE_MODE_GROUP } from "../limits.ts";
import type { ApiAnswer, ApiOperation } from "./operation.ts";
import { anything, count, exact, InstantUs, nullable, Uuid } from "./shapes.ts";

const LeaseId = Type.String({ description: "Opaque; empty with `autoAck`." });

const PoppedMessage = exact(
  {
    id: Uuid,
    transactionId: Type.String(),
    traceId: nullable(Uuid),
    data: anything("The payload as it was pushed."),
    producerSub: nullable(Type.String(), { description: "`sub` of the producer's token." }),
    createdAt: InstantUs,
    partitionId: Uuid,
    partition: Type.String(),
    leaseId: LeaseId,
    consumerGroup: Type.String(),
  },
  { title: "PoppedMessage" },
);

const PopAnswer = exact(
  {
    success: Type.Literal(true),
    queue: Type.String(),
    partition: Type.String(),
    partitionId: Uuid,
    leaseId: LeaseId,
    consumerGroup: Type.String(),
    partitionsClaimed: count(),
    messages: Type.Array(PoppedMessage, { minItems: 1 }),
  },
  { title: "PopAnswer" },
);

/** Query parameters of every pop. */
export const popQuery = {
  batch: Type.Integer({ default: 1, minimum: 1, maximum: POP_BATCH_MAX, description: "Most messages. Clamped." }),
  wait: Type.Boolean({ default: false, description: "Wait for messages until `timeout`." }),
  timeout: Type.Integer({ default: 30_000, minimum: 0, maximum: 3_600_000, description: "Milliseconds. Clamped." }),
  consumerGroup: Type.String({ default: QUEUE_MODE_GROUP }),
  autoAck: Type.Boolean({ default: false, description: "Consume on delivery: at most once." }),
  subscriptionMode: Type.String({ description: "`new` or `new-only` skips history when the group is new here." }),
  subscriptionFrom: Type.String({ description: "`now`, or an instant to start at when the group is new here." }),
  partitions: Type.Integer({
    default: 1,
    minimum: 1,
    maximum: POP_PARTITIONS_MAX,
    description: "Most partitions to claim. Clamped.",
  }),
};

const answers: Readonly<Record<number, ApiAnswer>> = {
  200: {
    description: "Messages, leased; those of one partition are contiguous and in order.",
    schema: PopAnswer,
    types: { [SEGMENTS_TYPE]: "binary" },
  },
  204: { description: "Nothing to deliver. Also when the server is busy or its database away: a pop never fails." },
};

const { partitions: _, ...specificQuery } = popQuery;

/** Routes that lease messages. */
export const consumeOperations: readonly ApiOperation[] = [
  {
    method: "GET",
    path: "/api/v1/pop/queue/:queue",
    id: "pop",
    tag: "Consume",
    summary: "Lease messages from any partition of a queue",
    query: popQuery,
    answers,
    hot: true,
  },
  {
    method: "GET",
    path: "/api/v1/pop/queue/:queue/partition/:partition",
    id: "popPartition",
    tag: "Consume",
    summary: "Lease messages from one partition",
    query: specificQuery,
    answers,
    hot: true,
  },
  {
    method: "GET",
    path: "/api/v1/pop",
    id: "popFiltered",
    tag: "Consume",
    summary: "Lease messages from the queues of a namespace and/or task",
    description: "Higher `priority` first, then the queue with the oldest message.",
    query: {
      namespace: Type.String({ description: "This or `task` is required." }),
      task: Type.String(),
      ...popQuery,
    },
    answers,
    hot: true,
  },
];
