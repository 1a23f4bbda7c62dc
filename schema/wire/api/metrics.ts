/**
 * Metrics, and what instances share.
 *
 * @module
 */
import { Type } from "typebox";
import { NotifyBody } from "../notify-request.ts";
import type { ApiOperation } from "./operation.ts";
import { count, exact, oneOf } from "./shapes.ts";

const amount = () => Type.Number({ minimum: 0 });
const flow = exact({ total: count(), rate: amount() });

const Metrics = exact(
  {
    uptime: Type.Number({ minimum: 0, description: "Seconds." }),
    requests: flow,
    messages: flow,
    database: exact({ poolSize: count(), idleConnections: count(), waitingRequests: count() }),
    memory: exact({ rss: count(), heapTotal: count(), heapUsed: count(), external: count(), arrayBuffers: count() }),
    cpu: exact({ user: count("Microseconds."), system: count("Microseconds.") }),
  },
  { title: "Metrics" },
);

/** What instances share, as health and the cluster statistics tell it. */
export const SharedState = exact(
  {
    enabled: Type.Boolean(),
    running: Type.Boolean(),
    server_id: Type.String(),
    maintenance_mode: Type.Boolean(),
    pop_maintenance_mode: Type.Boolean(),
    queue_config_cache: exact({ size: count(), hits: count(), misses: count(), hit_rate: amount() }),
    server_health: exact({
      servers_tracked: count(),
      servers_alive: count(),
      servers_dead: count(),
      heartbeats_received: count(),
      restarts_detected: count("Instances that went away and came back under their name."),
    }),
    transport: exact({
      peer_count: count(),
      messages_sent: count(),
      messages_received: count(),
      messages_dropped: count(),
    }),
  },
  { title: "SharedState" },
);

const shared = (path: string, id: string): ApiOperation => ({
  method: "GET",
  path,
  id,
  tag: path.startsWith("/internal") ? "Internal" : "System",
  summary: "What instances on one database share",
  role: "admin",
  answers: { 200: { description: "As this instance sees it.", schema: SharedState } },
});

/** Routes of metrics, and between instances. */
export const metricsOperations: readonly ApiOperation[] = [
  {
    method: "GET",
    path: "/metrics",
    id: "metrics",
    tag: "System",
    summary: "A few figures of this instance",
    role: "public",
    answers: { 200: { description: "Since it started; rates over the last minute.", schema: Metrics } },
  },
  {
    method: "GET",
    path: "/metrics/prometheus",
    id: "prometheus",
    tag: "System",
    summary: "All figures, for Prometheus",
    role: "public",
    answers: { 200: { description: "Text format 0.0.4.", types: { "text/plain": "text" } } },
  },
  shared("/api/v1/system/shared-state", "sharedState"),
  shared("/internal/api/shared-state/stats", "sharedStateStats"),
  shared("/internal/api/inter-instance/stats", "interInstanceStats"),
  {
    method: "POST",
    path: "/internal/api/notify",
    id: "notify",
    tag: "Internal",
    summary: "Has parked pops of a queue look again",
    role: "admin",
    body: { schema: NotifyBody },
    answers: { 200: { description: "They do.", schema: exact({ status: oneOf("ok") }) } },
  },
];
