/**
 * All routes of the API, by area.
 *
 * @module
 */
import { acknowledgeOperations } from "./acknowledge.ts";
import { analyticsOperations } from "./analytics.ts";
import { consumeOperations } from "./consume.ts";
import { dashboardOperations } from "./dashboard.ts";
import { groupOperations } from "./groups.ts";
import { internalOperations } from "./internal.ts";
import { inventoryOperations } from "./inventory.ts";
import { listingOperations } from "./listings.ts";
import { maintenanceOperations } from "./maintenance.ts";
import { messageOperations } from "./messages.ts";
import { metricsOperations } from "./metrics.ts";
import { octoberOperations } from "./october.ts";
import { octoberListingOperations } from "./october-listings.ts";
import type { ApiOperation } from "./operation.ts";
import { produceOperations } from "./produce.ts";
import { queueOperations } from "./queues.ts";
import { socketOperations } from "./socket.ts";
import { statusOperations } from "./status.ts";
import { streamOperations } from "./streams.ts";
import { systemOperations } from "./system.ts";
import { traceOperations } from "./traces.ts";

/** Every route, in the order of the document. */
export const OPERATIONS: readonly ApiOperation[] = [
  ...queueOperations,
  ...produceOperations,
  ...consumeOperations,
  ...acknowledgeOperations,
  ...messageOperations,
  ...listingOperations,
  ...inventoryOperations,
  ...statusOperations,
  ...analyticsOperations,
  ...traceOperations,
  ...groupOperations,
  ...streamOperations,
  ...systemOperations,
  ...metricsOperations,
  ...maintenanceOperations,
  ...internalOperations,
  ...octoberOperations,
  ...octoberListingOperations,
  ...socketOperations,
  ...dashboardOperations,
];
