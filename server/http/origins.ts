/**
 * Which origins' pages may use the server, when `CORS_ORIGINS` is not `*`.
 *
 * CORS alone only keeps a page from reading answers: a push, or a pop, of a page that is not listed would take place. So
 * requests that a browser marks as coming from such a page are refused.
 *
 * @module
 */
import type { MiddlewareHandler } from "hono";
import { errorResponse } from "./respond.ts";

/**
 * Makes the check.
 *
 * @param allowed - Origins as browsers send them.
 * @returns A middleware; it puts the caller's origin, if listed, into the answer instead of `*`.
 */
export function restrictOrigins(allowed: readonly string[]): MiddlewareHandler {
  return async (context, next) => {
    const request = context.req.raw;
    const origin = request.headers.get("origin");
    const listed = origin !== null && allowed.includes(origin);
    if (!listed && isForeign(request, origin)) context.res = errorResponse(403, "Origin not allowed", "json");
    else await next();
    const { headers } = context.res;
    headers.append("vary", "Origin");
    if (listed) return headers.set("access-control-allow-origin", origin);
    for (const name of [...headers.keys()]) if (name.startsWith("access-control-")) headers.delete(name);
  };
}

/** Whether a page of another origin causes the request. Following a link to a page of ours is no such thing. */
function isForeign(request: Request, origin: string | null): boolean {
  if (origin !== null) return origin !== `${new URL(request.url).protocol}//${request.headers.get("host")}`;
  return request.headers.get("sec-fetch-site") === "cross-site" && request.headers.get("sec-fetch-dest") !== "document";
}
