/**
 * The October 2025 dialect: health and metrics of this process.
 *
 * @module
 */
import process from "node:process";
import { databaseState } from "../../observe/process-watch.ts";
import { hubOf } from "../dashboard/hub.ts";
import type { Exchange } from "../exchange.ts";
import { jsonResponse } from "../respond.ts";
import type { Routes } from "../router.ts";
import { examine } from "../routes/health.ts";
import { metrics } from "../routes/metrics.ts";
import { OCTOBER_PREFIX } from "./prefix.ts";

/** Registers health and metrics. */
export function octoberSystemRoutes(routes: Routes): void {
  routes.get(`${OCTOBER_PREFIX}/health`, "public", health);
  routes.get(`${OCTOBER_PREFIX}/metrics`, "public", metrics);
}

async function health(exchange: Exchange): Promise<Response> {
  const { observer, pool } = exchange.services;
  const [{ healthy }] = await Promise.all([examine(exchange), observer.collect()]);
  const totals = observer.rates.totals();
  const rates = observer.rates.perSecond();
  const { size, inUse, waiting } = databaseState(observer.latest.filter((observation) => observation !== undefined));
  return jsonResponse(
    {
      status: healthy ? "healthy" : "unhealthy",
      ...(!healthy && { error: "Database is unavailable" }),
      uptime: `${Math.floor(process.uptime())}s`,
      connections: hubOf(pool).count,
      stats: {
        requests: totals.requests,
        messages: totals.messages,
        requestsPerSecond: rates.requests,
        messagesPerSecond: rates.messages,
        pool: { total: size, idle: size - inUse, waiting },
      },
    },
    healthy ? 200 : 503,
  );
}
