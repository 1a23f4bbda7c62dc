/**
 * Leases.
 *
 * @module
 */
import type { Routes } from "../router.ts";

/** Registers the route that extends a lease. */
export function leaseRoutes(routes: Routes): void {
  routes.hot("POST", "/api/v1/lease/:leaseId/extend", (exchange) =>
    exchange.forwardOptionalBody("leaseExtend", { leaseId: exchange.name("leaseId") }),
  );
}
