/**
 * Dead letters.
 *
 * @module
 */
import { pageOf, timestampOf } from "../listing.ts";
import type { Routes } from "../router.ts";

/** Registers the listing of dead letters. */
export function deadLetterRoutes(routes: Routes): void {
  routes.get("/api/v1/dlq", "read-only", (exchange) => {
    const query = exchange.query();
    return exchange.forward("deadLetterList", {
      ...pageOf(query, 100),
      queue: query.name("queue"),
      partition: query.name("partition"),
      group: query.name("consumerGroup"),
      from: timestampOf(query, "from"),
      to: timestampOf(query, "to"),
    });
  });
}
