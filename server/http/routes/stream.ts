/**
 * Streaming queries: register, commit a cycle, read state.
 *
 * @module
 */
import type { Routes } from "../router.ts";

/** Registers the routes of streaming queries. */
export function streamRoutes(routes: Routes): void {
  routes.post("/streams/v1/queries", (exchange) => exchange.forwardBody("streamQueryRegister", {}));
  routes.hot("POST", "/streams/v1/cycle", (exchange) => exchange.forwardBody("streamCycle", {}));
  routes.hot("POST", "/streams/v1/state/get", (exchange) => exchange.forwardBody("streamStateGet", {}));
}
