/**
 * The socket that tells what happens.
 *
 * @module
 */
import type { Exchange } from "../exchange.ts";
import { OCTOBER_PREFIX } from "../october/prefix.ts";
import { errorResponse } from "../respond.ts";
import type { Routes } from "../router.ts";
import { hubOf, SOCKETS_MAX } from "./hub.ts";

/** Registers the socket, at the root path and in the dialect of October 2025. */
export function dashboardSocketRoutes(routes: Routes): void {
  const open = (exchange: Exchange): Response => {
    const hub = hubOf(exchange.services.pool);
    if (hub.count >= SOCKETS_MAX) {
      return errorResponse(503, "Too many sockets are open", exchange.answerFormat, { "retry-after": "10" });
    }
    const response = exchange.openSocket(hub.handler());
    if (response !== null) return response;
    const headers = { upgrade: "websocket", connection: "Upgrade" };
    return errorResponse(426, "This is a WebSocket: the request must ask to upgrade", exchange.answerFormat, headers);
  };
  routes.get("/ws/dashboard", "read-only", open);
  routes.get(`${OCTOBER_PREFIX}/ws/dashboard`, "read-only", open);
}
