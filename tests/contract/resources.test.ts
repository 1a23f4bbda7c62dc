import { describe, expect, test } from "bun:test";
import { leasedAckOf, messagePath, query } from "../support/api.ts";
import { TIME_MS, UUID, uniqueName } from "../support/names.ts";
import { useSharedServer } from "../support/shared.ts";

const api = useSharedServer();

const get = async (path: string, params: object = {}) => {
  const answer = await api.http.get(`/api/v1/${path}${query(params)}`);
  expect(answer.status).toBe(200);
  return answer.json;
};

/** Partitions come in the order of their ids, which is not that of their making when several connections make them. */
const byName = <Row extends { name: string }>(rows: Row[]): Row[] => rows.sort((a, b) => (a.name < b.name ? -1 : 1));

/** Counts in the order total, pending, processing, completed, deadLetter. */
const six = (total: number, pending: number, processing: number, completed: number, deadLetter: number) => ({
  total,
  pending,
  processing,
  completed,
  failed: 0,
  deadLetter,
});

/** A namespace and task of its own, and a queue in it. */
async function inventory(names = { namespace: uniqueName("ns"), task: uniqueName("tk") }) {
  const queue = uniqueName("stock");
  await api.configure(queue, {}, names);
  return { queue, ...names };
}

/** The counts of one partition. */
async function countsOf(queue: string, partition: string) {
  const { partitions } = await get(`resources/queues/${queue}`);
  return partitions.find((row: { name: string }) => row.name === partition).stats;
}

describe("GET /api/v1/resources/queues/:queue", () => {
  test("has every field of the contract", async () => {
    const { queue, namespace, task } = await inventory();
    await api.pushAll(queue, "c-42", [1]);
    await api.pushAll(queue, "c-42", [2]);
    const answer = await get(`resources/queues/${queue}`);
    byName(answer.partitions);
    expect(answer).toEqual({
      id: expect.stringMatching(UUID),
      name: queue,
      namespace,
      task,
      createdAt: expect.stringMatching(TIME_MS),
      partitions: [
        {
          id: expect.stringMatching(UUID),
          name: "Default",
          createdAt: expect.stringMatching(TIME_MS),
          stats: six(0, 0, 0, 0, 0),
          oldestMessage: null,
          newestMessage: null,
        },
        {
          id: expect.stringMatching(UUID),
          name: "c-42",
          createdAt: expect.stringMatching(TIME_MS),
          stats: six(2, 2, 0, 0, 0),
          oldestMessage: expect.stringMatching(TIME_MS),
          newestMessage: expect.stringMatching(TIME_MS),
        },
      ],
      totals: six(2, 2, 0, 0, 0),
      partitionCount: 2,
      pagination: { limit: 1000, offset: 0 },
    });
    const [, { id, oldestMessage, newestMessage }] = answer.partitions;
    const [first, last] = await api.popPartition(queue, "c-42", { batch: 2 });
    expect(first!.partitionId).toBe(id);
    expect(first!.createdAt.slice(0, 23)).toBe(oldestMessage.slice(0, 23));
    expect(last!.createdAt.slice(0, 23)).toBe(newestMessage.slice(0, 23));
  });

  test("of an unknown queue is an error in a 200", async () => {
    expect(await get(`resources/queues/${uniqueName("none")}`)).toEqual({ error: "Queue not found" });
    expect(await get(`status/queues/${uniqueName("none")}`)).toEqual({ error: "Queue not found" });
  });

  test("follows messages from push over lease, partial acks, dead letters and deletion to completion", async () => {
    const { queue } = await inventory();
    const counts = () => countsOf(queue, "p");
    await api.pushAll(queue, "p", [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(await counts()).toEqual(six(10, 10, 0, 0, 0));
    const messages = await api.popPartition(queue, "p", { batch: 6 });
    expect(await counts()).toEqual(six(10, 4, 6, 0, 0));
    await api.ack(leasedAckOf(messages[0]!));
    expect(await counts()).toEqual(six(10, 4, 5, 1, 0));
    // Out of turn: the cursor does not move, the counts do.
    await api.ack(leasedAckOf(messages[3]!));
    expect(await counts()).toEqual(six(10, 4, 4, 2, 0));
    await api.ack(leasedAckOf(messages[1]!, "dlq", "bad"));
    expect(await counts()).toEqual(six(10, 4, 3, 2, 1));
    // One that is handed out, one that waits, one that is completed, and the dead one.
    for (const index of [2, 8, 0, 1]) {
      const transactionId = String(index);
      await api.http.del(messagePath({ partitionId: messages[0]!.partitionId, transactionId }));
    }
    expect(await counts()).toEqual(six(6, 3, 2, 1, 0));
    await api.ack(leasedAckOf(messages[4]!));
    await api.ack(leasedAckOf(messages[5]!));
    expect(await counts()).toEqual(six(6, 3, 0, 3, 0));
    expect((await api.popPartition(queue, "p", { batch: 10, autoAck: true })).length).toBe(3);
    expect(await counts()).toEqual(six(6, 0, 0, 6, 0));
    expect((await get(`resources/queues/${queue}`)).totals).toEqual(six(6, 0, 0, 6, 0));
  });

  test("a failure gives back what waits; an expired lease processes nothing", async () => {
    const { queue, namespace, task } = await inventory();
    await api.configure(queue, { leaseTime: 1, retryLimit: 3 }, { namespace, task });
    await api.pushAll(queue, "p", [0, 1, 2]);
    const [first] = await api.popPartition(queue, "p", { batch: 2 });
    await api.ack(leasedAckOf(first!, "failed", "again"));
    expect(await countsOf(queue, "p")).toEqual(six(3, 3, 0, 0, 0));
    await api.popPartition(queue, "p", { batch: 2 });
    expect(await countsOf(queue, "p")).toEqual(six(3, 1, 2, 0, 0));
    await Bun.sleep(1_050);
    expect(await countsOf(queue, "p")).toEqual(six(3, 3, 0, 0, 0));
  });

  test("of several groups the largest value of each count holds, partition by partition", async () => {
    const { queue } = await inventory();
    await api.pushAll(queue, "a", [0, 1, 2, 3, 4]);
    await api.pushAll(queue, "b", [0, 1]);
    const ahead = await api.popPartition(queue, "a", { consumerGroup: "ahead", batch: 4 });
    await api.ackBatch(
      ahead.map((message) => leasedAckOf(message)),
      "ahead",
    );
    const behind = await api.popPartition(queue, "a", { consumerGroup: "behind", batch: 2 });
    await api.ack(leasedAckOf(behind[0]!, "dlq", "bad"));
    // ahead: 1 waits, 4 completed. behind: 4 wait, 1 of them handed out, 1 dead. On b both have 2.
    expect(await countsOf(queue, "a")).toEqual(six(5, 3, 1, 4, 1));
    expect(await countsOf(queue, "b")).toEqual(six(2, 2, 0, 0, 0));
    expect((await get(`resources/queues/${queue}`)).totals).toEqual(six(7, 5, 1, 4, 1));
    // A subscription to what is new leaves nothing over that was there before.
    expect(await api.pop(queue, { consumerGroup: "new", subscriptionMode: "new" })).toEqual([]);
    expect(await countsOf(queue, "b")).toEqual(six(2, 2, 0, 2, 0));
    await api.pushAll(queue, "b", [2]);
    expect(await countsOf(queue, "b")).toEqual(six(3, 3, 0, 2, 0));
  });

  test("moving a group counts what it has to consume again", async () => {
    const { queue } = await inventory();
    await api.pushAll(queue, "p", [0, 1, 2]);
    await api.popPartition(queue, "p", { consumerGroup: "g", batch: 3, autoAck: true });
    expect(await countsOf(queue, "p")).toEqual(six(3, 0, 0, 3, 0));
    const seek = `/api/v1/consumer-groups/g/queues/${queue}/seek`;
    await api.http.post(seek, { timestamp: "2020-01-01T00:00:00Z" });
    expect(await countsOf(queue, "p")).toEqual(six(3, 3, 0, 0, 0));
    await api.http.post(seek, { toEnd: true });
    expect(await countsOf(queue, "p")).toEqual(six(3, 0, 0, 3, 0));
    await api.http.del("/api/v1/consumer-groups/g");
    expect(await countsOf(queue, "p")).toEqual(six(3, 3, 0, 0, 0));
    await api.http.del(`/api/v1/queues/${queue}/clear`);
    expect(await countsOf(queue, "p")).toEqual(six(0, 0, 0, 0, 0));
  });

  test("pages through partitions without overlap or gap, with totals of all", async () => {
    const { queue } = await inventory();
    const names = Array.from({ length: 25 }, (_, index) => `p${index}`);
    await api.push(...names.map((partition) => ({ queue, partition, payload: 1 })));
    for (const path of ["resources", "status"]) {
      const seen: string[] = [];
      for (let offset = 0; offset < 30; offset += 7) {
        const page = await get(`${path}/queues/${queue}`, { limit: 7, offset });
        expect(page.pagination).toEqual({ limit: 7, offset });
        expect(page.partitionCount).toBe(26);
        expect(page.totals.total).toBe(25);
        seen.push(...page.partitions.map((row: { name: string }) => row.name));
      }
      expect(seen.sort()).toEqual([...names, "Default"].sort());
    }
  });
});

describe("GET /api/v1/resources/queues", () => {
  test("lists queues newest first, without what is being processed", async () => {
    const { queue, namespace, task } = await inventory();
    const second = await inventory({ namespace, task });
    await api.pushAll(queue, "p", [0, 1, 2]);
    await api.popPartition(queue, "p", { batch: 2 });
    const { queues, total, pagination } = await get("resources/queues", { namespace });
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
    const names = (await get("resources/queues")).queues.map((row: { name: string }) => row.name);
    expect(names).toContain(queue);
    expect(names.indexOf(second.queue)).toBeLessThan(names.indexOf(queue));
  });

  test("the status listing counts what is being processed as pending, filters and pages", async () => {
    const names = { namespace: uniqueName("ns"), task: uniqueName("tk") };
    const made = [await inventory(names), await inventory(names), await inventory({ ...names, task: "other" })];
    await api.pushAll(made[0]!.queue, "p", [0, 1, 2]);
    await api.popPartition(made[0]!.queue, "p", { batch: 2 });
    const list = async (params: object) => {
      const { queues, total } = await get("status/queues", { ...params, namespace: names.namespace });
      return { names: queues.map((row: { name: string }) => row.name), total };
    };
    const [a, b, c] = made.map(({ queue }) => queue);
    expect(await list({})).toEqual({ names: [c, b, a], total: 3 });
    expect(await list({ task: names.task })).toEqual({ names: [b, a], total: 2 });
    expect(await list({ task: "none" })).toEqual({ names: [], total: 0 });
    expect(await list({ limit: 2 })).toEqual({ names: [c, b], total: 3 });
    expect(await list({ limit: 2, offset: 2 })).toEqual({ names: [a], total: 3 });
    expect(await list({ limit: 2, offset: 9 })).toEqual({ names: [], total: 3 });
    const { queues, pagination } = await get("status/queues", { namespace: names.namespace, task: names.task });
    expect(pagination).toEqual({ limit: 100, offset: 0 });
    expect(queues[1].messages).toEqual({ total: 3, pending: 3, processing: 2 });
  });

  test("a deleted queue is gone from every listing", async () => {
    const { queue, namespace } = await inventory();
    await api.pushAll(queue, "p", [0]);
    await api.http.del(`/api/v1/resources/queues/${queue}`);
    expect((await get("resources/queues", { namespace })).queues).toEqual([]);
    expect((await get("resources/partitions", { queue })).partitions).toEqual([]);
    expect(await get(`resources/queues/${queue}`)).toEqual({ error: "Queue not found" });
  });
});

describe("GET /api/v1/resources/namespaces and /tasks", () => {
  test("sum up their queues, and leave the empty name out", async () => {
    const names = { namespace: uniqueName("ns"), task: uniqueName("tk") };
    const [one, two] = [await inventory(names), await inventory(names)];
    await api.pushAll(one.queue, "p", [0, 1, 2]);
    await api.pushAll(two.queue, "p", [0, 1]);
    await api.popPartition(two.queue, "p", { batch: 1 });
    const { namespaces } = await get("resources/namespaces");
    const { tasks } = await get("resources/tasks");
    const counts = { queues: 2, partitions: 4, messages: { total: 5, pending: 4 } };
    expect(namespaces.find((row: { namespace: string }) => row.namespace === names.namespace)).toEqual({
      namespace: names.namespace,
      ...counts,
    });
    expect(tasks.find((row: { task: string }) => row.task === names.task)).toEqual({ task: names.task, ...counts });
    expect(namespaces.some((row: { namespace: string }) => row.namespace === "")).toBe(false);
    const listed = namespaces.map((row: { namespace: string }) => row.namespace);
    const paged = (await get("resources/namespaces", { limit: 1, offset: 1 })).namespaces;
    expect(paged.map((row: { namespace: string }) => row.namespace)).toEqual([listed[1]].filter(Boolean));
  });
});

describe("GET /api/v1/resources/partitions", () => {
  test("filters by queue, depth, namespace and task, and pages", async () => {
    const { queue, namespace, task } = await inventory();
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
      const { partitions } = await get("resources/partitions", params);
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
    const { partitions } = await get("resources/partitions", { queue });
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
    const { queue } = await inventory();
    await api.pushAll(queue, "a", [0, 1, 2]);
    const { partitions } = await get("resources/partitions", { queue, minDepth: 3 });
    expect(partitions.map((row: { name: string }) => row.name)).toEqual(["a"]);
    expect((await get("resources/partitions", { queue, minDepth: 4 })).partitions).toEqual([]);
  });
});

describe("GET /api/v1/status/queues/:queue", () => {
  test("shows the settings, and of partitions what was consumed", async () => {
    const { queue, namespace, task } = await inventory();
    await api.configure(queue, { leaseTime: 7, retryLimit: 2, maxSize: 9, priority: 4 }, { namespace, task });
    await api.pushAll(queue, "p", [0, 1, 2, 3]);
    const messages = await api.popPartition(queue, "p", { batch: 2 });
    await api.ackBatch(messages.map((message) => leasedAckOf(message)));
    await api.popPartition(queue, "p", { batch: 1, autoAck: true });
    const answer = await get(`status/queues/${queue}`, { includePartitions: true });
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
    const before = await get("resources/overview");
    const { queue } = await inventory();
    await api.pushAll(queue, "p", [0, 1, 2]);
    const after = await get("resources/overview");
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
    await inventory();
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
