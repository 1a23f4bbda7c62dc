/**
 * Queues: configure, delete, clear.
 *
 * @module
 */
import type { Routes } from "../router.ts";

/** Registers the routes that change queues. */
export function queueRoutes(routes: Routes): void {
  routes.post("/api/v1/configure", "read-write", (exchange) => exchange.forwardBody("configure", {}));
  routes.get("/api/v1/queues/:queue/options", "read-only", (exchange) =>
    exchange.forward("queueOptions", { queue: exchange.name("queue") }),
  );
  routes.delete("/api/v1/resources/queues/:queue", "admin", (exchange) =>
    exchange.forward("queueDelete", { queue: exchange.name("queue") }),
  );
  routes.delete("/api/v1/queues/:queue/clear", "admin", (exchange) =>
    exchange.forward("queueClear", { queue: exchange.name("queue"), partition: exchange.query().name("partition") }),
  );
}
