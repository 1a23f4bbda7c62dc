/**
 * Maintenance: holding pushes back in a buffer, holding pops back, and how the buffer stands.
 *
 * @module
 */
import type { Routes } from "../router.ts";

/** Registers the switches of maintenance and the state of the buffer. */
export function maintenanceRoutes(routes: Routes): void {
  const path = "/api/v1/system/maintenance";
  routes.get(path, "admin", (exchange) => exchange.forward("maintenanceGet", {}));
  routes.post(path, "admin", (exchange) => exchange.forwardBody("maintenanceSet", {}));
  routes.get(`${path}/pop`, "admin", (exchange) => exchange.forward("popMaintenanceGet", {}));
  routes.post(`${path}/pop`, "admin", (exchange) => exchange.forwardBody("popMaintenanceSet", {}));
  routes.get("/api/v1/status/buffers", "read-only", (exchange) => exchange.forward("bufferStatus", {}));
}
