/**
 * Health, and this document.
 *
 * @module
 */
import { Type } from "typebox";
import { SharedState } from "./metrics.ts";
import type { ApiOperation } from "./operation.ts";
import { count, exact, oneOf } from "./shapes.ts";

const Health = exact(
  {
    status: oneOf("healthy", "unhealthy"),
    database: oneOf("connected", "disconnected"),
    server: Type.String(),
    worker_id: Type.Integer(),
    version: Type.String(),
    instance: Type.String(),
    uptime_s: count(),
    shared_state: SharedState,
    queen: exact({ worker_id: Type.Integer(), status: oneOf("active", "degraded") }),
    workers: Type.Array(
      exact({
        worker_id: count(),
        status: Type.String(),
        restarts: count(),
        requests_in_flight: count(),
        polls_parked: count(),
      }),
    ),
    memory: exact({ rss_bytes: count(), heap_used_bytes: count() }),
    encryption: Type.Optional(Type.String({ description: "What is wrong with it." })),
  },
  { title: "Health" },
);

const Readiness = exact({ status: oneOf("ready", "unready"), database: oneOf("connected", "disconnected") });

/** Routes about the server itself. */
export const systemOperations: readonly ApiOperation[] = [
  {
    method: "GET",
    path: "/health",
    id: "health",
    tag: "System",
    summary: "Whether the server works and its database answers",
    answers: {
      200: { description: "Both.", schema: Health },
      503: { description: "Not both.", schema: Health },
    },
    role: "public",
  },
  {
    method: "GET",
    path: "/health/live",
    id: "healthLive",
    tag: "System",
    summary: "Whether the process is alive",
    answers: { 200: { description: "It is.", schema: exact({ status: oneOf("alive") }) } },
    role: "public",
  },
  {
    method: "GET",
    path: "/health/ready",
    id: "healthReady",
    tag: "System",
    summary: "Whether requests should be sent here",
    answers: {
      200: { description: "Yes.", schema: Readiness },
      503: { description: "No, or not now.", schema: Readiness },
    },
    role: "public",
  },
];
