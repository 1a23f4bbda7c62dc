/**
 * Those who look on: a dashboard that asks for its lists, and somebody who moves a group back and forth.
 *
 * @module
 */

import type { Client } from "./client.ts";
import type { Tempo } from "./producer.ts";

const DASHBOARD_MS = 1_000;
const REWIND_SECONDS = 5;
/** How often somebody looks whether it is over. */
const STEP_MS = 200;

const LISTINGS = [
  "/api/v1/status",
  "/api/v1/status/queues",
  "/api/v1/status/queues/orders",
  "/api/v1/resources/overview",
  "/api/v1/resources/queues",
  "/api/v1/consumer-groups",
  "/api/v1/messages?queue=orders&limit=50",
  "/api/v1/dlq?queue=tasks&limit=50",
  "/api/v1/analytics/queue-ops",
  "/api/v1/analytics/worker-metrics",
  "/metrics/prometheus",
  "/health",
];

/** Asks for one list a second, as dashboards do. Never rejects. */
export async function watchDashboard(client: Client, tempo: Tempo): Promise<void> {
  for (let turn = 0; await pause(DASHBOARD_MS, tempo); turn++) {
    const startedAt = performance.now();
    await client.send("listing", "GET", LISTINGS[turn % LISTINGS.length]!).catch(() => {});
    client.latencies.listing.record(performance.now() - startedAt);
  }
}

/**
 * Moves a group back by some seconds, then to the end, in turn. Never rejects.
 *
 * @param everyMs - Between two moves.
 */
export async function rewind(
  client: Client,
  queue: string,
  group: string,
  everyMs: number,
  tempo: Tempo,
): Promise<void> {
  const path = `/api/v1/consumer-groups/${group}/queues/${queue}/seek`;
  for (let turn = 0; await pause(everyMs, tempo); turn++) {
    const back = new Date(Date.now() - REWIND_SECONDS * 1000).toISOString();
    const body = turn % 2 === 0 ? { timestamp: back } : { toEnd: true };
    await client.send("seek", "POST", path, JSON.stringify(body)).catch(() => {});
  }
}

/** @returns False when it is over. */
async function pause(ms: number, tempo: Tempo): Promise<boolean> {
  const until = performance.now() + ms;
  while (performance.now() < until && !tempo.stopping) await Bun.sleep(Math.min(STEP_MS, ms));
  return !tempo.stopping;
}
