import { describe, expect, test } from "bun:test";
import { payloads } from "../support/api.ts";
import { UUID, UUID_V7, uniqueName, uuidV7 } from "../support/names.ts";
import { useSharedServer } from "../support/shared.ts";

const api = useSharedServer();

describe("POST /api/v1/push", () => {
  test("answers 201 with one result per item, in item order", async () => {
    const queue = uniqueName("push");
    const traceId = uuidV7();
    const answer = await api.http.post("/api/v1/push", {
      items: [
        { queue, payload: { n: 1 }, transactionId: "t-1", traceId },
        { queue, partition: "p", payload: { n: 2 }, transactionId: "t-2" },
      ],
    });
    expect(answer.status).toBe(201);
    expect(answer.headers.get("content-type")).toStartWith("application/json");
    const result = (index: number, transaction_id: string, trace_id: string | null) => ({
      index,
      status: "queued",
      transaction_id,
      message_id: expect.stringMatching(UUID_V7),
      partition_id: expect.stringMatching(UUID),
      trace_id,
      queueName: queue,
    });
    expect(answer.json).toEqual([result(0, "t-1", traceId), result(1, "t-2", null)]);
    expect(answer.json[0].partition_id).not.toBe(answer.json[1].partition_id);
  });

  test("answers an empty array with 201 and an empty array", async () => {
    const answer = await api.http.post("/api/v1/push", { items: [] });
    expect(answer.status).toBe(201);
    expect(answer.text).toBe("[]");
  });

  test("makes a transaction id for an item without one, or with an empty one", async () => {
    const queue = uniqueName("push");
    const results = await api.push({ queue, payload: 1 }, { queue, payload: 2, transactionId: "" });
    expect(results.map((result) => result.status)).toEqual(["queued", "queued"]);
    for (const result of results) expect(result.transaction_id).toMatch(UUID);
    const popped = await api.pop(queue, { batch: 10 });
    expect(popped.map((message) => message.transactionId)).toEqual(results.map((result) => result.transaction_id));
  });

  test("takes an empty trace id as none", async () => {
    const [result] = await api.push({ queue: uniqueName("push"), traceId: "" });
    expect(result!.trace_id).toBeNull();
  });

  test("creates an unknown queue, with namespace and task from its dotted name", async () => {
    const space = uniqueName("space");
    const task = uniqueName("task");
    await api.push({ queue: `${space}.${task}.rest`, payload: "dotted" });
    expect(payloads(await api.popFiltered({ namespace: space, task }))).toEqual(["dotted"]);
    const plain = uniqueName("plain");
    await api.push({ queue: plain, payload: "plain" });
    expect(payloads(await api.popFiltered({ namespace: plain }))).toEqual(["plain"]);
  });

  test("puts many queues and partitions of one request each in item order", async () => {
    const queues = [uniqueName("push"), uniqueName("push")];
    const items = Array.from({ length: 40 }, (_, n) => ({ queue: queues[n % 2]!, partition: `p${n % 4}`, payload: n }));
    const results = await api.push(...items);
    expect(results.map((result) => result.index)).toEqual(items.map((_, n) => n));
    expect(results.map((result) => result.queueName)).toEqual(items.map((item) => item.queue));
    for (let n = 0; n < 4; n++) {
      const popped = await api.popPartition(queues[n % 2]!, `p${n}`, { batch: 100 });
      expect(payloads(popped)).toEqual(items.filter((item) => item.partition === `p${n}`).map((item) => item.payload));
    }
  });

  test("keeps the order of awaited pushes and of items within each", async () => {
    const queue = uniqueName("push");
    for (let n = 0; n < 10; n++) await api.push(...[0, 1, 2].map((i) => ({ queue, payload: n * 3 + i })));
    expect(payloads(await api.pop(queue, { batch: 100 }))).toEqual(Array.from({ length: 30 }, (_, n) => n));
  });

  test("gives message ids that increase along a partition", async () => {
    const queue = uniqueName("push");
    for (let n = 0; n < 5; n++) await api.push({ queue, payload: n }, { queue, payload: n });
    const ids = (await api.pop(queue, { batch: 100 })).map((message) => message.id);
    expect(ids).toEqual([...new Set(ids)].sort());
  });

  test("ignores fields that it does not know, producerSub among them", async () => {
    const queue = uniqueName("push");
    const item = { queue, payload: 1, data: 2, producerSub: "me", namespace: "n", task: "t", messageId: "m" };
    const answer = await api.http.post("/api/v1/push", { items: [item], bufferMs: 100, bufferMax: 5 });
    expect(answer.json[0].status).toBe("queued");
    const [message] = await api.pop(queue);
    expect(message).toMatchObject({ data: 1, producerSub: null, id: answer.json[0].message_id });
  });

  test.each([["application/json; charset=utf-8"], ["text/plain"], ["application/x-www-form-urlencoded"], [""]])(
    "reads a JSON body whatever text type it is sent under (%p)",
    async (type) => {
      const queue = uniqueName("push");
      const body = JSON.stringify({ items: [{ queue, payload: 1 }] });
      const answer = await api.http.postRaw(
        "/api/v1/push",
        new TextEncoder().encode(body),
        type ? { "content-type": type } : {},
      );
      expect(answer.status).toBe(201);
    },
  );

  test.each([
    ["255 characters", "n".repeat(255)],
    ["two-byte characters", "é".repeat(255)],
    ["an emoji", "😀"],
  ])("accepts partition and transaction id of %s", async (_what, name) => {
    const queue = uniqueName("push");
    await api.push({ queue, partition: name, transactionId: name, payload: 1 });
    const [message] = await api.popPartition(queue, name);
    expect(message).toMatchObject({ partition: name, transactionId: name });
  });
});

describe("deduplication of POST /api/v1/push", () => {
  test("answers a repeated transaction id as duplicate with the id of the first, payload unchanged", async () => {
    const queue = uniqueName("dedup");
    const [first] = await api.push({ queue, partition: "p", transactionId: "same", payload: "first" });
    const second = await api.http.post("/api/v1/push", {
      items: [{ queue, partition: "p", transactionId: "same", payload: "second" }],
    });
    expect(second.json).toHaveLength(1);
    expect(second.json[0]).toMatchObject({
      index: 0,
      status: "duplicate",
      transaction_id: "same",
      message_id: first!.message_id,
      queueName: queue,
    });
    expect(payloads(await api.pop(queue, { batch: 10 }))).toEqual(["first"]);
  });

  const shapes: [what: string, id: () => string][] = [
    ["a v7 id of now", () => uuidV7()],
    ["a v7 id of last year", () => uuidV7(Date.now() - 365 * 86_400_000)],
    ["a v7 id of next year", () => uuidV7(Date.now() + 365 * 86_400_000)],
    ["an upper-case v7 id", () => uuidV7().toUpperCase()],
    ["a v4 id", () => crypto.randomUUID()],
    ["free text", () => "order 4711 / line 3"],
    ["one character", () => "x"],
  ];
  test.each(shapes)("finds a duplicate by %s, within a request and across requests", async (_what, id) => {
    const queue = uniqueName("dedup");
    const transactionId = id();
    const within = await api.push({ queue, transactionId, payload: 1 }, { queue, transactionId, payload: 2 });
    expect(within.map((result) => result.status)).toEqual(["queued", "duplicate"]);
    await api.push({ queue, payload: "another in between" });
    const [later] = await api.push({ queue, transactionId, payload: 3 });
    expect(later!.status).toBe("duplicate");
    expect(new Set([...within, later!].map((result) => result.message_id)).size).toBe(1);
    expect(payloads(await api.pop(queue, { batch: 10 }))).toEqual([1, "another in between"]);
  });

  test("tells ids apart that differ only in case or surrounding space", async () => {
    const queue = uniqueName("dedup");
    const ids = ["abc", "ABC", " abc", "abc "];
    const results = await api.push(...ids.map((transactionId) => ({ queue, transactionId })));
    expect(results.map((result) => result.status)).toEqual(ids.map(() => "queued"));
  });

  test("takes the same id in another partition or queue as another message", async () => {
    const [queue, other] = [uniqueName("dedup"), uniqueName("dedup")];
    const transactionId = uuidV7();
    const results = await api.push(
      { queue, partition: "a", transactionId },
      { queue, partition: "b", transactionId },
      { queue: other, partition: "a", transactionId },
    );
    expect(results.map((result) => result.status)).toEqual(["queued", "queued", "queued"]);
  });

  test("still knows the id after the message was consumed", async () => {
    const queue = uniqueName("dedup");
    await api.push({ queue, transactionId: "once" });
    expect(await api.pop(queue, { autoAck: true })).toHaveLength(1);
    const [again] = await api.push({ queue, transactionId: "once" });
    expect(again!.status).toBe("duplicate");
  });

  test.each([
    ["v7 ids", uuidV7],
    ["free text", () => uniqueName("id")],
  ])("lets exactly one of many concurrent pushes of an id win (%s)", async (_what, makeId) => {
    const queue = uniqueName("dedup");
    const ids = Array.from({ length: 5 }, () => makeId());
    const pushes = Array.from({ length: 40 }, (_, n) =>
      api.push(...ids.map((transactionId) => ({ queue, transactionId, payload: n }))),
    );
    const results = (await Promise.all(pushes)).flat();
    for (const id of ids) {
      const ofId = results.filter((result) => result.transaction_id === id);
      expect(ofId.filter((result) => result.status === "queued")).toHaveLength(1);
      expect(ofId.filter((result) => result.status === "duplicate")).toHaveLength(39);
      expect(new Set(ofId.map((result) => result.message_id)).size).toBe(1);
    }
    expect(await api.pop(queue, { batch: 100 })).toHaveLength(ids.length);
  });
});
