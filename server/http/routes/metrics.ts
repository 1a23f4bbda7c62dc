/**
 * Metrics of this process and of the cluster, and what instances share.
 *
 * @module
 */
import process from "node:process";
import type { ClusterReading } from "../../observe/cluster-families.ts";
import { PAGE_TYPE } from "../../observe/page.ts";
import { memoryUsage } from "../../observe/process.ts";
import { databaseState } from "../../observe/process-watch.ts";
import { renderPrometheus } from "../../observe/prometheus.ts";
import { sharedState } from "../../observe/shared-state.ts";
import type { Answer, Pool } from "../../pool/pool.ts";
import type { Exchange } from "../exchange.ts";
import { jsonResponse } from "../respond.ts";
import type { Routes } from "../router.ts";

/** Queues that the Prometheus page shows: the busiest. */
const QUEUES_MAX = 1_000;
/** A database that takes longer is left out of the Prometheus page. */
const DATABASE_MS_MAX = 5_000;
const MINUTE_S = 60;

/** Registers the metrics, the cluster statistics, and the call that wakes parked pops. */
export function metricsRoutes(routes: Routes): void {
  routes.get("/metrics", "public", metrics);
  routes.get("/metrics/prometheus", "public", prometheus);
  for (const path of [
    "/api/v1/system/shared-state",
    "/internal/api/shared-state/stats",
    "/internal/api/inter-instance/stats",
  ]) {
    routes.get(path, "admin", shared);
  }
  routes.post("/internal/api/notify", "admin", (exchange) => exchange.forwardOptionalBody("queueNotify", {}));
}

/** Answers small metrics of this process. */
export async function metrics(exchange: Exchange): Promise<Response> {
  const { observer } = exchange.services;
  await observer.collect();
  const totals = observer.rates.totals();
  const rates = observer.rates.perSecond();
  const { size, inUse, waiting } = databaseState(observer.latest.filter((observation) => observation !== undefined));
  const memory = memoryUsage();
  return jsonResponse({
    uptime: process.uptime(),
    requests: { total: totals.requests, rate: rates.requests },
    messages: { total: totals.messages, rate: rates.messages },
    database: { poolSize: size, idleConnections: size - inUse, waitingRequests: waiting },
    memory: {
      rss: memory.rss,
      heapTotal: memory.heapTotal,
      heapUsed: memory.heapUsed,
      external: memory.external,
      arrayBuffers: memory.arrayBuffers,
    },
    cpu: process.cpuUsage(),
  });
}

async function prometheus(exchange: Exchange): Promise<Response> {
  const { observer, pool, config } = exchange.services;
  const seconds = Math.max(MINUTE_S, config.metrics.aggregateIntervalMs / 1_000);
  const cluster = await within(
    observer.flush().then(() => readCluster(pool, seconds)),
    DATABASE_MS_MAX,
  );
  const text = await renderPrometheus({ pool, observer, cluster });
  return new Response(text, {
    headers: { "content-type": PAGE_TYPE, "cache-control": "no-cache", "access-control-allow-origin": "*" },
  });
}

/** Reads what concerns all instances; null when the database does not tell. */
async function readCluster(pool: Pool, seconds: number): Promise<ClusterReading | null> {
  const answer: Answer = await pool.send({
    id: 0,
    operation: "metricsRead",
    params: { queuesMax: QUEUES_MAX, seconds },
    bodyFormat: "json",
    answerFormat: "json",
    body: null,
  });
  if (answer.error !== undefined || answer.status !== 200 || answer.body === null) return null;
  const text = typeof answer.body === "string" ? answer.body : new TextDecoder().decode(answer.body);
  return JSON.parse(text) as ClusterReading;
}

async function within<T>(promise: Promise<T>, ms: number): Promise<T | null> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const over = new Promise<null>((resolve) => {
    timer = setTimeout(resolve, ms, null);
  });
  try {
    return await Promise.race([promise, over]);
  } finally {
    clearTimeout(timer);
  }
}

async function shared(exchange: Exchange): Promise<Response> {
  const { observer, pool, config } = exchange.services;
  await observer.collect();
  return jsonResponse(sharedState(observer, pool, config.instanceId));
}
