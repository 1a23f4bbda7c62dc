/**
 * Health: is the process up, are its workers, and does the database answer.
 *
 * @module
 */
import { Coalesced } from "../../observe/coalesced.ts";
import { memoryUsage } from "../../observe/process.ts";
import { sharedState } from "../../observe/shared-state.ts";
import type { Answer, Pool, WorkerRequest } from "../../pool/pool.ts";
import type { Exchange } from "../exchange.ts";
import { jsonResponse } from "../respond.ts";
import type { Routes } from "../router.ts";

/** A database that has not answered by then counts as disconnected, in milliseconds. */
const HEALTH_TIMEOUT_MS = 5_000;

/** Registers the health check, and its two halves: is the process alive, and can it serve. */
export function healthRoutes(routes: Routes): void {
  routes.probe("/health", health);
  routes.probe("/health/live", () => jsonResponse({ status: "alive" }));
  routes.probe("/health/ready", readiness);
}

/** Ready as long as `/health` is green: whoever asks wants to know where to send requests. */
async function readiness(exchange: Exchange): Promise<Response> {
  const { healthy, report } = await examine(exchange);
  const { database = "disconnected" } = report;
  return jsonResponse({ status: healthy ? "ready" : "unready", database }, healthy ? 200 : 503);
}

/** Anybody may ask, and as often as they like: one question to the database at a time answers all who asked before it. */
const checks = new WeakMap<Pool, { answer: Answer | null; check: Coalesced }>();

function checkOf(pool: Pool): { answer: Answer | null; check: Coalesced } {
  let made = checks.get(pool);
  if (made === undefined) {
    const entry: { answer: Answer | null; check: Coalesced } = {
      answer: null,
      check: new Coalesced(async () => {
        const request: WorkerRequest = {
          id: 0,
          operation: "health",
          params: {},
          bodyFormat: "json",
          answerFormat: "json",
          body: null,
        };
        entry.answer = await withTimeout(pool.send(request));
      }),
    };
    made = entry;
    checks.set(pool, made);
  }
  return made;
}

/** Asks a worker, and through it the database. */
export async function examine({
  services: { pool },
}: Exchange): Promise<{ healthy: boolean; report: Record<string, unknown> }> {
  const asked = checkOf(pool);
  await asked.check.run();
  const { answer } = asked;
  const { ready } = pool.state();
  return { healthy: ready && answer !== null && answer.status === 200, report: reportOf(answer) };
}

async function health(exchange: Exchange): Promise<Response> {
  const { config, observer, pool, version } = exchange.services;
  const { healthy, report } = await examine(exchange);
  const { ready, workers } = pool.state();
  const memory = memoryUsage();
  const value = {
    status: healthy ? "healthy" : "unhealthy",
    database: "disconnected",
    server: "Queen",
    worker_id: 0,
    version,
    instance: config.instanceId,
    uptime_s: Math.floor(process.uptime()),
    shared_state: sharedState(observer, pool, config.instanceId),
    queen: { worker_id: 0, status: ready ? "active" : "degraded" },
    workers: workers.map((worker) => ({
      worker_id: worker.index,
      status: worker.state,
      restarts: worker.restartCount,
      requests_in_flight: worker.requestCount,
      polls_parked: worker.pollCount,
    })),
    memory: { rss_bytes: memory.rss, heap_used_bytes: memory.heapUsed },
    ...report,
  };
  return jsonResponse(value, healthy ? 200 : 503);
}

/** What the worker says about the database; empty when none answered. */
function reportOf(answer: Answer | null): Record<string, unknown> {
  if (answer === null || answer.error !== undefined || typeof answer.body !== "string") return {};
  const report: unknown = JSON.parse(answer.body);
  return typeof report === "object" && report !== null ? { ...report } : {};
}

function withTimeout(answer: Promise<Answer>): Promise<Answer | null> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, HEALTH_TIMEOUT_MS, null);
    answer.then((value) => {
      clearTimeout(timer);
      resolve(value);
    });
  });
}
