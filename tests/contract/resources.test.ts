import { describe, expect, test } from "bun:test";
import { leasedAckOf } from "../support/api.ts";
import { TIME_MS, UUID, uniqueName } from "../support/names.ts";
import { useSharedServer } from "../support/shared.ts";
import { byName, Stock, six } from "../support/stock.ts";

const api = useSharedServer();
const stock = new Stock(api);

describe("GET /api/v1/resources/queues", () => {
  test("lists queues newest first, without what is being processed", async () => {
    const { queue, namespace, task } = await stock.queue();
    const second = await stock.queue({ namespace, task });
    await api.pushAll(queue, "p", [0, 1, 2]);
    await api.popPartition(queue, "p", { batch: 2 });
    const { queues, total, pagination } = await stock.get("resources/queues", { namespace });
    expect({ total, pagination }).toEqual({ total: 2, pagination: { limit: 10_000, offset: 0 } });
    expect(queues).toEqual([
      expect.objectContaining({
        name: second.queue,
        partitions: 1,
        messages: { total: 0, pending: 0, processing: 0 },
      }),
      {
        id: expect.stringMatching(UUID),
        name: queue,
        namespace,
        task,
        createdAt: expect.stringMatching(TIME_MS),
        partitions: 2,
        messages: { total: 3, pending: 1, processing: 2 },
      },
    ]);
    const names = (await stock.get("resources/queues")).queues.map((row: { name: string }) => row.name);
    expect(names).toContain(queue);
    expect(names.indexOf(second.queue)).toBeLessThan(names.indexOf(queue));
  });

  test("the status listing counts what is being processed as pending, filters and pages", async () => {
    const names = { namespace: uniqueName("ns"), task: uniqueName("tk") };
    const made = [await stock.queue(names), await stock.queue(names), await stock.queue({ ...names, task: "other" })];
    await api.pushAll(made[0]!.queue, "p", [0, 1, 2]);
    await api.popPartition(made[0]!.queue, "p", { batch: 2 });
    const list = async (params: object) => {
      const { queues, total } = await stock.get("status/queues", { ...params, namespace: names.namespace });
      return { names: queues.map((row: { name: string }) => row.name), total };
    };
    const [a, b, c] = made.map(({ queue }) => queue);
    expect(await list({})).toEqual({ names: [c, b, a], total: 3 });
    expect(await list({ task: names.task })).toEqual({ names: [b, a], total: 2 });
    expect(await list({ task: "none" })).toEqual({ names: [], total: 0 });
    expect(await list({ limit: 2 })).toEqual({ names: [c, b], total: 3 });
    expect(await list({ limit: 2, offset: 2 })).toEqual({ names: [a], total: 3 });
    expect(await list({ limit: 2, offset: 9 })).toEqual({ names: [], total: 3 });
    const { queues, pagination } = await stock.get("status/queues", { namespace: names.namespace, task: names.task });
    expect(pagination).toEqual({ limit: 100, offset: 0 });
    expect(queues[1].messages).toEqual({ total: 3, pending: 3, processing: 2 });
  });

  test("a deleted queue is gone from every listing", async () => {
    const { queue, namespace } = await stock.queue();
    await api.pushAll(queue, "p", [0]);
    await api.http.del(`/api/v1/resources/queues/${queue}`);
    expect((await stock.get("resources/queues", { namespace })).queues).toEqual([]);
    expect((await stock.get("resources/partitions", { queue })).partitions).toEqual([]);
    expect(await stock.get(`resources/queues/${queue}`)).toEqual({ error: "Queue not found" });
  });
});

describe("GET /api/v1/resources/namespaces and /tasks", () => {
  test("sum up their queues, and leave the empty name out", async () => {
    const names = { namespace: uniqueName("ns"), task: uniqueName("tk") };
    const [one, two] = [await stock.queue(names), await stock.queue(names)];
    await api.pushAll(one.queue, "p", [0, 1, 2]);
    await api.pushAll(two.queue, "p", [0, 1]);
    await api.popPartition(two.queue, "p", { batch: 1 });
    const { namespaces } = await stock.get("resources/namespaces");
    const { tasks } = await stock.get("resources/tasks");
    const counts = { queues: 2, partitions: 4, messages: { total: 5, pending: 4 } };
    expect(namespaces.find((row: { namespace: string }) => row.namespace === names.namespace)).toEqual({
      namespace: names.namespace,
      ...counts,
    });
    expect(tasks.find((row: { task: string }) => row.task === names.task)).toEqual({ task: names.task, ...counts });
    expect(namespaces.some((row: { namespace: string }) => row.namespace === "")).toBe(false);
    const listed = namespaces.map((row: { namespace: string }) => row.namespace);
    const paged = (await stock.get("resources/namespaces", { limit: 1, offset: 1 })).namespaces;
    expect(paged.map((row: { namespace: string }) => row.namespace)).toEqual([listed[1]].filter(Boolean));
  });
});

describe("GET /api/v1/resources/partitions", () => {
  test("filters by queue, depth, namespace and task, and pages", async () => {
    const { queue, namespace, task } = await stock.queue();
    await api.configure(queue, { priority: 3 }, { namespace, task });
    for (const [partition, count] of [
      ["a", 1],
      ["b", 4],
      ["c", 6],
    ] as const) {
      await api.pushAll(
        queue,
        partition,
        Array.from({ length: count }, (_, index) => index),
      );
    }
    await api.popPartition(queue, "c", { batch: 3 });
    const list = async (params: object) => {
      const { partitions } = await stock.get("resources/partitions", params);
      return byName<Record<string, unknown> & { name: string }>(partitions).map(
        ({ name, depth, processing, total }: Record<string, unknown>) => [name, depth, processing, total],
      );
    };
    const all: unknown[][] = [
      ["Default", 0, 0, 0],
      ["a", 1, 0, 1],
      ["b", 4, 0, 4],
      ["c", 3, 3, 6],
    ];
    expect(await list({ queue })).toEqual(all);
    expect(await list({ namespace, task })).toEqual(all);
    expect(await list({ task: "none" })).toEqual([]);
    expect(await list({ queue: uniqueName("none") })).toEqual([]);
    expect(await list({ queue, minDepth: 1 })).toEqual(all.slice(1));
    expect(await list({ queue, minDepth: 3 })).toEqual(all.slice(2));
    expect(await list({ queue, minDepth: 4 })).toEqual(all.slice(2, 3));
    expect(await list({ namespace, minDepth: 5 })).toEqual([]);
    for (const [params, whole] of [
      [{ queue }, all],
      [{ queue, minDepth: 1 }, all.slice(1)],
    ] as [object, unknown[][]][]) {
      const pages: unknown[][] = [];
      for (let offset = 0; offset < 6; offset += 2) pages.push(...(await list({ ...params, limit: 2, offset })));
      expect(pages.sort()).toEqual([...whole].sort());
    }
    const { partitions } = await stock.get("resources/partitions", { queue });
    const [first]: unknown[] = byName(partitions);
    expect(first).toEqual({
      id: expect.stringMatching(UUID),
      name: "Default",
      queue,
      namespace,
      task,
      queuePriority: 3,
      createdAt: expect.stringMatching(TIME_MS),
      depth: 0,
      processing: 0,
      total: 0,
    });
  });

  test("where no group ever came, everything waits", async () => {
    const { queue } = await stock.queue();
    await api.pushAll(queue, "a", [0, 1, 2]);
    const { partitions } = await stock.get("resources/partitions", { queue, minDepth: 3 });
    expect(partitions.map((row: { name: string }) => row.name)).toEqual(["a"]);
    expect((await stock.get("resources/partitions", { queue, minDepth: 4 })).partitions).toEqual([]);
  });
});

describe("GET /api/v1/status/queues/:queue", () => {
  test("shows the settings, and of partitions what was consumed", async () => {
    const { queue, namespace, task } = await stock.queue();
    await api.configure(queue, { leaseTime: 7, retryLimit: 2, maxSize: 9, priority: 4 }, { namespace, task });
    await api.pushAll(queue, "p", [0, 1, 2, 3]);
    const messages = await api.popPartition(queue, "p", { batch: 2 });
    await api.ackBatch(messages.map((message) => leasedAckOf(message)));
    await api.popPartition(queue, "p", { batch: 1, autoAck: true });
    const answer = await stock.get(`status/queues/${queue}`, { includePartitions: true });
    byName(answer.partitions);
    const counts = six(4, 1, 0, 3, 0);
    expect(answer).toEqual({
      queue: {
        id: expect.stringMatching(UUID),
        name: queue,
        namespace,
        task,
        priority: 4,
        createdAt: expect.stringMatching(TIME_MS),
        config: { leaseTime: 7, retryLimit: 2, retryDelay: 1000, ttl: 3600, maxQueueSize: 9, deadLetterQueue: false },
        options: expect.objectContaining({ leaseTime: 7, retryLimit: 2, maxSize: 9, priority: 4, ttl: null }),
      },
      partitions: [
        expect.objectContaining({ name: "Default", lastActivity: null }),
        {
          id: messages[0]!.partitionId,
          name: "p",
          createdAt: expect.stringMatching(TIME_MS),
          messages: counts,
          stats: counts,
          cursor: { totalConsumed: 3, batchesConsumed: 2 },
          lastActivity: expect.stringMatching(TIME_MS),
          oldestMessage: expect.stringMatching(TIME_MS),
          newestMessage: expect.stringMatching(TIME_MS),
        },
      ],
      totals: { messages: counts, ...counts },
      partitionCount: 2,
      pagination: { limit: 1000, offset: 0 },
    });
  });
});

describe("GET /api/v1/resources/overview", () => {
  test("has every field, and its counts grow by what is pushed", async () => {
    const before = await stock.get("resources/overview");
    const { queue } = await stock.queue();
    await api.pushAll(queue, "p", [0, 1, 2]);
    const after = await stock.get("resources/overview");
    const figures = {
      avg: expect.any(Number),
      median: expect.any(Number),
      min: expect.any(Number),
      max: expect.any(Number),
    };
    expect(after).toEqual({
      queues: expect.any(Number),
      partitions: expect.any(Number),
      namespaces: expect.any(Number),
      tasks: expect.any(Number),
      messages: {
        total: expect.any(Number),
        pending: expect.any(Number),
        processing: expect.any(Number),
        completed: expect.any(Number),
        failed: 0,
        deadLetter: expect.any(Number),
      },
      lag: { time: figures, offset: figures },
      throughput: { ingestedPerSecond: expect.any(Number), processedPerSecond: expect.any(Number) },
      timestamp: expect.stringMatching(TIME_MS),
      statsAge: 0,
    });
    // Other tests use the server too, and retention may take away some of theirs.
    expect(after.queues).toBeGreaterThan(before.queues - 50);
    expect(after.messages.total).toBeGreaterThanOrEqual(3);
    expect(after.throughput.ingestedPerSecond).toBeGreaterThanOrEqual(3 / 60);
    const { median, min, max } = after.lag.time;
    expect(min).toBeLessThanOrEqual(median);
    expect(median).toBeLessThanOrEqual(max);
  });
});

describe("POST /api/v1/stats/refresh", () => {
  test("answers with what there is, with and without a body", async () => {
    await stock.queue();
    for (const answer of [
      await api.http.postRaw("/api/v1/stats/refresh"),
      await api.http.post("/api/v1/stats/refresh", {}),
    ]) {
      expect(answer.status).toBe(200);
      expect(answer.json).toEqual({
        partition: {
          partitionsUpdated: expect.any(Number),
          dirtyPartitionsScanned: expect.any(Number),
          partitionsSkippedByWatermark: 0,
          newPartitions: 0,
        },
        queue: { queuesUpdated: expect.any(Number) },
        namespace: { namespacesUpdated: expect.any(Number) },
        task: { tasksUpdated: expect.any(Number) },
        system: { systemUpdated: 1 },
        cleanup: { orphanedDeleted: 0 },
      });
      expect(answer.json.queue.queuesUpdated).toBeGreaterThan(0);
    }
  });
});

describe("bad input", () => {
  const long = "x".repeat(256);
  test.each([
    [`resources/queues?namespace=${long}`, "namespace"],
    [`resources/queues?task=%00`, "task"],
    [`resources/queues/${long}`, "queue"],
    ["resources/queues/%FF", "queue"],
    [`resources/partitions?queue=${long}`, "queue"],
    [`status/queues?namespace=%FF`, "namespace"],
    [`status/queues/${long}`, "queue"],
    [`status/queues/${long}/messages`, "queue"],
  ])("%s is refused naming the field", async (path, field) => {
    const answer = await api.http.get(`/api/v1/${path}`);
    expect(answer.status).toBe(400);
    expect(answer.json.error).toContain(field);
  });

  test.each(["limit=x", "limit=-1", "limit=99999999999999", "offset=-1", "offset=x", "minDepth=x", "minDepth=-5"])(
    "%s takes the nearest or the default value",
    async (params) => {
      const queue = uniqueName("none");
      expect((await api.http.get(`/api/v1/resources/partitions?queue=${queue}&${params}`)).status).toBe(200);
      expect((await api.http.get(`/api/v1/resources/queues/${queue}?${params}`)).status).toBe(200);
    },
  );

  test("other methods are refused", async () => {
    expect((await api.http.post("/api/v1/resources/overview", {})).status).toBe(405);
    expect((await api.http.del("/api/v1/resources/queues")).status).toBe(405);
  });
});
