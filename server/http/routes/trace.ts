/**
 * Traces.
 *
 * @module
 */
import { pageOf } from "../listing.ts";
import type { Routes } from "../router.ts";

/** Registers the routes that write and read traces; the fixed paths come first, they win over parameters. */
export function traceRoutes(routes: Routes): void {
  routes.post("/api/v1/traces", "read-write", (exchange) => exchange.forwardBody("traceCreate", {}));
  routes.get("/api/v1/traces/names", "read-only", (exchange) =>
    exchange.forward("traceNameList", pageOf(exchange.query(), 50)),
  );
  routes.get("/api/v1/traces/by-name/:traceName", "read-only", (exchange) =>
    exchange.forward("traceListByName", { name: exchange.name("traceName"), ...pageOf(exchange.query(), 100) }),
  );
  routes.get("/api/v1/traces/:partitionId/:transactionId", "read-only", (exchange) =>
    exchange.forward("traceList", {
      partitionId: exchange.name("partitionId"),
      transactionId: exchange.name("transactionId"),
    }),
  );
}
