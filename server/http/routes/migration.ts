/**
 * Copying into another database, as 0.15 offered it over HTTP: a server that connects to whatever host a request names is
 * not a thing to have on a network, so these routes only say how it is done instead.
 *
 * @module
 */
import { MIGRATION_GONE, MIGRATION_ROUTES } from "../../../schema/wire/api/internal.ts";
import type { Exchange } from "../exchange.ts";
import { errorResponse } from "../respond.ts";
import type { Routes } from "../router.ts";

/** Registers the routes that answer 410. */
export function migrationRoutes(routes: Routes): void {
  for (const [method, name] of MIGRATION_ROUTES) {
    const path = `/api/v1/migration/${name}`;
    if (method === "GET") routes.get(path, "admin", gone);
    else routes.post(path, "admin", gone);
  }
}

/** A body was not read, and might be taken for the next request: the connection is closed. */
function gone(exchange: Exchange): Response {
  const headers: Record<string, string> = exchange.request.body === null ? {} : { connection: "close" };
  return errorResponse(410, MIGRATION_GONE, "json", headers);
}
