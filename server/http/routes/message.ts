/**
 * Single messages.
 *
 * @module
 */
import type { Exchange } from "../exchange.ts";
import type { Routes } from "../router.ts";

/** Registers the routes of one message. */
export function messageRoutes(routes: Routes): void {
  const path = "/api/v1/messages/:partitionId/:transactionId";
  routes.get(path, "read-only", (exchange) => exchange.forward("messageGet", messageParams(exchange)));
  routes.delete(path, "read-write", (exchange) => exchange.forward("messageDelete", messageParams(exchange)));
  routes.post(`${path}/retry`, "read-write", (exchange) => exchange.forward("messageRetry", messageParams(exchange)));
  routes.post(`${path}/dlq`, "read-write", (exchange) =>
    exchange.forwardOptionalBody("messageMoveToDeadLetter", messageParams(exchange)),
  );
}

function messageParams(exchange: Exchange): { partitionId: string; transactionId: string } {
  return { partitionId: exchange.name("partitionId"), transactionId: exchange.name("transactionId") };
}
