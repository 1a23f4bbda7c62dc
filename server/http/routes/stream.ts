/**
 * Streaming queries: register, commit a cycle, read state.
 *
 * @module
 */
import type { Routes } from "../router.ts";

/** Registers the routes of streaming queries. */
export function streamRoutes(routes: Routes): void {
  routes.post("/streams/v1/queries", "read-write", (exchange) => exchange.forwardBody("streamQueryRegister", {}));
  routes.hot("POST", "/streams/v1/cycle", "read-write", (exchange) => exchange.forwardBody("streamCycle", {}));
  routes.hot("POST", "/streams/v1/state/get", "read-only", (exchange) => exchange.forwardBody("streamStateGet", {}));
}
