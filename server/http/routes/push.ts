/**
 * Producing: push and transaction.
 *
 * @module
 */
import type { Routes } from "../router.ts";

/** Registers the routes that store messages. */
export function pushRoutes(routes: Routes): void {
  // The producer's identity comes from a verified token only; without authentication there is none.
  routes.hot("POST", "/api/v1/push", "read-write", (exchange) =>
    exchange.forwardBody("push", { producerSub: exchange.subject }),
  );
  routes.hot("POST", "/api/v1/transaction", "read-write", (exchange) => exchange.forwardBody("transaction", {}));
}
