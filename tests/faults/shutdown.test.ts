/**
 * Stopping a server under load: what was answered is kept, what waits is answered, and nobody is left hanging.
 */
import { afterEach, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Api, payloads, popPath } from "../support/api.ts";
import { DashboardClient } from "../support/dashboard-client.ts";
import { openDatabase } from "../support/database.ts";
import { Http } from "../support/http.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { until } from "../support/wait.ts";

setDefaultTimeout(180_000);

const PRODUCERS = 24;
const POLLS = 40;
/** The stop comes after so many messages. */
const PUSHED_MIN = 200;
/** Later than what the server takes for the same signal twice. */
const LATER_MS = 700;

let server: TestServer | null = null;
afterEach(async () => {
  await server?.stop();
  server = null;
});

async function serve(dataDir = mkdtempSync(join(tmpdir(), "queen-shutdown-"))): Promise<Api> {
  server = await startServer({ dataDir });
  return new Api(new Http(server.url));
}

/** What `/health` counts in all workers. */
async function sumOfWorkers(api: Api, field: "polls_parked" | "requests_in_flight"): Promise<number> {
  const { workers } = (await api.http.get("/health")).json as { workers: Record<typeof field, number>[] };
  return workers.reduce((sum, worker) => sum + worker[field], 0);
}

/** Pushes one message after another until the server is gone. @param told - Every status. @returns What was stored. */
async function produce(api: Api, producer: number, told: (status: number) => void): Promise<string[]> {
  const answered: string[] = [];
  for (let n = 0; ; n++) {
    const payload = `${producer}/${n}`;
    const items = [{ queue: "busy", partition: `p${producer % 4}`, payload, transactionId: payload }];
    try {
      const answer = await api.http.post("/api/v1/push", { items });
      told(answer.status);
      if (answer.status === 201) answered.push(payload);
      else if (answer.status !== 503) return answered;
    } catch {
      return answered;
    }
  }
}

test("SIGTERM under load: pushes in flight are answered and kept, parked polls end empty, sockets close with 1001", async () => {
  const api = await serve();
  const dataDir = server!.dataDir;
  const socket = new DashboardClient(server!.url);
  await socket.connected();
  const parked = Array.from({ length: POLLS }, (_, n) =>
    api.http.get(`${popPath(`quiet-${n % 5}`)}?wait=true&timeout=120000`),
  );
  const statuses = new Set<number>();
  let pushedCount = 0;
  let producing = 0;
  const producers = Array.from({ length: PRODUCERS }, async (_, producer) => {
    const answered = await produce(api, producer, (status) => {
      statuses.add(status);
      if (status === 201) pushedCount += 1;
    });
    producing += 1;
    return answered;
  });
  await until(async () => (await sumOfWorkers(api, "polls_parked")) === POLLS, 60_000, "parked polls");
  await until(() => pushedCount > PUSHED_MIN, 60_000, "load");
  expect(producing).toBe(0);
  process.kill(server!.pid, "SIGTERM");
  expect(await server!.exited).toBe(0);
  const answered = (await Promise.all(producers)).flat();
  for (const answer of await Promise.all(parked)) expect([answer.status, answer.text]).toEqual([204, ""]);
  await until(() => socket.closed !== null, 30_000, "the end of the socket");
  expect(socket.closed).toBe(1001);
  expect([...statuses].filter((status) => status !== 201 && status !== 503)).toEqual([]);
  expect(answered.length).toBeGreaterThan(PUSHED_MIN - PRODUCERS);
  expect(server!.log.filter((line) => /"level":"(error|fatal)"/.test(line))).toEqual([]);
  await server!.stop(true);

  const again = await serve(dataDir);
  const kept: unknown[] = [];
  for (let got = [0] as unknown[]; got.length > 0; kept.push(...got))
    got = payloads(await again.pop("busy", { batch: 1000, partitions: 4, autoAck: true }));
  expect(new Set(kept).size).toBe(kept.length);
  const missing = answered.filter((payload) => !new Set(kept).has(payload));
  expect(missing).toEqual([]);
});

/** Holds a lock that no push gets past. @returns Ends it. */
async function blockPushes(dataDir: string): Promise<() => Promise<void>> {
  const sql = await openDatabase(dataDir);
  const reserved = await sql.reserve();
  await reserved`begin`;
  await reserved`lock table queen.segments in access exclusive mode`;
  return async () => {
    await sql.end({ timeout: 0 }).catch(() => {});
  };
}

test("a second SIGTERM ends at once, with 1, though something is in flight; the next start finds all that was answered", async () => {
  const api = await serve();
  const dataDir = server!.dataDir;
  await api.pushAll("slow", "p", ["kept"]);
  const unblock = await blockPushes(dataDir);
  const hanging = api.http
    .post("/api/v1/push", { items: [{ queue: "slow", partition: "p", payload: "x" }] })
    .catch(() => null);
  await until(async () => (await sumOfWorkers(api, "requests_in_flight")) > 0, 30_000, "a push in flight");
  process.kill(server!.pid, "SIGTERM");
  await until(() => server!.log.some((line) => line.includes('"stopping"')), 30_000, "the stop to begin");
  await Bun.sleep(LATER_MS);
  const since = performance.now();
  process.kill(server!.pid, "SIGTERM");
  expect(await server!.exited).toBe(1);
  // Far below the ten seconds that what is in flight gets.
  expect(performance.now() - since).toBeLessThan(6_000);
  await hanging;
  await unblock();
  await server!.stop(true);
  const again = await serve(dataDir);
  expect(payloads(await again.pop("slow", { batch: 10, autoAck: true }))[0]).toBe("kept");
});

test("the same signal twice within half a second is one: the stop is still graceful", async () => {
  const api = await serve();
  const parked = api.http.get(`${popPath("quiet")}?wait=true&timeout=120000`);
  await until(async () => (await sumOfWorkers(api, "polls_parked")) > 0, 30_000, "a parked poll");
  process.kill(server!.pid, "SIGTERM");
  process.kill(server!.pid, "SIGINT");
  expect(await server!.exited).toBe(0);
  expect((await parked).status).toBe(204);
});
