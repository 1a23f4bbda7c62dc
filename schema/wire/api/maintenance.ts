/**
 * Maintenance and the buffer.
 *
 * @module
 */
import { Type } from "typebox";
import type { ApiBody, ApiOperation } from "./operation.ts";
import { count, exact } from "./shapes.ts";

/** The request that throws a switch. */
export const MaintenanceBody = Type.Object({ enabled: Type.Boolean() }, { title: "MaintenanceSwitch" });
const Switch: ApiBody = { schema: MaintenanceBody };

const FailedFiles = exact({
  count: count("Files of messages that were refused for good, or are damaged."),
  totalBytes: count(),
  totalMB: Type.Number({ minimum: 0 }),
  failoverCount: count("All of them: there is one kind of buffer."),
  qos0Count: count("0."),
});

const Maintenance = exact(
  {
    maintenanceMode: Type.Boolean(),
    popMaintenanceMode: Type.Boolean(),
    bufferedMessages: count("Messages in the buffer of this instance."),
    bufferHealthy: Type.Boolean({ description: "Whether pushes can be buffered." }),
    bufferStats: exact({
      pendingCount: count(),
      failedCount: count("Messages that the store refused for good."),
      dbHealthy: Type.Boolean({ description: "Whether the database answered last." }),
      failedFiles: FailedFiles,
    }),
  },
  { title: "Maintenance" },
);
const Switched = exact(
  {
    maintenanceMode: Type.Boolean(),
    bufferedMessages: count(),
    bufferHealthy: Type.Boolean(),
    message: Type.String(),
  },
  { title: "MaintenanceSwitched" },
);
const PopMaintenance = exact(
  { popMaintenanceMode: Type.Boolean(), message: Type.String() },
  { title: "PopMaintenance" },
);
const Buffers = exact(
  {
    pending: count(),
    failed: count(),
    dbHealthy: Type.Boolean(),
    worker: count(),
    note: Type.Optional(Type.String()),
  },
  { title: "Buffers" },
);

/** Routes of maintenance and of the buffer. */
export const maintenanceOperations: readonly ApiOperation[] = [
  {
    method: "GET",
    path: "/api/v1/system/maintenance",
    id: "maintenance",
    tag: "System",
    summary: "The switches of maintenance, and how the buffer stands",
    answers: { 200: { description: "Both.", schema: Maintenance } },
    role: "admin",
  },
  {
    method: "POST",
    path: "/api/v1/system/maintenance",
    id: "maintenanceSwitch",
    tag: "System",
    summary: "Hold pushes back in a buffer on disk, or deliver them",
    description: "Holds for all instances, and outlives restarts. Pushes are answered `buffered` while it is on.",
    body: Switch,
    answers: { 200: { description: "Switched.", schema: Switched } },
    role: "admin",
  },
  {
    method: "GET",
    path: "/api/v1/system/maintenance/pop",
    id: "popMaintenance",
    tag: "System",
    summary: "Whether pops are held back",
    answers: { 200: { description: "How it stands.", schema: PopMaintenance } },
    role: "admin",
  },
  {
    method: "POST",
    path: "/api/v1/system/maintenance/pop",
    id: "popMaintenanceSwitch",
    tag: "System",
    summary: "Answer all pops empty, or no longer",
    description: "Holds for all instances, and outlives restarts. Pops that wait are answered at once.",
    body: Switch,
    answers: { 200: { description: "Switched.", schema: PopMaintenance } },
    role: "admin",
  },
  {
    method: "GET",
    path: "/api/v1/status/buffers",
    id: "buffers",
    tag: "Status",
    summary: "How the buffer of this instance stands",
    answers: { 200: { description: "Counts of messages.", schema: Buffers } },
  },
];
