/**
 * The role of every route: what the contract's table says, and that it is what the server really asks for.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { Hono } from "hono";
import { registerRoutes } from "../../../../server/http/app.ts";
import type { Role } from "../../../../server/http/auth/role.ts";
import type { Services } from "../../../../server/http/exchange.ts";
import { type AppEnv, type KnownRoute, Routes } from "../../../../server/http/router.ts";
import { bearer, HS256_ENV, hsToken } from "../../../support/tokens.ts";
import { type EchoServer, startEcho } from "../echo-server.ts";

/** Section 1 of the contract. */
const CONTRACT: Readonly<Record<Role, string>> = {
  "read-write": `
    POST /api/v1/configure
    POST /api/v1/push
    GET /api/v1/pop/queue/:queue
    GET /api/v1/pop/queue/:queue/partition/:partition
    POST /api/v1/ack
    POST /api/v1/ack/batch
    POST /api/v1/transaction
    POST /api/v1/lease/:leaseId/extend
    DELETE /api/v1/messages/:partitionId/:transactionId
    POST /api/v1/traces
    POST /api/v1/consumer-groups/:group/subscription
    POST /api/v1/consumer-groups/:group/queues/:queue/seek
    POST /api/v1/consumer-groups/:group/queues/:queue/partitions/:partition/seek
    POST /streams/v1/queries
    POST /streams/v1/cycle
  `,
  "read-only": `
    GET /api/v1/resources/queues
    GET /api/v1/resources/queues/:queue
    GET /api/v1/resources/namespaces
    GET /api/v1/resources/tasks
    GET /api/v1/resources/overview
    GET /api/v1/messages
    GET /api/v1/messages/:partitionId/:transactionId
    GET /api/v1/dlq
    GET /api/v1/traces/names
    GET /api/v1/traces/by-name/:traceName
    GET /api/v1/traces/:partitionId/:transactionId
    GET /api/v1/status
    GET /api/v1/status/queues
    GET /api/v1/status/queues/:queue
    GET /api/v1/status/queues/:queue/messages
    GET /api/v1/status/analytics
    GET /api/v1/status/buffers
    GET /api/v1/analytics/system-metrics
    GET /api/v1/analytics/worker-metrics
    GET /api/v1/analytics/queue-lag
    GET /api/v1/analytics/queue-ops
    GET /api/v1/analytics/queue-parked-replicas
    GET /api/v1/analytics/retention
    GET /api/v1/analytics/postgres-stats
    GET /api/v1/consumer-groups
    GET /api/v1/consumer-groups/lagging
    GET /api/v1/consumer-groups/:group
    POST /streams/v1/state/get
  `,
  admin: `
    DELETE /api/v1/resources/queues/:queue
    DELETE /api/v1/consumer-groups/:group
    DELETE /api/v1/consumer-groups/:group/queues/:queue
    POST /api/v1/stats/refresh
    GET /api/v1/system/maintenance
    POST /api/v1/system/maintenance
    GET /api/v1/system/maintenance/pop
    POST /api/v1/system/maintenance/pop
    GET /api/v1/system/shared-state
    POST /internal/api/notify
    GET /internal/api/shared-state/stats
    GET /internal/api/inter-instance/stats
    POST /api/v1/migration/test-connection
    POST /api/v1/migration/start
    GET /api/v1/migration/status
    POST /api/v1/migration/validate
    POST /api/v1/migration/reset
  `,
  public: `
    GET /health
    GET /metrics
    GET /metrics/prometheus
  `,
};

const LET_THROUGH_MS = 150;
const REFUSED_MS = 4_000;
const ROLES: readonly Role[] = ["public", "read-only", "read-write", "admin"];
const routes = registered();
let server: EchoServer;
const headers: Record<string, string>[] = [];

function registered(): readonly KnownRoute[] {
  const all = new Routes(new Hono<AppEnv>(), { guard: null } as unknown as Services);
  registerRoutes(all);
  return all.known;
}

beforeAll(async () => {
  server = await startEcho(HS256_ENV);
  for (const role of ["nobody", ...ROLES.slice(1)]) headers.push(bearer(await hsToken({ role })));
});
afterAll(() => server.stop());

/** Status of a request with these headers; null when there is none within `limitMs` milliseconds. */
async function ask(
  { method, path }: KnownRoute,
  given: Record<string, string>,
  limitMs: number,
): Promise<number | null> {
  const body = method === "POST" ? { raw: "{}" } : {};
  const signal = AbortSignal.timeout(limitMs);
  try {
    return (await server.http.call(method, path.replace(/:\w+/g, "x"), { headers: given, signal, ...body })).status;
  } catch (error) {
    if (signal.aborted) return null;
    throw error;
  }
}

/** A refusal comes at once. What takes longer was let through, and waits for something that echoing workers do not know. */
async function expectLetThrough(route: KnownRoute, given: Record<string, string>): Promise<void> {
  expect([401, 403]).not.toContain(await ask(route, given, LET_THROUGH_MS));
}

async function expectRefused(route: KnownRoute, given: Record<string, string>, status: 401 | 403): Promise<void> {
  expect([route.path, await ask(route, given, REFUSED_MS)]).toEqual([route.path, status]);
}

test("routes of the contract have the roles of its table", () => {
  const roles = new Map(routes.map(({ method, path, role }) => [`${method} ${path}`, role]));
  const wrong: string[] = [];
  let count = 0;
  for (const [role, text] of Object.entries(CONTRACT)) {
    for (const route of text.trim().split(/\n\s+/)) {
      count += 1;
      const is = roles.get(route);
      if (is !== role) wrong.push(`${route} is ${is}, not ${role}`);
    }
  }
  expect(count).toBe(63);
  expect(wrong).toEqual([]);
});

test("write-only is open to pushes alone; with read-only also to what that is", async () => {
  const only = bearer(await hsToken({ role: "write-only" }));
  const both = bearer(await hsToken({ roles: ["write-only", "read-only"] }));
  const guarded = routes.filter((route) => route.role !== "public");
  await Promise.all(
    guarded.map(async (route) => {
      const isPush = /^(\/2025-10)?\/api\/v1\/push(\/binary)?$/.test(route.path);
      if (isPush) await expectLetThrough(route, only);
      else await expectRefused(route, only, 403);
      if (isPush || route.role === "read-only") await expectLetThrough(route, both);
      else await expectRefused(route, both, 403);
    }),
  );
});

test.each(routes.map((route) => [route.method, route.path, route] as const))(
  "%s %s asks for its role, and for no higher one",
  async (_method, _path, route) => {
    const rank = ROLES.indexOf(route.role);
    if (rank > 0) await expectRefused(route, {}, 401);
    await Promise.all(
      headers.map((given, at) => (at < rank ? expectRefused(route, given, 403) : expectLetThrough(route, given))),
    );
  },
);
