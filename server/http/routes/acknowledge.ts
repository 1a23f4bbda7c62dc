/**
 * Acknowledging: one message, or many.
 *
 * @module
 */
import type { Routes } from "../router.ts";

/** Registers the routes that resolve messages. */
export function acknowledgeRoutes(routes: Routes): void {
  routes.hot("POST", "/api/v1/ack", "read-write", (exchange) => exchange.forwardBody("ack", {}));
  routes.hot("POST", "/api/v1/ack/batch", "read-write", (exchange) => exchange.forwardBody("ackBatch", {}));
}
