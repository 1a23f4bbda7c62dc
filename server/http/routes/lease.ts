/**
 * Leases.
 *
 * @module
 */
import type { Routes } from "../router.ts";

/** Registers the routes that extend a lease and answer for everything under it. */
export function leaseRoutes(routes: Routes): void {
  routes.hot("POST", "/api/v1/lease/:leaseId/extend", "read-write", (exchange) =>
    exchange.forwardOptionalBody("leaseExtend", { leaseId: exchange.name("leaseId") }),
  );
  routes.hot("POST", "/api/v1/lease/:leaseId/ack", "read-write", (exchange) =>
    exchange.forwardOptionalBody("leaseAcknowledge", { leaseId: exchange.name("leaseId") }),
  );
}
