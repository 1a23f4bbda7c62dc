import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { Api, leasedAckOf, query } from "../support/api.ts";
import { Http } from "../support/http.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { until } from "../support/wait.ts";

setDefaultTimeout(60_000);

/** A server of its own, so that the figures of the whole server are those of this load. */
let server: TestServer;
const api = new Api(new Http(""));
const [LOAD, OTHER] = ["orders.created", "other"];

/** 30 messages in 3 requests; 20 of them popped, 15 completed, 5 failed. And a little of everything else. */
async function load(): Promise<void> {
  await api.configure(LOAD, { retryLimit: 0 }, { namespace: "orders", task: "created" });
  for (let request = 0; request < 3; request++) {
    await api.push(...Array.from({ length: 10 }, (_, n) => ({ queue: LOAD, partition: `p${n % 2}`, payload: n })));
  }
  const popped = [...(await api.pop(LOAD, { batch: 10 })), ...(await api.pop(LOAD, { batch: 10 }))];
  expect(popped).toHaveLength(20);
  expect(await api.pop(LOAD, { batch: 10, consumerGroup: "none", subscriptionMode: "new" })).toEqual([]);
  await api.ackBatch(popped.slice(0, 15).map((message) => leasedAckOf(message)));
  await api.ackBatch(popped.slice(15).map((message) => leasedAckOf(message, "failed", "card declined")));
  await api.push({ queue: OTHER, payload: 1 }, { queue: OTHER, payload: 2 });
  await api.pop(OTHER, { batch: 2, autoAck: true });
  const item = { queue: OTHER, payload: 3 };
  await api.transaction([
    { type: "push", items: [item] },
    { type: "push", items: [item] },
  ]);
  const [id] = await api.push({ queue: OTHER, transactionId: "twice" });
  const [again] = await api.push({ queue: OTHER, transactionId: "twice" });
  expect([id!.status, again!.status]).toEqual(["queued", "duplicate"]);
}

beforeAll(async () => {
  server = await startServer({ env: { WORKER_ID: "load-1", METRICS_SAMPLE_INTERVAL_MS: "200" } });
  api.http.url = server.url;
  await load();
});
afterAll(async () => {
  await server?.stop();
});

/** Adds up a field over a series: a load may lie across the end of a minute. */
function sum(series: readonly Record<string, number>[], field: string): number {
  return series.reduce((total, point) => total + point[field]!, 0);
}

const ok = async (path: string, params: object = {}) => {
  const { status, json } = await api.http.get(path + query(params));
  expect(status).toBe(200);
  return json;
};
const WHOLE_SECONDS = /^\d{4}-\d\d-\d\dT\d\d:\d\d:00Z$/;

describe("GET /api/v1/status", () => {
  test("has the whole load in its series, newest first, and what there is now", async () => {
    const status = await ok("/api/v1/status");
    const { throughput, messages } = status;
    expect(status.bucketMinutes).toBe(1);
    expect(status.pointCount).toBe(throughput.length);
    expect(throughput[0].timestamp).toMatch(WHOLE_SECONDS);
    const times = throughput.map(({ timestamp }: { timestamp: string }) => timestamp);
    expect(times).toEqual([...times].sort().reverse());
    expect({
      ingested: sum(throughput, "ingested"),
      processed: sum(throughput, "processed"),
      popMessages: sum(throughput, "popMessages"),
      ackFailed: sum(throughput, "ackFailed"),
      dlqCount: sum(throughput, "dlqCount"),
    }).toEqual({ ingested: 35, processed: 17, popMessages: 22, ackFailed: 5, dlqCount: 5 });
    expect(messages).toMatchObject({
      total: 35,
      failed: 0,
      deadLetter: 5,
      processing: 0,
      requests: { push: 6, pop: 4, ack: 2 },
      batchEfficiency: { push: 5.833, pop: 5.5, ack: 10 },
    });
    expect(status.errors).toEqual({ dbErrors: 0, ackFailed: 5, dlqMessages: 5 });
    expect(status.leases).toEqual({ active: 0, partitionsWithLeases: 0, totalBatchSize: 0, totalAcked: 0 });
    expect(status.deadLetterQueue).toEqual({
      totalMessages: 5,
      affectedPartitions: 1,
      topErrors: [{ error: "card declined", count: 5 }],
    });
    expect(status.workers).toHaveLength(2);
    expect(sum(status.workers, "messagesProcessed")).toBe(17);
    expect(status.statsAge).toBeLessThan(5);
  });

  test("filters its counts by queue, namespace and task", async () => {
    for (const filter of [{ queue: LOAD }, { namespace: "orders" }, { task: "created" }]) {
      const { throughput, queues, messages } = await ok("/api/v1/status", filter);
      expect(sum(throughput, "ingested")).toBe(30);
      expect(sum(throughput, "processed")).toBe(15);
      expect(queues).toMatchObject([
        { name: LOAD, namespace: "orders", task: "created", partitions: 3, totalConsumed: 20 },
      ]);
      expect(messages).toMatchObject({ total: 30, pending: 10, deadLetter: 5, requests: { push: 3, pop: 3, ack: 2 } });
    }
    const nothing = await ok("/api/v1/status", { queue: "nobody" });
    expect(nothing.queues).toEqual([]);
    expect(sum(nothing.throughput, "ingested")).toBe(0);
  });

  test("counts leases that are held, and what of them is resolved", async () => {
    const queue = "leases";
    await api.pushAll(queue, "a", [1, 2, 3]);
    const popped = await api.pop(queue, { batch: 3 });
    await api.ack(leasedAckOf(popped[0]!));
    expect((await ok("/api/v1/status", { queue })).leases).toEqual({
      active: 1,
      partitionsWithLeases: 1,
      totalBatchSize: 3,
      totalAcked: 1,
    });
  });

  test("shows the process once it was looked at", async () => {
    const point = await until(async () => {
      const { throughput } = await ok("/api/v1/status");
      return throughput.find(({ queenRssMb }: { queenRssMb: number }) => queenRssMb > 0);
    });
    expect(point.queenRssMb).toBeGreaterThan(20);
    expect(point.dbPoolSize).toBeGreaterThanOrEqual(8);
    expect(point.dbPoolIdle + point.dbPoolActive).toBeCloseTo(point.dbPoolSize, 2);
  });
});

describe("GET /api/v1/analytics/queue-ops", () => {
  test("counts exactly, by queue, oldest first", async () => {
    const { series, queues, bucketMinutes } = await ok("/api/v1/analytics/queue-ops", { queue: LOAD });
    expect({ queues, bucketMinutes }).toEqual({ queues: [LOAD], bucketMinutes: 1 });
    const fields = Object.keys(series[0]).filter((field) => typeof series[0][field] === "number");
    const totals = Object.fromEntries(fields.map((field) => [field, sum(series, field)]));
    expect(totals).toMatchObject({
      pushRequests: 3,
      pushMessages: 30,
      popMessages: 20,
      popEmpty: 1,
      ackRequests: 2,
      ackSuccess: 15,
      ackFailed: 5,
      transactions: 0,
      partitionsDeleted: 0,
    });
    expect(totals.pushPerSecond).toBeCloseTo(0.5, 2);
    // Configuring made the partition Default.
    expect([totals.partitionsCreated, series.at(-1).partitionCount]).toEqual([3, 3]);
    expect(series.at(-1).maxLagMs).toBeGreaterThanOrEqual(series.at(-1).avgLagMs);
  });

  test("counts a transaction once, and its messages; a duplicate is no message", async () => {
    const { series } = await ok("/api/v1/analytics/queue-ops", { queue: OTHER });
    const totals = ["transactions", "pushRequests", "pushMessages", "popMessages"].map((field) => sum(series, field));
    expect(totals).toEqual([1, 3, 5, 2]);
  });

  test("shows all queues without a filter", async () => {
    const { queues } = await ok("/api/v1/analytics/queue-ops");
    expect(queues).toEqual(expect.arrayContaining([LOAD, OTHER]));
    expect(queues).toEqual([...queues].sort());
  });
});

test("GET /api/v1/analytics/queue-lag answers a bare array, newest first", async () => {
  const rows = await ok("/api/v1/analytics/queue-lag", { queue: LOAD });
  expect(sum(rows, "popCount")).toBe(20);
  for (const row of rows) {
    expect(Object.keys(row).sort()).toEqual(["avgLagMs", "bucketTime", "maxLagMs", "popCount", "queueName"]);
    expect(row.maxLagMs).toBeGreaterThanOrEqual(row.avgLagMs);
  }
  const { status, json } = await api.http.get(`/api/v1/analytics/queue-lag${query({ queue: "nobody" })}`);
  expect([status, json]).toEqual([200, []]);
});

describe("GET /api/v1/analytics/worker-metrics", () => {
  test("adds up to the load", async () => {
    const answer = await ok("/api/v1/analytics/worker-metrics");
    expect(answer.summary).toMatchObject({
      totalAckFailed: 5,
      totalDlq: 5,
      totalDbErrors: 0,
    });
    expect(sum(answer.timeSeries, "pushMessages")).toBe(answer.summary.totalPushMessages);
    expect(sum(answer.timeSeries, "lagCount")).toBe(answer.summary.totalPopMessages);
    expect(
      answer.workers.map(({ hostname, workerId }: { hostname: string; workerId: number }) => [hostname, workerId]),
    ).toEqual([
      ["load-1", 0],
      ["load-1", 1],
    ]);
    const all = await ok("/api/v1/status");
    expect(answer.summary.pendingMessages).toBe(all.messages.pending);
  });

  test("of one worker and of one host", async () => {
    const path = "/api/v1/analytics/worker-metrics";
    const all = await ok(path);
    const each = [await ok(path, { workerId: 0 }), await ok(path, { workerId: 1, hostname: "load-1" })];
    // What is no number is no filter.
    expect((await ok(path, { workerId: "x" })).workers).toHaveLength(2);
    const pushed = each.map(({ summary }) => summary.totalPushMessages);
    expect(pushed[0] + pushed[1]).toBe(all.summary.totalPushMessages);
    expect(each.map(({ workers }) => workers.length)).toEqual([1, 1]);
    expect((await ok(path, { hostname: "elsewhere" })).timeSeries).toEqual([]);
  });
});

test("GET /api/v1/status/analytics has a point for every interval, oldest first", async () => {
  const from = new Date(Date.now() - 5 * 3_600_000).toISOString();
  const { dataPoints, interval } = await ok("/api/v1/status/analytics", { from, queue: LOAD });
  expect(interval).toBe("hour");
  expect(dataPoints).toHaveLength(6);
  expect(sum(dataPoints, "messages")).toBe(30);
  const times = dataPoints.map(({ timestamp }: { timestamp: string }) => timestamp);
  expect(times).toEqual([...times].sort());
  const days = await ok("/api/v1/status/analytics", { interval: "day" });
  expect(days.dataPoints).toHaveLength(2);
});

test("GET /api/v1/analytics/queue-parked-replicas shows where pops wait", async () => {
  const queue = "waiting";
  await api.configure(queue);
  const pops = [0, 1, 2].map(() => api.pop(queue, { wait: true, timeout: 30_000, autoAck: true }));
  const path = "/api/v1/analytics/queue-parked-replicas";
  const { series, replicas } = await until(async () => {
    const answer = await ok(path, { queue });
    return answer.series.at(-1)?.parkedCount === 3 && answer;
  });
  expect(replicas).toEqual([{ hostname: "load-1", workerId: expect.any(Number) }]);
  expect(series.at(-1)).toMatchObject({ queueName: queue, hostname: "load-1", workerId: replicas[0].workerId });
  expect((await ok("/api/v1/analytics/queue-ops", { queue })).series.at(-1).parkedCount).toBe(3);
  for (let n = 0; n < 3; n++) await api.push({ queue, payload: n });
  expect((await Promise.all(pops)).flat()).toHaveLength(3);
});

test("GET /api/v1/analytics/system-metrics has every leaf of the tree", async () => {
  const path = "/api/v1/analytics/system-metrics";
  const answer = await until(async () => {
    const found = await ok(path);
    return found.replicaCount === 1 && found;
  });
  const [replica] = answer.replicas;
  expect(replica).toMatchObject({ hostname: "load-1", port: server.port, workerId: "load-1" });
  expect(answer.pointCount).toBe(replica.timeSeries.length);
  const { metrics, sampleCount } = replica.timeSeries[0];
  expect(sampleCount).toBeGreaterThan(0);
  const leaf = { avg: expect.any(Number), min: expect.any(Number), max: expect.any(Number), last: expect.any(Number) };
  const operation = { count: leaf, latency_us: leaf, items: leaf };
  expect(metrics).toMatchObject({
    cpu: { user_us: leaf, system_us: leaf },
    memory: { rss_bytes: leaf, virtual_bytes: leaf },
    database: { pool_size: leaf, pool_idle: leaf, pool_active: leaf },
    threadpool: { db: { pool_size: leaf, queue_size: leaf }, system: { pool_size: leaf, queue_size: leaf } },
    registries: { response: leaf },
    shared_state: {
      enabled: leaf,
      sidecar_ops: { push: operation, pop: operation, ack: operation },
      queue_backoff: { queues_with_backoff: leaf, total_backed_off_groups: leaf, avg_interval_ms: leaf },
      queue_config_cache: { size: leaf, hits: leaf, misses: leaf },
      server_health: { alive: leaf, dead: leaf },
      transport: { sent: leaf, received: leaf, dropped: leaf },
    },
  });
  expect(metrics.threadpool.system.pool_size.last).toBe(2);
  expect(metrics.memory.rss_bytes.min).toBeGreaterThan(20 * 2 ** 20);
  for (const other of [{ hostname: "elsewhere" }, { hostname: "load-1", workerId: "else" }]) {
    expect(await ok(path, other)).toMatchObject({ replicas: [], replicaCount: 0, pointCount: 0 });
  }
});

test("GET /api/v1/analytics/postgres-stats tells of our tables", async () => {
  const stats = await ok("/api/v1/analytics/postgres-stats");
  expect(stats.databaseCache.cacheHitRatio).toBeGreaterThan(0);
  const names = stats.tableSizes.map(({ table }: { table: string }) => table);
  expect(names).toEqual(expect.arrayContaining(["segments", "partitions", "cursors"]));
  const sizes = stats.tableSizes.map(({ totalSizeBytes }: { totalSizeBytes: number }) => totalSizeBytes);
  expect(sizes).toEqual([...sizes].sort((x, y) => y - x));
  expect(stats.bufferConfig.sharedBuffersSize).toBeGreaterThan(0);
  expect(stats.bufferUsage).toEqual([]);
  for (const list of ["tableCache", "indexCache", "deadTuples", "hotUpdates", "autovacuumStatus"]) {
    expect(stats[list].length).toBeGreaterThan(5);
  }
});

test("GET /api/v1/analytics/retention counts what the background jobs deleted", async () => {
  await api.configure("aging", { retentionEnabled: true, retentionSeconds: 1 });
  await api.configure("waiting-too-long", { maxWaitTimeSeconds: 1 });
  await api.configure("consumed", { retentionEnabled: true, completedRetentionSeconds: 1 });
  await api.pushAll("aging", "p", [1, 2, 3, 4]);
  await api.pushAll("waiting-too-long", "p", [1, 2]);
  await api.pushAll("consumed", "p", [1, 2, 3]);
  await api.pop("consumed", { batch: 3, autoAck: true });
  const { totals, series } = await until(async () => {
    const answer = await ok("/api/v1/analytics/retention");
    return answer.totals.totalMsgs >= 9 && answer;
  }, 20_000);
  expect(totals).toEqual({
    retentionMsgs: 4,
    completedRetentionMsgs: 3,
    evictionMsgs: 2,
    totalMsgs: 9,
    eventCount: 3,
  });
  expect(sum(series, "totalMsgs")).toBe(9);
});
