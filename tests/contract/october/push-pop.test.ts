import { describe, expect, test } from "bun:test";
import { TIME_MS, UUID_V7, uniqueName, uuidV7 } from "../../support/names.ts";
import { OCTOBER, OctoberApi } from "../../support/october.ts";
import { useSharedServer } from "../../support/shared.ts";
import { until } from "../../support/wait.ts";

const api = useSharedServer();
const october = new OctoberApi(api.http);
const PUSH = `${OCTOBER}/api/v1/push`;

describe("push in the dialect of October 2025", () => {
  test("answers an object of messages, in the order of the items", async () => {
    const queue = uniqueName("oct");
    await october.configure(queue);
    const [a, b] = [uuidV7(), "any text"];
    const traceId = crypto.randomUUID();
    const { status, json } = await api.http.post(PUSH, {
      items: [
        { queue, payload: 1, transactionId: a, traceId },
        { queue, payload: 2, transactionId: b },
        { queue, payload: 3, transactionId: a },
        { queue, payload: 4 },
      ],
      config: {},
    });
    expect(status).toBe(201);
    const { messages } = json;
    expect(messages[0]).toEqual({ id: expect.stringMatching(UUID_V7), transactionId: a, traceId, status: "queued" });
    expect(messages[1]).toMatchObject({ transactionId: b, traceId: null, status: "queued" });
    expect(messages[2]).toEqual({ id: messages[0].id, transactionId: a, status: "duplicate" });
    expect(messages[3].transactionId).toMatch(UUID_V7);
    const [again] = await october.push({ queue, transactionId: b });
    expect(again).toEqual({ id: messages[1].id, transactionId: b, status: "duplicate" });
  });

  test("to a queue that does not exist is refused, and nothing of the request is stored", async () => {
    const [queue, missing] = [uniqueName("oct"), uniqueName("oct-missing")];
    await october.configure(queue);
    const { status, json } = await api.http.post(PUSH, { items: [{ queue }, { queue: missing }] });
    expect(status).toBe(400);
    expect(json.error).toBe(`Queue '${missing}' does not exist. Please create it using the configure endpoint first.`);
    expect(await october.popQueue(queue)).toEqual([]);
    const listed = await api.http.post("/api/v1/push", { items: [{ queue: missing }] });
    expect(listed.json[0].status).toBe("queued");
  });

  test.each([
    ["no items", { items: [] }, "No items to push"],
    ["items that are missing", {}, "items array is required"],
    ["an item without a queue", { items: [{ payload: 1 }] }, "Queue must be a string"],
    ["an empty queue", { items: [{ queue: "" }] }, "queue must not be empty"],
    ["a trace id that is none", { items: [{ queue: "q", traceId: "x" }] }, "traceId must be a UUID"],
  ])("with %s is refused", async (_what, body, error) => {
    const answer = await api.http.post(PUSH, body);
    expect([answer.status, answer.json]).toEqual([400, { error }]);
  });

  test("beyond an explicit maxSize is an error; the default of 10,000 is only shown", async () => {
    const [small, plain] = [uniqueName("oct"), uniqueName("oct")];
    expect((await october.configure(plain)).options.maxSize).toBe(10_000);
    const many = Array.from({ length: 10_001 }, () => ({ queue: plain }));
    expect((await october.push(...many)).every((row: { status: string }) => row.status === "queued")).toBe(true);
    await october.configure(small, { maxSize: 2 });
    await october.push({ queue: small }, { queue: small });
    const full = await api.http.post(PUSH, { items: [{ queue: small }] });
    expect(full.status).toBe(400);
    expect(full.json.error).toContain(`Queue '${small}' is full: depth 2, limit 2`);
    await api.http.del(`${OCTOBER}/api/v1/resources/queues/${plain}`);
  });

  test("of nothing, an empty text, an object and a large text comes back as it was sent", async () => {
    const queue = uniqueName("oct");
    await october.configure(queue);
    const payloads = [null, "", {}, { data: [1, { payload: '\u0001"' }] }, "x".repeat(300_000), -0.25];
    await october.push(...payloads.map((payload) => ({ queue, payload })), { queue });
    const popped = await october.popQueue(queue, { batch: 10 });
    expect(popped.map((message) => message.data)).toEqual([...payloads, null]);
    expect(popped.map((message) => message.payload)).toEqual([...payloads, null]);
  });

  test("of CBOR is popped as JSON and as CBOR", async () => {
    const queue = uniqueName("oct");
    await october.configure(queue);
    const pushed = await api.http.postCbor(PUSH, {
      items: [
        { queue, payload: { n: 1 } },
        { queue, payload: [2] },
      ],
    });
    expect(pushed.json.messages).toHaveLength(2);
    const [first] = await october.popQueue(queue);
    expect(first).toMatchObject({ data: { n: 1 }, payload: { n: 1 } });
    await october.ack(first!.transactionId);
    const second = await api.http.getCbor(`${OCTOBER}/api/v1/pop/queue/${queue}`);
    expect(second.json.messages[0]).toMatchObject({ data: [2], payload: [2], queue });
  });
});

describe("pop in the dialect of October 2025", () => {
  test("shows a message with payload beside data, its queue, retries and priority, and no group in queue mode", async () => {
    const queue = uniqueName("oct");
    await october.configure(queue, { priority: 7 });
    const [pushed] = await october.push({ queue, partition: "p/1", payload: { a: "$&" } });
    const answer = await api.http.get(`${OCTOBER}/api/v1/pop/queue/${queue}`);
    expect(answer.status).toBe(200);
    expect(answer.json).toEqual({
      messages: [
        {
          id: pushed.id,
          transactionId: pushed.transactionId,
          traceId: null,
          queue,
          partition: "p/1",
          data: { a: "$&" },
          payload: { a: "$&" },
          retryCount: 0,
          priority: 7,
          createdAt: expect.stringMatching(TIME_MS),
          consumerGroup: null,
        },
      ],
    });
    const [other] = await october.popQueue(queue, { consumer_group: "g" });
    expect(other).toMatchObject({ id: pushed.id, consumerGroup: "g" });
  });

  test("that finds nothing is 204 without a body, also of a queue that does not exist", async () => {
    const queue = uniqueName("oct");
    await october.configure(queue);
    for (const path of [`/queue/${queue}`, `/queue/${queue}/partition/p`, `/queue/${uniqueName("none")}`]) {
      const answer = await api.http.get(`${OCTOBER}/api/v1/pop${path}`);
      expect([answer.status, answer.text]).toEqual([204, ""]);
    }
  });

  test("takes messages of one partition, at most the batch, in order", async () => {
    const queue = uniqueName("oct");
    await october.configure(queue);
    for (const partition of ["a", "b"]) {
      await october.push(...[1, 2, 3].map((payload) => ({ queue, partition, payload })));
    }
    expect((await october.popQueue(queue)).map((m) => m.data)).toEqual([1]);
    const second = await october.popQueue(queue, { batch: 10 });
    expect(second.map((m) => m.data)).toEqual([1, 2, 3]);
    expect(new Set(second.map((m) => m.partition)).size).toBe(1);
    expect(await october.popQueue(queue, { batch: 10 })).toEqual([]);
    const named = await october.pop(`/queue/${queue}/partition/a`, { batch: 2, consumerGroup: "g" });
    expect(named.map((m) => [m.partition, m.data])).toEqual([
      ["a", 1],
      ["a", 2],
    ]);
  });

  test("by namespace and task finds what was configured there, the higher priority first", async () => {
    const [namespace, task] = [uniqueName("space"), uniqueName("task")];
    const [low, high, elsewhere] = [uniqueName("oct"), uniqueName("oct"), uniqueName("oct")];
    await october.configure(low, { priority: 1 }, { namespace, task });
    await october.configure(high, { priority: 9 }, { namespace, task });
    await october.configure(elsewhere, {}, { namespace });
    await october.push({ queue: low, payload: "low" }, { queue: high, payload: "high" }, { queue: elsewhere });
    const first = await october.pop("", { namespace, task });
    expect(first).toMatchObject([{ data: "high", queue: high, priority: 9 }]);
    await october.ack(first[0]!.transactionId);
    expect(await october.pop("", { namespace, task })).toMatchObject([{ data: "low", queue: low }]);
    expect(await october.pop("", { task })).toEqual([]);
    expect((await api.http.get(`${OCTOBER}/api/v1/pop`)).status).toBe(400);
  });

  test("waits for a push, and is not shown what a group skips", async () => {
    const queue = uniqueName("oct");
    await october.configure(queue);
    await october.push({ queue, payload: "old" });
    expect(await october.popQueue(queue, { consumerGroup: "fresh", subscriptionMode: "new-only" })).toEqual([]);
    const waiting = october.popQueue(queue, { consumerGroup: "fresh", wait: true, timeout: 20_000 });
    await until(async () => {
      const { workers } = (await api.http.get("/health")).json;
      return workers.some((worker: { polls_parked: number }) => worker.polls_parked > 0);
    });
    await october.push({ queue, payload: "new" });
    expect((await waiting).map((m) => m.data)).toEqual(["new"]);
  });

  test("of a client that went away takes no lease", async () => {
    const queue = uniqueName("oct");
    await october.configure(queue);
    for (let round = 0; round < 5; round += 1) {
      const abort = new AbortController();
      const gone = fetch(`${api.http.url}${OCTOBER}/api/v1/pop/queue/${queue}?wait=true&timeout=20000`, {
        signal: abort.signal,
      }).catch(() => "gone");
      await until(async () => {
        const { workers } = (await api.http.get("/health")).json;
        return workers.some((worker: { polls_parked: number }) => worker.polls_parked > 0);
      });
      // The push and the going away meet somewhere.
      const pushed = october.push({ queue, payload: round });
      abort.abort();
      expect(await gone).toBe("gone");
      await pushed;
      const [message] = await october.popQueue(queue, { wait: true, timeout: 10_000 });
      expect(message!.data).toBe(round);
      await october.ack(message!.transactionId);
    }
  });

  test("of a message pushed by another dialect can be acknowledged by its id alone", async () => {
    const queue = uniqueName("oct");
    await api.push({ queue, payload: 1, transactionId: uuidV7() }, { queue, payload: 2, transactionId: `x-${queue}` });
    const popped = await october.popQueue(queue, { batch: 2 });
    expect(popped.map((m) => m.data)).toEqual([1, 2]);
    for (const { transactionId } of popped) {
      expect(await october.ack(transactionId)).toMatchObject({ status: "completed" });
    }
    expect(await api.pop(queue)).toEqual([]);
  });
});
