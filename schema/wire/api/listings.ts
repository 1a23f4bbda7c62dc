/**
 * Lists of messages and of consumer groups.
 *
 * @module
 */
import { Type } from "typebox";
import { LagSecondsQuery, MessageStatusQuery } from "../listing-requests.ts";
import { MessageStatus } from "./messages.ts";
import type { ApiOperation } from "./operation.ts";
import { count, exact, Instant, InstantText, nullable, oneOf, pageQuery, Uuid } from "./shapes.ts";

const place = {
  id: Uuid,
  transactionId: Type.String(),
  partitionId: Uuid,
  queuePath: Type.String(),
  queue: Type.String(),
  partition: Type.String(),
};
const MessageElement = exact(
  {
    ...place,
    namespace: Type.String(),
    task: Type.String(),
    status: MessageStatus,
    queueStatus: MessageStatus,
    busStatus: exact({ consumedBy: count(), totalGroups: count() }),
    traceId: nullable(Uuid),
    producerSub: nullable(Type.String()),
    queuePriority: Type.Integer(),
    createdAt: Instant,
    leaseExpiresAt: nullable(Instant),
  },
  { title: "MessageElement" },
);
const QueueMessage = exact({ ...place, status: MessageStatus, createdAt: Instant }, { title: "QueueMessage" });

const GroupElement = exact(
  {
    name: Type.String(),
    topics: Type.Array(Type.String()),
    queueName: Type.String(),
    members: count("Partitions that the group has a cursor on."),
    partitionsWithLag: count(),
    totalLag: Type.Null(),
    pendingMessages: count(),
    maxTimeLag: count("Seconds."),
    state: oneOf("Lagging", "Stable", "Dead"),
    subscriptionMode: nullable(oneOf("new", "timestamp")),
    subscriptionTimestamp: nullable(Instant),
    subscriptionCreatedAt: nullable(Instant),
  },
  { title: "GroupElement" },
);
const GroupCursor = exact(
  {
    partition: Type.String(),
    workerId: nullable(Type.String(), { description: "The lease that is held." }),
    lastConsumedAt: nullable(Instant),
    totalConsumed: count(),
    offsetLag: count(),
    timeLagSeconds: count(),
    leaseActive: Type.Boolean(),
  },
  { title: "GroupCursor" },
);
const LaggingCursor = exact(
  {
    consumer_group: Type.String(),
    queue_name: Type.String(),
    partition_name: Type.String(),
    partition_id: Uuid,
    worker_id: nullable(Type.String()),
    offset_lag: count(),
    time_lag_seconds: count(),
    lag_hours: Type.Number({ minimum: 0 }),
    oldest_unconsumed_at: Instant,
    last_consumed_at: nullable(Instant),
  },
  { title: "LaggingCursor" },
);

/** Routes that list messages and groups. */
export const listingOperations: readonly ApiOperation[] = [
  {
    method: "GET",
    path: "/api/v1/messages",
    id: "messages",
    tag: "Messages",
    summary: "Search messages, newest first, without their payloads",
    query: {
      queue: Type.String(),
      partition: Type.String(),
      ns: Type.String({ description: "Namespace." }),
      namespace: Type.String({ description: "As `ns`." }),
      task: Type.String(),
      status: MessageStatusQuery,
      from: Type.String({ ...InstantText, description: "Inclusive; an hour ago when absent." }),
      to: Type.String({ ...InstantText, description: "Up to the end of its minute; now when absent." }),
      ...pageQuery(200),
    },
    answers: {
      200: {
        description: "A page.",
        schema: exact({
          messages: Type.Array(MessageElement),
          mode: exact({
            hasQueueMode: Type.Boolean(),
            busGroupsCount: count(),
            type: oneOf("queue", "bus", "hybrid", "none"),
          }),
          incomplete: Type.Optional(Type.Literal(true, { description: "Older messages were not searched." })),
          searchedTo: Type.Optional(Type.String({ description: "How far back." })),
        }),
      },
    },
  },
  {
    method: "GET",
    path: "/api/v1/status/queues/:queue/messages",
    id: "queueMessages",
    tag: "Status",
    summary: "List the messages of a queue, newest first",
    query: pageQuery(50),
    answers: { 200: { description: "A page; empty for an unknown queue.", schema: Type.Array(QueueMessage) } },
  },
  {
    method: "GET",
    path: "/api/v1/consumer-groups",
    id: "groups",
    tag: "Consumer groups",
    summary: "List groups, an element for each group and queue",
    query: pageQuery(10_000),
    answers: { 200: { description: "By group, then queue.", schema: Type.Array(GroupElement) } },
  },
  {
    method: "GET",
    path: "/api/v1/consumer-groups/lagging",
    id: "laggingGroups",
    tag: "Consumer groups",
    summary: "List cursors that are behind, the largest lag first",
    query: {
      minLagSeconds: Type.Number({ ...LagSecondsQuery, description: "Only those that are behind by more." }),
      ...pageQuery(1_000),
    },
    answers: { 200: { description: "A page.", schema: Type.Array(LaggingCursor) } },
  },
  {
    method: "GET",
    path: "/api/v1/consumer-groups/:group",
    id: "group",
    tag: "Consumer groups",
    summary: "Where a group stands, by queue and partition",
    query: pageQuery(10_000),
    answers: {
      200: {
        description: "By the names of the queues; empty for an unknown group.",
        schema: Type.Record(
          Type.String(),
          exact({ partitions: Type.Array(GroupCursor), total: count("Cursors of the group on this queue.") }),
        ),
      },
    },
  },
];
