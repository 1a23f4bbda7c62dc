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

const API = /^\/(api|streams|internal|2025-10)\//;

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
    // No page reads the answer that opens a socket. It must leave as the runtime made it, and its request is gone by then.
    const isUpgrade = request.headers.has("upgrade");
    const listed = origin !== null && allowed.includes(origin);
    if (!listed && isForeign(request, context.req.path, origin))
      context.res = errorResponse(403, "Origin not allowed", "json");
    else await next();
    if (isUpgrade) return;
    const { headers } = context.res;
    headers.append("vary", "Origin");
    if (listed) return headers.set("access-control-allow-origin", origin);
    for (const name of [...headers.keys()]) if (name.startsWith("access-control-")) headers.delete(name);
  };
}

/**
 * Whether a page of another origin causes the request. The host alone tells a page of ours: behind a proxy the scheme
 * is another. Pages for people may be linked to; what the API does must not be done by following a link.
 */
function isForeign(request: Request, path: string, origin: string | null): boolean {
  if (origin !== null) return !URL.canParse(origin) || new URL(origin).host !== request.headers.get("host");
  return request.headers.get("sec-fetch-site") === "cross-site" && API.test(path);
}
