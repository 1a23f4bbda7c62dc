/**
 * Traces.
 *
 * @module
 */
import { Type } from "typebox";
import type { ApiOperation } from "./operation.ts";
import {
  anything,
  count,
  exact,
  Instant,
  Name,
  NonEmptyName,
  nullable,
  Pagination,
  pageQuery,
  Uuid,
} from "./shapes.ts";

/** The request that notes an event. */
export const TraceBody = Type.Object(
  {
    transactionId: NonEmptyName,
    partitionId: Type.String({ minLength: 1 }),
    data: anything(),
    consumerGroup: Type.Optional(nullable(Name)),
    eventType: Type.Optional(nullable(Type.String({ ...Name, default: "info" }))),
    traceNames: Type.Optional(Type.Union([Type.Null(), Name, Type.Array(Name, { maxItems: 100 })])),
  },
  { title: "TraceRequest" },
);

const event = {
  id: Uuid,
  event_type: Type.String(),
  data: anything(),
  consumer_group: nullable(Type.String()),
  worker_id: nullable(Type.String()),
  created_at: Instant,
  trace_names: nullable(Type.Array(Type.String())),
};
const TraceEvent = exact(event, { title: "TraceEvent" });
const NamedTraceEvent = exact(
  {
    ...event,
    transaction_id: Type.String(),
    partition_id: Uuid,
    queue_name: Type.String(),
    partition_name: Type.String(),
    message_payload: anything(),
  },
  { title: "NamedTraceEvent" },
);

/** Routes that write and read traces. */
export const traceOperations: readonly ApiOperation[] = [
  {
    method: "POST",
    path: "/api/v1/traces",
    id: "trace",
    tag: "Traces",
    summary: "Attach an event to a message",
    body: { schema: TraceBody },
    answers: {
      201: { description: "It is kept.", schema: exact({ success: Type.Literal(true), traceId: Uuid }) },
      200: {
        description: "There is no such message.",
        schema: exact({ success: Type.Literal(false), error: Type.String() }),
      },
    },
  },
  {
    method: "GET",
    path: "/api/v1/traces/names",
    id: "traceNames",
    tag: "Traces",
    summary: "List trace names, last seen first",
    query: pageQuery(50),
    answers: {
      200: {
        description: "A page, and how many names there are in all.",
        schema: exact({
          trace_names: Type.Array(
            exact(
              { trace_name: Type.String(), trace_count: count(), message_count: count(), last_seen: Instant },
              { title: "TraceName" },
            ),
          ),
          total: count(),
          pagination: Pagination,
        }),
      },
    },
  },
  {
    method: "GET",
    path: "/api/v1/traces/by-name/:traceName",
    id: "tracesByName",
    tag: "Traces",
    summary: "List the events that carry a name, oldest first",
    query: pageQuery(100),
    answers: {
      200: {
        description: "A page, and how many events there are in all.",
        schema: exact({ traces: Type.Array(NamedTraceEvent), total: count(), pagination: Pagination }),
      },
    },
  },
  {
    method: "GET",
    path: "/api/v1/traces/:partitionId/:transactionId",
    id: "traces",
    tag: "Traces",
    summary: "List the events of a message, oldest first",
    answers: { 200: { description: "All of them.", schema: exact({ traces: Type.Array(TraceEvent) }) } },
  },
];
