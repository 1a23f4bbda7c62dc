import { beforeAll, describe, expect, test } from "bun:test";
import { TIME_MS, UUID, uniqueName } from "../../support/names.ts";
import { OCTOBER, OctoberApi } from "../../support/october.ts";
import { useSharedServer } from "../../support/shared.ts";

const api = useSharedServer();
const october = new OctoberApi(api.http);
const [namespace, task] = [uniqueName("space"), uniqueName("task")];
const [busy, idle] = [uniqueName("busy"), uniqueName("idle")];
const id = (partition: string, n: number) => `${busy} ${partition} ${n}`;

/** Partition `one`: 0 completed, 1 and 2 leased of which 1 failed, 3 waits; `two`: 0 a dead letter, 1 waits. */
beforeAll(async () => {
  await october.configure(busy, { priority: 5, retryLimit: 0, dlqAfterMaxRetries: true }, { namespace, task });
  await october.configure(idle, {}, { namespace });
  for (const [partition, count] of [
    ["one", 4],
    ["two", 2],
  ] as const) {
    await october.push(
      ...Array.from({ length: count }, (_, n) => ({
        queue: busy,
        partition,
        payload: n,
        transactionId: id(partition, n),
      })),
    );
  }
  await october.pop(`/queue/${busy}/partition/two`);
  await october.ack(id("two", 0), "failed", { error: "dead" });
  await october.configure(busy, { priority: 5, retryLimit: 3, dlqAfterMaxRetries: true });
  await october.pop(`/queue/${busy}/partition/one`, { batch: 3 });
  await october.ack(id("one", 0));
  await october.ack(id("one", 1), "failed", { error: "bad" });
  await october.popQueue(busy, { consumerGroup: "g", batch: 4 });
});

const ONE = { pending: 1, processing: 1, completed: 1, failed: 1, deadLetter: 0, total: 4 };
const TWO = { pending: 1, processing: 0, completed: 0, failed: 0, deadLetter: 1, total: 2 };
const BOTH = { pending: 2, processing: 1, completed: 1, failed: 1, deadLetter: 1, total: 6 };
const NONE = { pending: 0, processing: 0, completed: 0, failed: 0, deadLetter: 0, total: 0 };
const PARTITIONS = [
  { name: "one", stats: ONE },
  { name: "two", stats: TWO },
];

describe("resources", () => {
  test("queues are listed, by namespace and task", async () => {
    const { queues } = await october.read(`/resources/queues?namespace=${namespace}`);
    expect(queues.map((queue: { name: string }) => queue.name).sort()).toEqual([busy, idle].sort());
    const [listed] = (await october.read(`/resources/queues?task=${task}`)).queues;
    expect(listed).toMatchObject({
      id: expect.stringMatching(UUID),
      name: busy,
      namespace,
      task,
      createdAt: expect.stringMatching(TIME_MS),
      partitions: 2,
      messages: { total: 6 },
    });
  });

  test("one queue is shown with options, partitions and totals, and an unknown one is 404", async () => {
    const queue = await october.read(`/resources/queues/${busy}`);
    expect(queue).toEqual({
      id: expect.stringMatching(UUID),
      name: busy,
      namespace,
      task,
      createdAt: expect.stringMatching(TIME_MS),
      options: expect.objectContaining({ priority: 5, retryLimit: 3, maxSize: 10_000, leaseTime: 300 }),
      partitions: [
        {
          id: expect.stringMatching(UUID),
          name: "one",
          createdAt: expect.stringMatching(TIME_MS),
          stats: ONE,
          oldestMessage: expect.stringMatching(TIME_MS),
          newestMessage: expect.stringMatching(TIME_MS),
        },
        expect.objectContaining({ name: "two", stats: TWO }),
      ],
      totals: BOTH,
    });
    const missing = await api.http.get(`${OCTOBER}/api/v1/resources/queues/${uniqueName("none")}`);
    expect([missing.status, missing.json]).toEqual([404, { error: "Queue not found" }]);
  });

  test("partitions, namespaces, tasks and the overview", async () => {
    const { partitions } = await october.read(`/resources/partitions?queue=${busy}`);
    expect(partitions.map((partition: { name: string }) => partition.name)).toEqual(["one", "two"]);
    expect(partitions[0]).toMatchObject({ queue: busy, namespace, task, queuePriority: 5, total: 4 });
    const { namespaces } = await october.read("/resources/namespaces");
    expect(namespaces).toContainEqual(expect.objectContaining({ namespace, queues: 2, partitions: 2 }));
    const { tasks } = await october.read("/resources/tasks");
    expect(tasks).toContainEqual(expect.objectContaining({ task, queues: 1 }));
    const overview = await october.read("/resources/overview");
    expect(overview).toMatchObject({ queues: expect.any(Number), timestamp: expect.any(String) });
    expect(Object.keys(overview.messages)).toEqual(expect.arrayContaining(Object.keys(NONE)));
  });
});

describe("messages", () => {
  test("are listed newest first, with payload and the status for each group", async () => {
    const { messages } = await october.read(`/messages?queue=${busy}&partition=one`);
    expect(messages.map((message: { payload: number }) => message.payload)).toEqual([3, 2, 1, 0]);
    expect(messages.map((message: { status: string }) => message.status)).toEqual([
      "pending",
      "processing",
      "failed",
      "completed",
    ]);
    expect(messages[2]).toMatchObject({
      transactionId: id("one", 1),
      queuePath: `${busy}/one`,
      retryCount: 1,
      errorMessage: "bad",
      workerId: null,
    });
    const groups = messages.flatMap((message: { consumerGroups: { consumerGroup: string | null }[] }) =>
      message.consumerGroups.map(({ consumerGroup }) => consumerGroup),
    );
    expect(groups).toContain("g");
  });

  test.each([
    ["pending", [id("one", 3), id("two", 1)]],
    ["processing", [id("one", 2)]],
    ["completed", [id("one", 0)]],
    ["failed", [id("one", 1)]],
    ["dead_letter", [id("two", 0)]],
  ])("are narrowed to %s", async (status, ids) => {
    const { messages } = await october.read(`/messages?namespace=${namespace}&task=${task}&status=${status}`);
    expect(messages.map((message: { transactionId: string }) => message.transactionId).sort()).toEqual(ids.sort());
  });

  test("come in pages, and a status that is none is refused", async () => {
    const first = await october.read(`/messages?queue=${busy}&limit=2`);
    const second = await october.read(`/messages?queue=${busy}&limit=4&offset=2`);
    const ids = [...first.messages, ...second.messages].map((message: { id: string }) => message.id);
    expect(new Set(ids).size).toBe(6);
    const refused = await api.http.get(`${OCTOBER}/api/v1/messages?status=lost`);
    expect([refused.status, refused.json.error]).toEqual([400, expect.stringContaining("status must be one of")]);
  });
});

test("a page of very large payloads ends early, says so, and is taken up where it ended", async () => {
  const queue = uniqueName("large");
  await october.configure(queue);
  const text = "x".repeat(2 * 1024 * 1024);
  for (let n = 0; n < 22; n += 1) await october.push({ queue, payload: { n, text } });
  const first = await october.read(`/messages?queue=${queue}`);
  expect(first.incomplete).toBe(true);
  const second = await october.read(`/messages?queue=${queue}&offset=${first.messages.length}`);
  expect(second.incomplete).toBeUndefined();
  const all = [...first.messages, ...second.messages].map((message: { payload: { n: number } }) => message.payload.n);
  expect(all).toEqual(Array.from({ length: 22 }, (_, n) => 21 - n));
  await api.http.del(`${OCTOBER}/api/v1/resources/queues/${queue}`);
});

describe("analytics", () => {
  test("count by queue and partition as queue mode does", async () => {
    const { queues } = await october.read(`/analytics/queues?namespace=${namespace}`);
    expect(queues).toEqual([
      { queue: busy, namespace, task, totals: BOTH, partitions: PARTITIONS },
      { queue: idle, namespace, task: null, totals: NONE, partitions: [] },
    ]);
    expect(await october.read(`/analytics/queue/${busy}`)).toEqual(queues[0]);
    expect(await october.read(`/analytics?namespace=${namespace}`)).toEqual({ namespace, totals: BOTH, queues });
    expect(await october.read(`/analytics?task=${task}`)).toEqual({ task, totals: BOTH, queues: [queues[0]] });
    const all = await october.read("/analytics");
    expect(all.queues).toContainEqual(queues[0]);
    expect((await api.http.get(`${OCTOBER}/api/v1/analytics/queue/${uniqueName("none")}`)).status).toBe(404);
  });

  test("count what was created within a stretch of time", async () => {
    const early = "2020-01-01T00:00:00Z";
    const before = await october.read(`/analytics/queue/${busy}?toDateTime=${early}`);
    expect(before.totals).toEqual(NONE);
    const after = await october.read(`/analytics/queue/${busy}?fromDateTime=${early}&toDateTime=2100-01-01`);
    expect(after.totals).toEqual(BOTH);
    const wrong = await api.http.get(`${OCTOBER}/api/v1/analytics/queues?fromDateTime=2100-01-01&toDateTime=${early}`);
    expect(wrong.status).toBe(400);
    expect((await api.http.get(`${OCTOBER}/api/v1/analytics/queues?fromDateTime=never`)).status).toBe(400);
  });

  test("show depths, and counts by group", async () => {
    expect(await october.read(`/analytics/queue-depths?queue=${busy}`)).toEqual({
      depths: [
        {
          queue: busy,
          depth: 2,
          processing: 1,
          partitions: [
            { name: "one", depth: 1, processing: 1 },
            { name: "two", depth: 1, processing: 0 },
          ],
        },
      ],
    });
    const rows = await october.read(`/analytics/queue-stats?queue=${busy}`);
    expect(rows).toHaveLength(4);
    expect(rows[0]).toEqual({
      queue: busy,
      namespace,
      task,
      partition: "one",
      consumer_group: null,
      pending: 1,
      processing: 1,
      completed: 1,
      failed: 1,
      dead_letter: 0,
      total_messages: 4,
      consumer_groups_count: 2,
    });
    const leased = rows.filter((row: { consumer_group: string | null }) => row.consumer_group === "g");
    expect(leased.reduce((sum: number, row: { total_messages: number }) => sum + row.total_messages, 0)).toBe(6);
    expect(leased.reduce((sum: number, row: { processing: number }) => sum + row.processing, 0)).toBeGreaterThan(0);
  });

  test("show traffic by the minute", async () => {
    const { throughput } = await october.read(`/analytics/throughput?queue=${busy}`);
    const sum = (of: string) =>
      throughput.reduce(
        (total: number, minute: Record<string, { messagesPerMinute: number }>) => total + minute[of]!.messagesPerMinute,
        0,
      );
    expect(sum("incoming")).toBe(6);
    expect(sum("completed")).toBe(1);
    expect(sum("failed")).toBe(1);
    expect(sum("deadLetter")).toBe(1);
    expect(sum("processing")).toBeGreaterThanOrEqual(6);
    expect(throughput[0].lag).toEqual({
      avgSeconds: expect.any(Number),
      avgMilliseconds: expect.any(Number),
      sampleCount: expect.any(Number),
    });
    const past = await october.read(
      `/analytics/throughput?queue=${busy}&fromDateTime=2020-01-01&toDateTime=2020-01-02`,
    );
    expect(past.throughput.length).toBeGreaterThan(0);
  });

  test("show how far queue mode is behind", async () => {
    const { queues } = await october.read(`/analytics/queue-lag?queue=${busy}`);
    expect(queues).toHaveLength(1);
    const [{ totals, partitions }] = queues;
    // Before the matchers below, which bun puts in the place of what they match.
    expect(totals.estimatedLagSeconds).toBeGreaterThan(0);
    expect(totals).toMatchObject({
      pendingCount: 3,
      processingCount: 1,
      totalBacklog: 4,
      completedMessages: 1,
      estimatedLagSeconds: expect.any(Number),
      medianLagSeconds: expect.any(Number),
      p95LagSeconds: expect.any(Number),
      avgProcessingTimeSeconds: expect.any(Number),
      medianProcessingTimeSeconds: expect.any(Number),
      p95ProcessingTimeSeconds: expect.any(Number),
      estimatedLag: expect.stringMatching(/s$/),
      medianLag: expect.any(String),
      p95Lag: expect.any(String),
      avgProcessingTime: expect.any(String),
      medianProcessingTime: expect.any(String),
    });
    expect(partitions.map((partition: { name: string }) => partition.name)).toEqual(["one", "two"]);
    expect(partitions[1].stats).toMatchObject({ pendingCount: 1, totalBacklog: 1 });
  });
});

describe("health and metrics", () => {
  test("have the shapes of their day, with real numbers", async () => {
    const health = await api.http.get(`${OCTOBER}/health`);
    expect(health.status).toBe(200);
    expect(health.json).toEqual({
      status: "healthy",
      uptime: expect.stringMatching(/^\d+s$/),
      connections: 0,
      stats: {
        requests: expect.any(Number),
        messages: expect.any(Number),
        requestsPerSecond: expect.any(Number),
        messagesPerSecond: expect.any(Number),
        pool: { total: expect.any(Number), idle: expect.any(Number), waiting: expect.any(Number) },
      },
    });
    expect(health.json.stats.requests).toBeGreaterThan(0);
    const metrics = await api.http.get(`${OCTOBER}/metrics`);
    expect(Object.keys(metrics.json).sort()).toEqual(["cpu", "database", "memory", "messages", "requests", "uptime"]);
  });

  test("what the dialect does not know is 404, and a wrong method 405", async () => {
    for (const path of ["/api/v1/transaction", "/api/v1/dlq", "/api/v1/nothing", ""]) {
      expect((await api.http.get(OCTOBER + path)).status).toBe(404);
    }
    expect((await api.http.get(`${OCTOBER}/api/v1/push`)).status).toBe(405);
  });
});
