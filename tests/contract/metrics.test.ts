import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { Api, leasedAckOf, payloads } from "../support/api.ts";
import { openDatabase } from "../support/database.ts";
import { Http } from "../support/http.ts";
import { gaugesOf, parsePrometheus } from "../support/prometheus.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { until } from "../support/wait.ts";

setDefaultTimeout(60_000);

/** A server of its own, so that its figures are those of this load. */
let server: TestServer;
const api = new Api(new Http(""));
const QUEUE = 'odd "name"\\with\nbreaks';

beforeAll(async () => {
  // Nobody looks by himself for what parked pops wait for, so that only being told can wake them.
  const env = { WORKER_ID: "metered", METRICS_SAMPLE_INTERVAL_MS: "200", POP_WAIT_MAX_INTERVAL_MS: "60000" };
  server = await startServer({ env });
  api.http.url = server.url;
  await api.configure(QUEUE, { retryLimit: 0 });
  for (let n = 0; n < 4; n++) await api.push({ queue: QUEUE, payload: n }, { queue: QUEUE, payload: -n });
  const popped = await api.pop(QUEUE, { batch: 6 });
  await api.ackBatch(popped.slice(0, 5).map((message) => leasedAckOf(message)));
  await api.ack(leasedAckOf(popped[5]!, "failed"));
  await api.pop("nothing-here");
});
afterAll(async () => {
  await server?.stop();
});

const page = async () => (await api.http.get("/metrics/prometheus")).text;

/** Families of wire contract 15.3, by type. */
const FAMILIES = {
  gauge: [
    "uptime_seconds",
    "process_resident_memory_bytes",
    "process_virtual_memory_bytes",
    "db_pool_size",
    "db_pool_idle",
    "db_pool_active",
    "threadpool_size",
    "threadpool_queue_size",
    "response_registry_size",
    "file_buffer_pending",
    "file_buffer_failed",
    "file_buffer_db_healthy",
    "maintenance_mode_enabled",
    "shared_state_enabled",
    "sidecar_op_latency_microseconds",
    "queue_backoff_groups",
    "queue_backoff_queues",
    "queue_backoff_avg_interval_milliseconds",
    "qc_cache_size",
    "servers",
    "queue_pop_messages_per_minute",
    "queue_pop_lag_milliseconds",
    "queue_push_requests_per_minute",
    "queue_push_messages_per_minute",
    "queue_pop_empty_per_minute",
    "queue_ack_per_minute",
    "queue_transactions_per_minute",
    "queue_parked_consumers",
    "queue_metrics_age_seconds",
    "worker_event_loop_lag_milliseconds",
    "worker_free_slots",
    "worker_db_connections",
    "worker_job_queue_size",
    "worker_backoff_size",
    "worker_jobs_done_per_minute",
    "worker_requests_per_minute",
    "worker_messages_per_minute",
    "worker_ack_per_minute",
    "worker_lag_milliseconds",
    "worker_db_errors_per_minute",
    "worker_dlq_per_minute",
    "worker_metrics_age_seconds",
    "dlq_depth",
    "dlq_depth_by_queue",
  ],
  counter: [
    "cpu_user_microseconds_total",
    "cpu_system_microseconds_total",
    "sidecar_op_count",
    "sidecar_op_items",
    "qc_cache_hits_total",
    "qc_cache_misses_total",
    "transport_messages_total",
    "cluster_push_requests_total",
    "cluster_pop_requests_total",
    "cluster_ack_requests_total",
    "cluster_transactions_total",
    "cluster_push_messages_total",
    "cluster_pop_messages_total",
    "cluster_ack_messages_total",
    "cluster_ack_total",
    "cluster_db_errors_total",
    "cluster_dlq_total",
  ],
} as const;

describe("GET /metrics/prometheus", () => {
  test("has every family of the contract, in the text format", async () => {
    const answer = await api.http.get("/metrics/prometheus");
    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
    expect(answer.headers.get("cache-control")).toBe("no-cache");
    const { types, metrics } = parsePrometheus(answer.text);
    for (const [type, names] of Object.entries(FAMILIES)) {
      for (const name of names) expect([name, types.get(`queen_${name}`)]).toEqual([name, type]);
    }
    const used = new Set(metrics.map(({ name }) => name));
    const unused = Object.values(FAMILIES)
      .flat()
      .filter((name) => !used.has(`queen_${name}`));
    expect(unused).toEqual([]);
  });

  test("counts exactly", async () => {
    const value = gaugesOf(await page());
    const cluster = (name: string) => value(`queen_cluster_${name}{scope="cluster"}`);
    expect({
      requests: cluster("push_requests_total"),
      pushed: cluster("push_messages_total"),
      popRequests: cluster("pop_requests_total"),
      popped: cluster("pop_messages_total"),
      ackRequests: cluster("ack_requests_total"),
      acked: cluster("ack_messages_total"),
      deadLetters: cluster("dlq_total"),
      errors: cluster("db_errors_total"),
      success: value('queen_cluster_ack_total{result="success"}'),
      failed: value('queen_cluster_ack_total{result="failed"}'),
      depth: value('queen_dlq_depth{scope="cluster"}'),
    }).toEqual({
      requests: 4,
      pushed: 8,
      popRequests: 2,
      popped: 6,
      ackRequests: 2,
      acked: 6,
      deadLetters: 1,
      errors: 0,
      success: 5,
      failed: 1,
      depth: 1,
    });
    expect(value("queen_sidecar_op_count", { op: "push" })).toBe(4);
    expect(value("queen_sidecar_op_items", { op: "ack" })).toBe(6);
    expect(value("queen_dlq_depth_by_queue", { queue: QUEUE })).toBe(1);
    expect(value("queen_threadpool_size", { pool: "system" })).toBe(2);
  });

  test("shows the figures of a queue whatever its name", async () => {
    const value = gaugesOf(await page());
    const pushed = value("queen_queue_push_messages_per_minute", { queue: QUEUE });
    // The load may lie across the end of a minute.
    expect(pushed).toBeGreaterThan(0);
    expect(pushed).toBeLessThanOrEqual(8);
    expect(value("queen_queue_metrics_age_seconds", { queue: QUEUE })).toBeLessThan(120);
  });

  test("has histograms that add up", async () => {
    const { metrics } = parsePrometheus(await page());
    const of = (name: string, labels: Record<string, string>) =>
      metrics.filter(
        (metric) => metric.name === name && Object.entries(labels).every(([key, text]) => metric.labels[key] === text),
      );
    const buckets = of("queen_request_duration_seconds_bucket", { operation: "push" });
    const counts = buckets.map(({ value }) => value);
    expect(counts).toEqual([...counts].sort((x, y) => x - y));
    expect(buckets.at(-1)).toMatchObject({ labels: { le: "+Inf" }, value: 4 });
    expect(of("queen_request_duration_seconds_count", { operation: "push" })[0]!.value).toBe(4);
    expect(of("queen_request_duration_seconds_sum", { operation: "push" })[0]!.value).toBeGreaterThan(0);
    const flights = of("queen_flight_size_count", { kind: "push" })[0]!.value;
    expect(flights).toBe(4);
    expect(of("queen_flight_size_sum", { kind: "push" })[0]!.value).toBe(4);
    expect(metrics.some(({ name, labels }) => name === "queen_lane_waiting" && labels.lane === "look")).toBe(true);
  });

  test("a statement that fails counts, and the push that is repeated counts once", async () => {
    const queue = "broken";
    await api.push({ queue, payload: 1 });
    const sql = await openDatabase(server.dataDir);
    const other = await openDatabase(server.dataDir);
    try {
      const pushing = await sql.begin(async (held) => {
        await held`select from queen.partitions p join queen.queues q on q.id = p.queue_id where q.name = ${queue} for update of p`;
        const push = api.push({ queue, payload: 2 });
        const [waiting] = await until(async () => {
          const rows = await other`
            select pid from pg_stat_activity where application_name like 'queen metered % push' and wait_event_type = 'Lock'`;
          return rows.length > 0 && rows;
        });
        await other`select pg_terminate_backend(${waiting!.pid})`;
        return { push };
      });
      expect((await pushing.push)[0]!.status).toBe("queued");
      await until(async () => gaugesOf(await page())("queen_cluster_db_errors_total") === 1);
      const { series } = (await api.http.get(`/api/v1/analytics/queue-ops?queue=${queue}`)).json;
      expect(series.reduce((all: number, { pushMessages }: { pushMessages: number }) => all + pushMessages, 0)).toBe(2);
    } finally {
      await Promise.all([sql.end(), other.end()]);
    }
  });
});

describe("GET /metrics", () => {
  test("tells of this process", async () => {
    const { status, json } = await api.http.get("/metrics");
    expect(status).toBe(200);
    expect(Object.keys(json).sort()).toEqual(["cpu", "database", "memory", "messages", "requests", "uptime"]);
    expect(json.uptime).toBeGreaterThan(0);
    expect(json.messages.total).toBeGreaterThanOrEqual(14);
    expect(json.requests.total).toBeGreaterThanOrEqual(9);
    expect(json.database.poolSize).toBeGreaterThanOrEqual(8);
    expect(json.memory.rss).toBeGreaterThan(20 * 2 ** 20);
    expect(json.cpu.user).toBeGreaterThan(0);
    const next = (await api.http.get("/metrics")).json;
    expect(next.uptime).toBeGreaterThan(json.uptime);
  });

  test("has rates once there is something to compare with", async () => {
    const rate = await until(async () => {
      await api.push({ queue: "rates" });
      const { json } = await api.http.get("/metrics");
      return json.requests.rate > 0 && json.messages.rate > 0 && json;
    });
    expect(rate.requests.rate).toBeLessThan(10_000);
  });
});

describe("what instances share", () => {
  test("is told under three paths", async () => {
    const paths = [
      "/api/v1/system/shared-state",
      "/internal/api/shared-state/stats",
      "/internal/api/inter-instance/stats",
    ];
    for (const path of paths) {
      const { status, json } = await api.http.get(path);
      expect(status).toBe(200);
      expect(json).toMatchObject({
        enabled: true,
        running: true,
        server_id: "metered",
        maintenance_mode: false,
        pop_maintenance_mode: false,
      });
      expect(json.queue_config_cache.size).toBeGreaterThan(0);
    }
  });
});

describe("POST /internal/api/notify", () => {
  const path = "/internal/api/notify";

  test("answers ok for a queue, with or without a partition, known or not", async () => {
    for (const body of [{ queue: QUEUE }, { queue: QUEUE, partition: "Default" }, { queue: "no such queue" }]) {
      const { status, json } = await api.http.post(path, body);
      expect([status, json]).toEqual([200, { status: "ok" }]);
    }
  });

  test("wakes a parked pop, which finds what was put there behind the server's back", async () => {
    const queue = "notified";
    await api.push({ queue, payload: "held" });
    const [held] = await api.pop(queue);
    const sql = await openDatabase(server.dataDir);
    try {
      const started = performance.now();
      const waiting = api.pop(queue, { wait: true, timeout: 30_000 });
      await until(async () => gaugesOf(await page())("queen_queue_backoff_groups") === 1);
      await sql`
        update queen.cursors set lease_id = null, lease_expires_at = null, lease_first = null, lease_end = null, ready_at = now()
        where queue_id = (select id from queen.queues where name = ${queue})`;
      await api.http.post(path, { queue });
      expect(payloads(await waiting)).toEqual(["held"]);
      expect(performance.now() - started).toBeLessThan(15_000);
      expect(held!.data).toBe("held");
    } finally {
      await sql.end();
    }
  });

  test.each([
    ["nothing", undefined],
    ["an empty queue", { queue: "" }],
    ["a number", { queue: 5 }],
    ["a list", []],
  ])("refuses %s", async (_what, body) => {
    const { status, json } = body === undefined ? await api.http.postRaw(path) : await api.http.post(path, body);
    expect([status, json]).toEqual([400, { error: "queue is required" }]);
  });

  test("refuses a partition that is no text, naming it", async () => {
    const { status, json } = await api.http.post(path, { queue: QUEUE, partition: 7 });
    expect(status).toBe(400);
    expect(json.error).toContain("partition");
  });
});
