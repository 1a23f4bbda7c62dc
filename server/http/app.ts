/**
 * The HTTP application: a Hono app that does not listen.
 *
 * @module
 */
import { Hono } from "hono";
import { ERRORS, QueenError } from "../../schema/wire/errors.ts";
import type { Config } from "../config.ts";
import { Observer } from "../observe/observer.ts";
import type { LogLine, Pool } from "../pool/pool.ts";
import { Guard } from "./auth/guard.ts";
import { BodyReader } from "./body.ts";
import { Compression } from "./compression.ts";
import { dashboardSocketRoutes } from "./dashboard/routes.ts";
import { octoberRoutes } from "./october/routes.ts";
import { restrictOrigins } from "./origins.ts";
import { requestIdOf } from "./request-id.ts";
import { errorFormatOf, errorResponse, preflightResponse } from "./respond.ts";
import { type AppEnv, Routes } from "./router.ts";
import { acknowledgeRoutes } from "./routes/acknowledge.ts";
import { analyticsRoutes } from "./routes/analytics.ts";
import { consumerGroupRoutes } from "./routes/consumer-group.ts";
import { dashboardRoutes } from "./routes/dashboard.ts";
import { deadLetterRoutes } from "./routes/dead-letter.ts";
import { documentationRoutes } from "./routes/documentation.ts";
import { healthRoutes } from "./routes/health.ts";
import { leaseRoutes } from "./routes/lease.ts";
import { listingRoutes } from "./routes/listing.ts";
import { maintenanceRoutes } from "./routes/maintenance.ts";
import { messageRoutes } from "./routes/message.ts";
import { metricsRoutes } from "./routes/metrics.ts";
import { migrationRoutes } from "./routes/migration.ts";
import { popRoutes } from "./routes/pop.ts";
import { pushRoutes } from "./routes/push.ts";
import { queueRoutes } from "./routes/queue.ts";
import { streamRoutes } from "./routes/stream.ts";
import { traceRoutes } from "./routes/trace.ts";

/** What {@link buildApp} needs. */
export interface AppOptions {
  /** Started or not; before it is, requests are answered 503. */
  pool: Pool;
  config: Config;
  log: LogLine;
  /** Of this program, for health. */
  version: string;
  /** Measures; without one, nothing is measured but on demand. */
  observer?: Observer;
}

/** Registers every route. */
export function registerRoutes(routes: Routes): void {
  for (const register of [
    queueRoutes,
    pushRoutes,
    popRoutes,
    acknowledgeRoutes,
    leaseRoutes,
    deadLetterRoutes,
    messageRoutes,
    listingRoutes,
    consumerGroupRoutes,
    traceRoutes,
    streamRoutes,
    maintenanceRoutes,
    analyticsRoutes,
    metricsRoutes,
    healthRoutes,
    octoberRoutes,
    dashboardSocketRoutes,
    migrationRoutes,
    documentationRoutes,
    dashboardRoutes,
  ]) {
    register(routes);
  }
}

/**
 * Builds the application: every route, errors in one shape, CORS on every answer.
 *
 * @returns An app whose `fetch(request, connection?)` answers one request.
 */
export function buildApp(options: AppOptions): Hono<AppEnv> {
  const { config, log, pool, version } = options;
  const observer = options.observer ?? new Observer({ pool, config, log });
  const app = new Hono<AppEnv>();
  const bodies = new BodyReader(
    config.bodyBytesMax,
    config.workerCount * config.backlog.bytesMax,
    config.bodyTimeoutMs,
  );
  const compression = new Compression(config.compression, config.host);
  if (config.corsOrigins !== "*") app.use(restrictOrigins(config.corsOrigins));
  const guard = config.auth === null ? null : new Guard(config.auth, log);
  const routes = new Routes(app, { pool, config, bodies, log, compression, observer, guard, version });
  registerRoutes(routes);
  app.options("*", () => preflightResponse());
  app.notFound((context) => {
    const answerFormat = errorFormatOf(context.req.raw, false);
    const methods = routes.methodsOf(context.req.path);
    if (methods.length === 0)
      return errorResponse(404, `No such route: ${context.req.method} ${context.req.path}`, answerFormat);
    const allow = [...new Set(methods)].join(", ");
    return errorResponse(405, `${context.req.method} is not possible here, only ${allow}`, answerFormat, { allow });
  });
  app.onError((error, context) => {
    const answerFormat = errorFormatOf(context.req.raw, context.get("binary") === true);
    if (error instanceof QueenError) return clientErrorResponse(error, answerFormat);
    const requestId = requestIdOf(context.req.raw);
    log("error", "request_failed", {
      request_id: requestId,
      method: context.req.method,
      path: context.req.path,
      error: error.stack ?? String(error),
    });
    return errorResponse(ERRORS.INTERNAL.status, ERRORS.INTERNAL.text, answerFormat, { "x-request-id": requestId });
  });
  return app;
}

function clientErrorResponse(error: QueenError, format: "json" | "cbor"): Response {
  const headers: Record<string, string> = {};
  // What was not read is still on its way: only closing the connection keeps it from being taken for a request.
  if (error.status === 408 || error.status === 413 || error.status === 503) headers.connection = "close";
  if (error.status === 503) headers["retry-after"] = "1";
  return errorResponse(error.status, error.message, format, headers);
}
