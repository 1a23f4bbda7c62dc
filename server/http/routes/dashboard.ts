/**
 * The dashboard: its page, and the two things it asks that nothing else answers: who am I, and how is it going right now.
 *
 * @module
 */
import { lookLive } from "../../observe/live.ts";
import { Denied } from "../auth/denied.ts";
import { liveStreamsOf, STREAMS_MAX } from "../dashboard/live-streams.ts";
import { DASHBOARD_FILES, DASHBOARD_POLICY, dashboardPage } from "../dashboard/page.ts";
import type { Exchange } from "../exchange.ts";
import { errorResponse, jsonResponse } from "../respond.ts";
import type { Routes } from "../router.ts";
import { ASK_AGAIN, FOR_EVER, textResponse } from "./documentation.ts";

const EVENT_STREAM = "text/event-stream";

/** Registers the page at `/`, its files, and what it needs beside the rest of the API. */
export function dashboardRoutes(routes: Routes): void {
  routes.get("/", "public", async (exchange) =>
    textResponse(exchange, await dashboardPage(), {
      "content-type": "text/html; charset=utf-8",
      "cache-control": ASK_AGAIN,
      "content-security-policy": DASHBOARD_POLICY,
      "referrer-policy": "no-referrer",
    }),
  );
  routes.get("/dashboard/:file", "public", async (exchange) => {
    const name = exchange.name("file");
    const file = Object.hasOwn(DASHBOARD_FILES, name) ? DASHBOARD_FILES[name] : undefined;
    if (file === undefined) return errorResponse(404, `No such file: ${name}`, exchange.answerFormat);
    return textResponse(exchange, await file.text(), { "content-type": file.type, "cache-control": FOR_EVER });
  });
  routes.get("/api/v1/whoami", "read-only", whoAmI);
  routes.get("/api/v1/status/live", "read-only", live);
}

async function whoAmI(exchange: Exchange): Promise<Response> {
  const { guard } = exchange.services;
  if (guard === null) return jsonResponse({ authentication: false, role: "admin", subject: null });
  for (const role of ["admin", "read-write"] as const) {
    const admission = await guard.admit(exchange.request, "/api/v1/whoami", role);
    if (!(admission instanceof Denied)) return jsonResponse({ authentication: true, role, subject: exchange.subject });
  }
  return jsonResponse({ authentication: true, role: "read-only", subject: exchange.subject });
}

async function live(exchange: Exchange): Promise<Response> {
  const { config, observer, pool } = exchange.services;
  const look = () => lookLive(pool, observer, config.instanceId);
  if (!exchange.request.headers.get("accept")?.includes(EVENT_STREAM)) return jsonResponse(await look());
  const streams = liveStreamsOf(pool, look);
  if (streams.count >= STREAMS_MAX) {
    return errorResponse(503, "Too many streams are open", exchange.answerFormat, { "retry-after": "10" });
  }
  return new Response(streams.open(), {
    headers: {
      "content-type": EVENT_STREAM,
      "cache-control": "no-store",
      "x-accel-buffering": "no",
      "access-control-allow-origin": "*",
    },
  });
}
