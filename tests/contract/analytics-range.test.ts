import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type postgres from "postgres";
import { query } from "../support/api.ts";
import { openDatabase } from "../support/database.ts";
import { uniqueName } from "../support/names.ts";
import { sharedServer } from "../support/server.ts";
import { useSharedServer } from "../support/shared.ts";
import { until } from "../support/wait.ts";

const api = useSharedServer();

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** A midnight long enough ago that only this file has measurements there, and not yet forgotten. */
const MIDNIGHT = Math.floor((Date.now() - 40 * DAY) / DAY) * DAY;
const QUEUE = uniqueName("history");

let sql: postgres.Sql;
let queueId: number;
let instanceId: number;

const at = (ms: number) => new Date(ms).toISOString();
const seconds = (ms: number) => `${at(ms).slice(0, 19)}Z`;

beforeAll(async () => {
  sql = await openDatabase((await sharedServer()).dataDir);
  await api.configure(QUEUE, {}, { namespace: "past" });
  const [queue] = await sql`select id from queen.queues where name = ${QUEUE}`;
  queueId = queue!.id;
  const [instance] = await sql`insert into queen.instances (hostname, port, pid) values ('past', 1, 1) returning id`;
  instanceId = instance!.id;
  const paths = await until(async () => {
    // Whoever asks has them written down.
    await api.http.get("/api/v1/analytics/system-metrics");
    const [row] = await sql`select metrics from queen.instance_samples limit 1`;
    return row && Object.keys(row.metrics);
  });
  for (const [minute, values] of [
    [0, { pushed: 1, lag: [2, 30, 20], loop: [10, 8, 5], free: [12, 3], parked: 1 }],
    [1, { pushed: 2, lag: [1, 10, 10], loop: [2, 1, 1], free: [4, 1], parked: 4 }],
    [6, { pushed: 4, lag: [0, 0, 0], loop: [0, 0, 0], free: [8, 2], parked: 0 }],
    [70, { pushed: 8, lag: [0, 0, 0], loop: [0, 0, 0], free: [8, 2], parked: 2 }],
  ] as const) {
    const time = at(MIDNIGHT + minute * MINUTE);
    const { pushed, lag, loop, free, parked } = values;
    await sql`
      insert into queen.worker_samples (at, instance_id, worker, push_messages, lag_count, lag_sum_ms, lag_max_ms,
        loop_lag_sum_ms, loop_lag_max_ms, loop_lag_count, looks, free_slots_sum, free_slots_min, connections, eviction_messages)
      values (${time}, ${instanceId}, 0, ${pushed}, ${lag[0]}, ${lag[1]}, ${lag[2]}, ${loop[0]}, ${loop[1]}, ${loop[2]},
        4, ${free[0]}, ${free[1]}, 8, ${pushed})`;
    await sql`
      insert into queen.queue_samples (at, queue_id, instance_id, worker, push_messages, pop_messages, lag_count, lag_sum_ms,
        lag_max_ms, parked_max)
      values (${time}, ${queueId}, ${instanceId}, 0, ${pushed}, ${lag[0]}, ${lag[0]}, ${lag[1]}, ${lag[2]}, ${parked})`;
    const measured = Object.fromEntries(paths.map((path) => [path, [pushed * 3, pushed, pushed * 2, pushed]]));
    await sql`
      insert into queen.instance_samples (at, instance_id, sample_count, metrics)
      values (${time}, ${instanceId}, 3, ${sql.json(measured)})`;
  }
});
afterAll(async () => {
  await sql?.end();
});

const ok = async (path: string, params: object) => {
  const { status, json } = await api.http.get(path + query(params));
  expect(status).toBe(200);
  return json;
};
/** The figures of a field by the time of their bucket, counted in minutes from midnight. */
function byMinute(series: readonly Record<string, unknown>[], time: string, field: string): [number, unknown][] {
  return series.map((point) => [(Date.parse(point[time] as string) - MIDNIGHT) / MINUTE, point[field]]);
}

describe("buckets", () => {
  const from = at(MIDNIGHT);
  const cases: [string, number, number, [number, number][]][] = [
    [
      "an hour",
      HOUR,
      1,
      [
        [0, 1],
        [1, 2],
        [6, 4],
      ],
    ],
    [
      "over an hour",
      HOUR + 1,
      5,
      [
        [0, 3],
        [5, 4],
      ],
    ],
    [
      "six hours",
      6 * HOUR,
      5,
      [
        [0, 3],
        [5, 4],
        [70, 8],
      ],
    ],
    [
      "over six hours",
      6 * HOUR + 1,
      15,
      [
        [0, 7],
        [60, 8],
      ],
    ],
    [
      "a day",
      DAY,
      15,
      [
        [0, 7],
        [60, 8],
      ],
    ],
    [
      "over a day",
      DAY + 1,
      60,
      [
        [0, 7],
        [60, 8],
      ],
    ],
    [
      "a week",
      7 * DAY,
      60,
      [
        [0, 7],
        [60, 8],
      ],
    ],
    ["over a week", 7 * DAY + 1, 360, [[0, 15]]],
  ];

  test.each(cases)("of a range of %s", async (_what, length, minutes, expected) => {
    const range = { from, to: at(MIDNIGHT + length) };
    const operations = await ok("/api/v1/analytics/queue-ops", { ...range, queue: QUEUE });
    expect(operations).toMatchObject({ timeRange: range, bucketMinutes: minutes, queues: [QUEUE] });
    expect(byMinute(operations.series, "bucket", "pushMessages")).toEqual(expected);
    const workers = await ok("/api/v1/analytics/worker-metrics", { ...range, hostname: "past" });
    expect(workers).toMatchObject({ bucketMinutes: minutes, pointCount: expected.length });
    expect(byMinute(workers.timeSeries, "timestamp", "pushMessages")).toEqual([...expected].reverse());
    const status = await ok("/api/v1/status", { ...range, queue: QUEUE });
    expect(byMinute(status.throughput, "timestamp", "ingested")).toEqual([...expected].reverse());
    const retention = await ok("/api/v1/analytics/retention", range);
    expect(byMinute(retention.series, "bucket", "evictionMsgs")).toEqual(expected);
    expect(retention.totals.totalMsgs).toBe(expected.reduce((sum, [, count]) => sum + count, 0));
    const system = await ok("/api/v1/analytics/system-metrics", { ...range, hostname: "past" });
    const { timeSeries } = system.replicas[0];
    expect(timeSeries).toHaveLength(expected.length);
    expect(timeSeries[0].timestamp).toBe(seconds(MIDNIGHT));
  });

  test("average by weight and keep the extremes", async () => {
    const range = { from: at(MIDNIGHT), to: at(MIDNIGHT + 2 * HOUR) };
    const [, , oldest, ...none] = (await ok("/api/v1/analytics/worker-metrics", { ...range, hostname: "past" }))
      .timeSeries;
    expect(none).toEqual([]);
    expect(oldest).toMatchObject({
      lagCount: 3,
      avgLagMs: 13.333,
      maxLagMs: 20,
      avgEventLoopLagMs: 2,
      maxEventLoopLagMs: 8,
      avgFreeSlots: 2,
      minFreeSlots: 1,
      dbConnections: 8,
      pushPerSecond: 0.01,
    });
    const lag = await ok("/api/v1/analytics/queue-lag", { ...range, queue: QUEUE });
    expect(lag).toEqual([
      { queueName: QUEUE, popCount: 3, avgLagMs: 13.333, maxLagMs: 20, bucketTime: seconds(MIDNIGHT) },
    ]);
    const parked = await ok("/api/v1/analytics/queue-parked-replicas", { ...range, queue: QUEUE });
    expect(byMinute(parked.series, "bucket", "parkedCount")).toEqual([
      [0, 4],
      [70, 2],
    ]);
    const system = await ok("/api/v1/analytics/system-metrics", { ...range, hostname: "past" });
    expect(system.replicas[0].timeSeries[0]).toMatchObject({
      timestamp: seconds(MIDNIGHT),
      sampleCount: 6,
      metrics: { memory: { rss_bytes: { avg: 1.5, min: 1, max: 4, last: 2 } } },
    });
  });

  test("of a range that begins within a minute hold that minute, and end with the range", async () => {
    const range = { from: at(MIDNIGHT + 30_000), to: at(MIDNIGHT + MINUTE - 1) };
    const { series } = await ok("/api/v1/analytics/queue-ops", { ...range, queue: QUEUE });
    expect(byMinute(series, "bucket", "pushMessages")).toEqual([[0, 1]]);
  });

  test("of message counts are there for every interval", async () => {
    const range = { from: at(MIDNIGHT), to: at(MIDNIGHT + 3 * HOUR), namespace: "past" };
    const { dataPoints } = await ok("/api/v1/status/analytics", range);
    expect(byMinute(dataPoints, "timestamp", "messages")).toEqual([
      [0, 7],
      [60, 8],
      [120, 0],
      [180, 0],
    ]);
    const minutes = await ok("/api/v1/status/analytics", { ...range, interval: "minute" });
    expect(minutes.dataPoints).toHaveLength(181);
    expect(minutes.dataPoints[70]).toEqual({ timestamp: seconds(MIDNIGHT + 70 * MINUTE), messages: 8 });
  });

  test("before anything was measured are not there", async () => {
    const range = { from: at(MIDNIGHT - DAY), to: at(MIDNIGHT - 1) };
    expect(await ok("/api/v1/analytics/queue-ops", range)).toMatchObject({ series: [], queues: [] });
    expect(await ok("/api/v1/analytics/worker-metrics", range)).toMatchObject({
      pointCount: 0,
      timeSeries: [],
      workers: [],
    });
    expect(await ok("/api/v1/status", range)).toMatchObject({ pointCount: 0, throughput: [] });
  });
});

const SERIES = [
  "/api/v1/status",
  "/api/v1/status/analytics",
  "/api/v1/analytics/system-metrics",
  "/api/v1/analytics/worker-metrics",
  "/api/v1/analytics/queue-lag",
  "/api/v1/analytics/queue-ops",
  "/api/v1/analytics/queue-parked-replicas",
  "/api/v1/analytics/retention",
];

describe.each(SERIES)("%s refuses", (path) => {
  test.each([
    ["a from that is no time", { from: "yesterday" }, "from"],
    ["a to that is no time", { to: "12:00" }, "to"],
    ["a range that ends before it begins", { from: "2026-01-02T00:00:00Z", to: "2026-01-01T00:00:00Z" }, "from"],
  ])("%s, naming it", async (_what, params, field) => {
    const { status, json } = await api.http.get(path + query(params));
    expect(status).toBe(400);
    expect(json.error).toContain(field);
  });
});

test.each([
  ["an unknown interval", { interval: "week" }, "interval"],
  [
    "more points than anybody draws",
    { interval: "minute", from: "2026-01-01T00:00:00Z", to: "2026-03-01T00:00:00Z" },
    "interval",
  ],
  ["a name that is too long", { queue: "q".repeat(256) }, "queue"],
])("message counts refuse %s, naming it", async (_what, params, field) => {
  const { status, json } = await api.http.get(`/api/v1/status/analytics${query(params)}`);
  expect(status).toBe(400);
  expect(json.error).toContain(field);
});

describe("measurements beyond METRICS_RETENTION_DAYS", () => {
  test("are deleted, newer ones stay, and what a forgotten process counted goes on counting", async () => {
    const old = at(Date.now() - 91 * DAY);
    const [gone] = await sql`
      insert into queen.instances (hostname, port, pid, seen_at, totals)
      values ('forgotten', 1, 1, ${old}, ${sql.json({ pushMessages: 7, laterCounted: 2 })}) returning id`;
    await sql`insert into queen.worker_samples (at, instance_id, worker) values (${old}, ${gone!.id}, 0)`;
    await sql`insert into queen.queue_samples (at, queue_id, instance_id, worker) values (${old}, ${queueId}, ${gone!.id}, 0)`;
    await sql`
      insert into queen.instance_samples (at, instance_id, sample_count, metrics) values (${old}, ${gone!.id}, 1, ${sql.json({})})`;
    const left = async () => {
      const [row] = await sql`
        select (select count(*) from queen.worker_samples where instance_id = ${gone!.id})
             + (select count(*) from queen.queue_samples where instance_id = ${gone!.id})
             + (select count(*) from queen.instance_samples where instance_id = ${gone!.id})
             + (select count(*) from queen.instances where id = ${gone!.id}) as count`;
      return Number(row!.count);
    };
    await until(async () => (await left()) === 0, 20_000, "deletion");
    const [kept] =
      await sql`select count(*)::integer as count from queen.worker_samples where instance_id = ${instanceId}`;
    expect(kept!.count).toBe(4);
    const [forgotten] = await sql`select totals from queen.instances where id = 0`;
    expect(forgotten!.totals.laterCounted % 2).toBe(0);
    expect(forgotten!.totals.pushMessages).toBeGreaterThanOrEqual(7);
  });
});
