/**
 * Consumer groups: forget, subscribe, seek.
 *
 * @module
 */
import { Type } from "typebox";
import type { ApiOperation } from "./operation.ts";
import { count, exact, Instant, InstantText, nullable } from "./shapes.ts";

/** The request that moves a subscription. */
export const SubscriptionBody = Type.Object({ subscriptionTimestamp: InstantText }, { title: "SubscriptionRequest" });

/** The request that moves cursors. */
export const SeekBody = Type.Union(
  [
    Type.Object({ toEnd: Type.Literal(true) }),
    Type.Object({ toEnd: Type.Optional(nullable(Type.Literal(false))), timestamp: InstantText }),
  ],
  { title: "SeekRequest", description: "To the end, or to resume after a point in time." },
);

const deleteMetadata = Type.Boolean({
  default: true,
  description: "False keeps where the group's subscription begins.",
});
const forgotten = {
  success: Type.Literal(true),
  consumerGroup: Type.String(),
  deletedPartitions: count(),
  metadataDeleted: Type.Boolean({ description: "The parameter." }),
};
const GROUP = "/api/v1/consumer-groups/:group";

/** Routes that change consumer groups. */
export const groupOperations: readonly ApiOperation[] = [
  {
    method: "DELETE",
    path: GROUP,
    id: "deleteGroup",
    tag: "Consumer groups",
    summary: "Forget a group everywhere",
    role: "admin",
    query: { deleteMetadata },
    answers: { 200: { description: "It is forgotten; also when it was not known.", schema: exact(forgotten) } },
  },
  {
    method: "DELETE",
    path: `${GROUP}/queues/:queue`,
    id: "deleteGroupOfQueue",
    tag: "Consumer groups",
    summary: "Forget a group on one queue",
    role: "admin",
    query: { deleteMetadata },
    answers: {
      200: {
        description: "It is forgotten; also when it was not known.",
        schema: exact({ ...forgotten, queueName: Type.String() }),
      },
    },
  },
  {
    method: "POST",
    path: `${GROUP}/subscription`,
    id: "updateSubscription",
    tag: "Consumer groups",
    summary: "Move where the subscriptions of a group begin",
    description: "Matters for partitions that the group has not consumed from.",
    body: { schema: SubscriptionBody },
    answers: {
      200: {
        description: "How many subscriptions were moved.",
        schema: exact({
          success: Type.Literal(true),
          consumerGroup: Type.String(),
          newTimestamp: Type.String({ description: "As sent." }),
          rowsUpdated: count(),
        }),
      },
    },
  },
  {
    method: "POST",
    path: `${GROUP}/queues/:queue/seek`,
    id: "seek",
    tag: "Consumer groups",
    summary: "Move the cursors of a group on a queue",
    body: { schema: SeekBody },
    answers: {
      200: {
        description: "How many cursors were moved.",
        schema: exact({
          success: Type.Literal(true),
          consumerGroup: Type.String(),
          queueName: Type.String(),
          seekToEnd: Type.Boolean(),
          targetTimestamp: nullable(Instant),
          partitionsUpdated: count(),
        }),
      },
    },
  },
  {
    method: "GET",
    path: `${GROUP}/queues/:queue/seek`,
    id: "seekPreview",
    tag: "Consumer groups",
    summary: "What moving the cursors would skip and deliver again",
    description: "Changes nothing. Either `toEnd=true` or `timestamp` is needed.",
    query: { toEnd: Type.Boolean({ default: false }), timestamp: InstantText },
    answers: {
      200: {
        description: "Counts of messages, as of now.",
        schema: exact({
          consumerGroup: Type.String(),
          queueName: Type.String(),
          seekToEnd: Type.Boolean(),
          targetTimestamp: nullable(Instant),
          partitions: count("Whose cursor would be moved or made."),
          skipped: count("Open now, and passed over then."),
          replayed: count("Done with now, and to be delivered again then."),
          pending: count("Open then."),
        }),
      },
    },
  },
  {
    method: "POST",
    path: `${GROUP}/queues/:queue/partitions/:partition/seek`,
    id: "seekPartition",
    tag: "Consumer groups",
    summary: "Move one cursor of a group to the end",
    answers: {
      200: {
        description: "Look at `success` and `updated`.",
        schema: Type.Union([
          exact({
            success: Type.Literal(true),
            consumerGroup: Type.String(),
            queueName: Type.String(),
            partitionName: Type.String(),
            updated: Type.Boolean(),
            cursorMovedTo: nullable(Instant),
          }),
          exact({ success: Type.Literal(false), error: Type.String() }),
        ]),
      },
    },
  },
];
