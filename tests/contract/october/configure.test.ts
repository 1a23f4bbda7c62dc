import { describe, expect, test } from "bun:test";
import { uniqueName } from "../../support/names.ts";
import { OCTOBER, OctoberApi } from "../../support/october.ts";
import { useSharedServer } from "../../support/shared.ts";

const api = useSharedServer();
const october = new OctoberApi(api.http);
const CONFIGURE = `${OCTOBER}/api/v1/configure`;

const DEFAULTS = {
  leaseTime: 300,
  retryLimit: 3,
  retryDelay: 1000,
  maxSize: 10_000,
  ttl: 3600,
  deadLetterQueue: false,
  dlqAfterMaxRetries: false,
  priority: 0,
  delayedProcessing: 0,
  windowBuffer: 0,
  retentionSeconds: 0,
  completedRetentionSeconds: 0,
  retentionEnabled: false,
  encryptionEnabled: false,
  maxWaitTimeSeconds: 0,
};

describe("configure in the dialect of October 2025", () => {
  test("answers what is in force, without ids, with the defaults of its day", async () => {
    const queue = uniqueName("oct");
    const answer = await api.http.post(CONFIGURE, { queue });
    expect(answer.status).toBe(201);
    expect(answer.json).toEqual({ queue, namespace: null, task: null, configured: true, options: DEFAULTS });
  });

  test("says that a partition is out of date, and echoes it", async () => {
    const queue = uniqueName("oct");
    const answer = await october.configure(queue, {}, { partition: "p" });
    expect(answer).toMatchObject({ partition: "p", _deprecation_notice: expect.any(String) });
  });

  test("takes zero, false and empty for left out, but for an explicit retryLimit of 0", async () => {
    const queue = uniqueName("oct");
    const { options } = await october.configure(queue, {
      leaseTime: 0,
      retryLimit: 0,
      retryDelay: 0,
      maxSize: 0,
      ttl: 0,
      priority: 0,
    });
    expect(options).toEqual({ ...DEFAULTS, retryLimit: 0 });
    expect((await october.configure(queue, { leaseTime: -5 })).options.leaseTime).toBe(300);
  });

  test("replaces every option it does not name, but for encryption, the longest wait, namespace and task", async () => {
    const queue = uniqueName("oct");
    await october.configure(
      queue,
      { leaseTime: 9, priority: 4, maxWaitTimeSeconds: 50, encryptionEnabled: false },
      { namespace: "n", task: "t" },
    );
    const kept = await october.configure(queue, { windowBuffer: 1 }, { namespace: null });
    expect(kept).toMatchObject({ namespace: "n", task: "t" });
    expect(kept.options).toEqual({ ...DEFAULTS, windowBuffer: 1, maxWaitTimeSeconds: 50 });
    const off = await october.configure(queue, { maxWaitTimeSeconds: 0 }, { task: "other" });
    expect(off.options).toEqual(DEFAULTS);
    expect(off).toMatchObject({ namespace: "n", task: "other" });
  });

  test.each([
    ["no queue", {}, "queue is required"],
    ["an empty queue", { queue: "" }, "queue is required"],
    ["a negative number", { queue: "q", options: { retryLimit: -1 } }, "options.retryLimit must be"],
    ["a namespace that is no text", { queue: "q", namespace: 5 }, "namespace must be a string"],
  ])("with %s is refused", async (_what, body, error) => {
    const answer = await api.http.post(CONFIGURE, body);
    expect(answer.status).toBe(400);
    expect(answer.json.error).toStartWith(error);
  });

  test("takes effect with the next pop", async () => {
    const queue = uniqueName("oct");
    await october.configure(queue, { delayedProcessing: 60 });
    await october.push({ queue, payload: 1 });
    expect(await october.popQueue(queue)).toEqual([]);
    await october.configure(queue);
    expect(await october.popQueue(queue)).toHaveLength(1);
  });
});

describe("deleting and clearing", () => {
  test("a queue: answers its id once, and an unknown one is no error", async () => {
    const queue = uniqueName("oct");
    await october.configure(queue);
    await october.push({ queue });
    const path = `${OCTOBER}/api/v1/resources/queues/${queue}`;
    const gone = await api.http.del(path);
    expect([gone.status, gone.json]).toEqual([
      200,
      { deleted: true, queue, existed: true, id: expect.stringMatching(/^[0-9a-f-]{36}$/) },
    ]);
    expect((await api.http.del(path)).json).toEqual({ deleted: true, queue, existed: false, id: null });
    const refused = await api.http.post(`${OCTOBER}/api/v1/push`, { items: [{ queue }] });
    expect(refused.status).toBe(400);
  });

  test("clear takes the messages of a partition or of all, and knows no others", async () => {
    const queue = uniqueName("oct");
    await october.configure(queue);
    await october.push({ queue, partition: "a" }, { queue, partition: "a" }, { queue, partition: "b" });
    const path = `${OCTOBER}/api/v1/queues/${queue}/clear`;
    expect((await api.http.del(`${path}?partition=a`)).json).toEqual({
      cleared: true,
      count: 2,
      queue,
      partition: "a",
    });
    expect((await api.http.del(path)).json).toEqual({ cleared: true, count: 1, queue, partition: "all" });
    expect((await api.http.del(`${path}?partition=none`)).status).toBe(404);
    expect((await api.http.del(`${OCTOBER}/api/v1/queues/${uniqueName("no")}/clear`)).status).toBe(404);
    expect(await october.popQueue(queue)).toEqual([]);
  });
});
