/**
 * Dead letters.
 *
 * @module
 */
import { fieldError } from "../../../schema/wire/errors.ts";
import { pageOf, timestampOf } from "../listing.ts";
import type { Routes } from "../router.ts";

/** Registers the listings of dead letters. */
export function deadLetterRoutes(routes: Routes): void {
  routes.get("/api/v1/dlq/errors", "read-only", (exchange) => {
    const query = exchange.query();
    const { limit } = pageOf(query, 100);
    return exchange.forward("deadLetterErrors", {
      queue: query.name("queue"),
      group: query.name("consumerGroup"),
      limit,
    });
  });
  routes.get("/api/v1/dlq", "read-only", (exchange) => {
    const query = exchange.query();
    return exchange.forward("deadLetterList", {
      ...pageOf(query, 100),
      queue: query.name("queue"),
      partition: query.name("partition"),
      group: query.name("consumerGroup"),
      error: errorOf(query.text("error")),
      from: timestampOf(query, "from"),
      to: timestampOf(query, "to"),
    });
  });
}

function errorOf(text: string | null): string | null {
  if (text?.includes("\0")) throw fieldError("error contains a NUL character");
  return text;
}
