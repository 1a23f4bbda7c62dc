/**
 * Streaming queries: register, commit a cycle, read state.
 *
 * @module
 */
import { Type } from "typebox";
import { QUEUE_MODE_GROUP } from "../limits.ts";
import { STATE_KEY_BYTES_MAX } from "../stream-requests.ts";
import type { ApiOperation } from "./operation.ts";
import { PushItemBody, PushResultAnswer } from "./produce.ts";
import { anything, count, ErrorAnswer, exact, Name, NonEmptyName, nullable, oneOf, Uuid } from "./shapes.ts";

/** The request that registers a query. */
export const StreamQueryBody = Type.Object(
  {
    name: NonEmptyName,
    source_queue: NonEmptyName,
    config_hash: NonEmptyName,
    sink_queue: Type.Optional(nullable(Name)),
    reset: Type.Optional(
      nullable(Type.Boolean({ default: false, description: "Wipes the state when the hash differs." })),
    ),
  },
  { title: "StreamQueryRequest" },
);

const StateKey = Type.String({
  maxLength: STATE_KEY_BYTES_MAX,
  pattern: "^[^\\u0000\\ud800-\\udfff]*$",
  description: `At most ${STATE_KEY_BYTES_MAX} bytes of UTF-8.`,
});
const StateOperation = Type.Union(
  [
    Type.Object({
      type: Type.Literal("upsert"),
      key: StateKey,
      value: Type.Optional(anything("An empty object when absent.")),
    }),
    Type.Object({ type: Type.Literal("delete"), key: StateKey }),
    Type.Object(
      { type: Type.Optional(Type.Unsafe({ not: oneOf("upsert", "delete") })) },
      { description: "Any other type fails the cycle." },
    ),
  ],
  { title: "StateOperation" },
);
const SinkItem = Type.Object(
  {
    ...PushItemBody.properties,
    partition: Type.Optional(nullable(Name)),
    transactionId: Type.Optional(nullable(Name)),
    traceId: Type.Optional(nullable(Type.Union([Uuid, Type.Literal("")]))),
  },
  { title: "SinkItem" },
);
const SourceAck = Type.Object(
  {
    transactionId: Type.Optional(nullable(Name)),
    leaseId: Type.Optional(nullable(Type.String({ description: "Checked when given and not empty." }))),
    status: Type.Optional(nullable(Type.String({ default: "completed" }))),
    error: Type.Optional(nullable(Type.String())),
    count: Type.Optional(nullable(Type.Integer({ default: 1, minimum: 0 }))),
  },
  { title: "SourceAck", description: "Covers every message up to this one." },
);

/** The request that commits a cycle. */
export const StreamCycleBody = Type.Object(
  {
    query_id: Uuid,
    partition_id: Uuid,
    consumer_group: Type.Optional(nullable(Type.String({ ...Name, default: QUEUE_MODE_GROUP }))),
    state_ops: Type.Optional(nullable(Type.Array(StateOperation))),
    push_items: Type.Optional(nullable(Type.Array(SinkItem))),
    ack: Type.Optional(nullable(SourceAck)),
    release_lease: Type.Optional(nullable(Type.Boolean({ default: true }))),
  },
  { title: "StreamCycleRequest" },
);

/** The request that reads state. */
export const StreamStateBody = Type.Object(
  {
    query_id: Uuid,
    partition_id: Uuid,
    keys: Type.Optional(nullable(Type.Array(StateKey), { description: "All when empty." })),
    key_prefix: Type.Optional(nullable(StateKey, { description: "Literal." })),
    ripe_at_or_before: Type.Optional(
      nullable(Type.Number(), { description: "Milliseconds: only states whose `windowEnd` is not later." }),
    ),
  },
  { title: "StreamStateRequest" },
);

const AckResult = exact({
  success: Type.Literal(true),
  count: count(),
  lease_released: Type.Boolean(),
  dlq: Type.Boolean(),
});
const RepeatedPush = exact(
  {
    index: count(),
    status: Type.Literal("duplicate"),
    transaction_id: nullable(Type.String()),
    message_id: Type.Null(),
    queueName: Type.String(),
  },
  { title: "RepeatedPush", description: "Of a cycle sent again: it was pushed the first time." },
);
const cycle = {
  query_id: Uuid,
  partition_id: Uuid,
  queueName: nullable(Type.String(), { description: "The source queue." }),
  state_ops_applied: count(),
};
const StreamCycleAnswer = Type.Union(
  [
    exact({
      success: Type.Literal(true),
      ...cycle,
      push_results: Type.Array(Type.Union([PushResultAnswer, RepeatedPush])),
      ack_result: nullable(AckResult),
    }),
    exact({
      success: Type.Literal(false),
      error: Type.String(),
      ...cycle,
      push_results: Type.Array(PushResultAnswer, { maxItems: 0 }),
      ack_result: Type.Null(),
    }),
  ],
  { title: "StreamCycleAnswer" },
);

/** Routes of streaming queries. */
export const streamOperations: readonly ApiOperation[] = [
  {
    method: "POST",
    path: "/streams/v1/queries",
    id: "streamQuery",
    tag: "Streams",
    summary: "Register a streaming query",
    body: { schema: StreamQueryBody },
    answers: {
      200: {
        description: "It is registered.",
        schema: exact({
          success: Type.Literal(true),
          query_id: Uuid,
          name: Type.String(),
          config_hash: Type.String(),
          fresh: Type.Boolean({ description: "It was not known." }),
          reset: Type.Boolean({ description: "Its state was wiped." }),
        }),
      },
      409: {
        description: "It is known with another hash.",
        schema: exact({ success: Type.Literal(false), query_id: Uuid, name: Type.String(), error: Type.String() }),
      },
    },
  },
  {
    method: "POST",
    path: "/streams/v1/cycle",
    id: "streamCycle",
    tag: "Streams",
    summary: "Commit state, sink pushes and source acknowledgement, all or nothing",
    body: { schema: StreamCycleBody },
    answers: { 200: { description: "Look at `success`; false: nothing was done.", schema: StreamCycleAnswer } },
    hot: true,
  },
  {
    method: "POST",
    path: "/streams/v1/state/get",
    id: "streamState",
    tag: "Streams",
    summary: "Read state of a query on a partition, by key",
    body: { schema: StreamStateBody },
    role: "read-only",
    answers: {
      200: {
        description: "In the order of their keys.",
        schema: exact({
          success: Type.Literal(true),
          rows: Type.Array(
            exact({ key: Type.String(), value: anything(), updated_at: Type.String() }, { title: "StreamState" }),
          ),
        }),
      },
      400: {
        description: "The request is not valid, or matches more than one answer holds.",
        schema: Type.Union([
          ErrorAnswer,
          exact({
            success: Type.Literal(false),
            error: Type.String(),
            rows: Type.Array(Type.Never(), { maxItems: 0 }),
          }),
        ]),
      },
    },
    hot: true,
  },
];
