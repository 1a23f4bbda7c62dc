import { describe, expect, test } from "bun:test";
import { UUID, uniqueName } from "../support/names.ts";
import { useSharedServer } from "../support/shared.ts";

const DEFAULTS = {
  leaseTime: 300,
  retryLimit: 3,
  retryDelay: 1000,
  maxSize: 0,
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

const api = useSharedServer();

describe("POST /api/v1/configure", () => {
  test("creates a queue and answers every option with its default", async () => {
    const queue = uniqueName("configure");
    const answer = await api.http.post("/api/v1/configure", { queue });
    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-type")).toStartWith("application/json");
    expect(answer.json).toEqual({
      configured: true,
      queueId: expect.stringMatching(UUID),
      partitionId: expect.stringMatching(UUID),
      queue,
      namespace: "",
      task: "",
      options: DEFAULTS,
    });
  });

  test("answers with the cross-origin headers of every JSON answer", async () => {
    const { headers } = await api.http.post("/api/v1/configure", { queue: uniqueName("configure") });
    expect(headers.get("access-control-allow-origin")).toBe("*");
  });

  const values: [option: keyof typeof DEFAULTS, value: number | boolean][] = [
    ["leaseTime", 60],
    ["leaseTime", 0],
    ["retryLimit", 0],
    ["retryLimit", 10],
    ["retryDelay", 0],
    ["retryDelay", 2500],
    ["maxSize", 12345],
    ["ttl", 7200],
    ["deadLetterQueue", true],
    ["dlqAfterMaxRetries", true],
    ["priority", 9],
    ["priority", -1],
    ["delayedProcessing", 5],
    ["windowBuffer", 7],
    ["retentionSeconds", 86400],
    ["completedRetentionSeconds", 3600],
    ["retentionEnabled", true],
    ["maxWaitTimeSeconds", 30],
  ];
  test.each(values)("echoes %s = %p and leaves the others at their defaults", async (option, value) => {
    const answer = await api.configure(uniqueName("configure"), { [option]: value });
    expect(answer.options).toEqual({ ...DEFAULTS, [option]: value });
  });

  test("keeps namespace and task", async () => {
    const answer = await api.configure(uniqueName("configure"), {}, { namespace: "billing", task: "invoices" });
    expect(answer).toMatchObject({ namespace: "billing", task: "invoices" });
  });

  test("keeps ids and resets every option, namespace and task that a second call leaves out", async () => {
    const queue = uniqueName("configure");
    const first = await api.configure(queue, { leaseTime: 5, priority: 3 }, { namespace: "n", task: "t" });
    const second = await api.configure(queue, { retryLimit: 1 });
    expect(second).toEqual({ ...first, namespace: "", task: "", options: { ...DEFAULTS, retryLimit: 1 } });
  });

  test("its partition is the one that a push without a partition uses", async () => {
    const queue = uniqueName("configure");
    const { partitionId } = await api.configure(queue);
    const [pushed] = await api.push({ queue, payload: 1 });
    expect(pushed!.partition_id).toBe(partitionId);
  });

  const accepted: [what: string, body: object, seen: object][] = [
    ["namespace and task null", { namespace: null, task: null }, { namespace: "", task: "" }],
    ["namespace and task that are no strings", { namespace: 1, task: {} }, { namespace: "", task: "" }],
    ["options null", { options: null }, { options: DEFAULTS }],
    ["unknown options", { options: { colour: "red" } }, { options: DEFAULTS }],
    ["numeric strings", { options: { leaseTime: "60" } }, { options: { ...DEFAULTS, leaseTime: 60 } }],
  ];
  test.each(accepted)("accepts %s", async (_what, body, seen) => {
    const answer = await api.http.post("/api/v1/configure", { queue: uniqueName("configure"), ...body });
    expect(answer.status).toBe(200);
    expect(answer.json).toMatchObject(seen);
  });

  test("accepts a name of 255 characters", async () => {
    const queue = uniqueName("long").padEnd(255, "x");
    expect((await api.configure(queue)).queue).toBe(queue);
  });

  test("a changed option takes effect on the next request", async () => {
    const queue = uniqueName("configure");
    await api.configure(queue, { retryLimit: 3 });
    await api.pushAll(queue, "p", ["a"]);
    await api.configure(queue, { retryLimit: 0 });
    const [message] = await api.pop(queue);
    const ack = { transactionId: message!.transactionId, partitionId: message!.partitionId, status: "failed" };
    expect(await api.ack({ ...ack, leaseId: message!.leaseId })).toMatchObject({ success: true, dlq: true });
  });
});
