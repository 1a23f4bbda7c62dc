/**
 * Queues: configure, delete, clear.
 *
 * @module
 */
import { Type } from "typebox";
import { QueueOptionsBody } from "../admin-requests.ts";
import type { ApiOperation } from "./operation.ts";
import { count, exact, Name, nullable, Uuid } from "./shapes.ts";

const ignoredUnlessText = "Ignored unless a text.";

/** The request of configure. */
export const ConfigureBody = Type.Object(
  {
    queue: Name,
    namespace: Type.Optional(nullable(Name, { description: ignoredUnlessText })),
    task: Type.Optional(nullable(Name, { description: ignoredUnlessText })),
    options: Type.Optional(
      nullable(Type.Partial(QueueOptionsBody), {
        description: "What is not given is set to its default. Numbers and booleans may come as text.",
      }),
    ),
  },
  { title: "ConfigureRequest" },
);

const QueueOptions = exact({ ...QueueOptionsBody.properties }, { title: "QueueOptions" });

/** Routes that change queues. */
export const queueOperations: readonly ApiOperation[] = [
  {
    method: "POST",
    path: "/api/v1/configure",
    id: "configure",
    tag: "Queues",
    summary: "Create a queue, or overwrite its settings",
    body: { schema: ConfigureBody },
    answers: {
      200: {
        description: "The settings that are in effect now.",
        schema: exact({
          configured: Type.Literal(true),
          queueId: Uuid,
          partitionId: Type.String({ ...Uuid, description: "Of the partition `Default`." }),
          queue: Type.String(),
          namespace: Type.String(),
          task: Type.String(),
          options: QueueOptions,
        }),
      },
    },
  },
  {
    method: "GET",
    path: "/api/v1/queues/:queue/options",
    id: "queueOptions",
    tag: "Queues",
    summary: "What would configure a queue as it is",
    answers: {
      200: {
        description: "To be sent to configure; options that were never given are left out.",
        schema: Type.Union([
          exact({
            queue: Type.String(),
            namespace: Type.String(),
            task: Type.String(),
            options: exact({ ...Type.Partial(QueueOptionsBody).properties }),
          }),
          exact({ error: Type.String() }),
        ]),
      },
    },
  },
  {
    method: "DELETE",
    path: "/api/v1/resources/queues/:queue",
    id: "deleteQueue",
    tag: "Queues",
    summary: "Delete a queue and everything in it",
    role: "admin",
    answers: {
      200: {
        description: "It is gone; also when it was not there.",
        schema: exact({ deleted: Type.Literal(true), queue: Type.String(), existed: Type.Boolean() }),
      },
    },
  },
  {
    method: "DELETE",
    path: "/api/v1/queues/:queue/clear",
    id: "clearQueue",
    tag: "Queues",
    summary: "Delete the messages of a queue, or of one partition",
    role: "admin",
    query: { partition: Type.String({ description: "All partitions when absent." }) },
    answers: {
      200: {
        description: "How many messages were deleted.",
        schema: exact({
          cleared: Type.Literal(true),
          count: count(),
          queue: Type.String(),
          partition: Type.String({ description: "`all` without the parameter." }),
        }),
      },
    },
  },
];
