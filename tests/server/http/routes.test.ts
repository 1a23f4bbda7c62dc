import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { until } from "../../support/wait.ts";
import { type EchoServer, startEcho } from "./echo-server.ts";

let server: EchoServer;
beforeAll(async () => {
  server = await startEcho({ DEFAULT_BATCH_SIZE: "7", DEFAULT_TIMEOUT: "1234", DEFAULT_SUBSCRIPTION_MODE: "new" });
});
afterAll(() => server.stop());

const POP = {
  group: "__QUEUE_MODE__",
  batch: 7,
  partitions: 1,
  wait: false,
  timeoutMs: 1234,
  autoAck: false,
  subscriptionMode: "new",
  subscriptionFrom: "",
};
const message = { partitionId: "p", transactionId: "t" };

describe("each route calls its operation", () => {
  test.each<[method: string, path: string, operation: string, params: object]>([
    ["POST", "/api/v1/configure", "configure", {}],
    ["POST", "/api/v1/push", "push", { producerSub: null }],
    ["POST", "/api/v1/transaction", "transaction", {}],
    ["POST", "/api/v1/ack", "ack", {}],
    ["POST", "/api/v1/ack/batch", "ackBatch", {}],
    ["POST", "/api/v1/lease/l/extend", "leaseExtend", { leaseId: "l" }],
    ["POST", "/api/v1/lease/l/ack", "leaseAcknowledge", { leaseId: "l" }],
    ["GET", "/api/v1/pop/queue/q", "pop", { queue: "q", ...POP }],
    ["GET", "/api/v1/pop/queue/q/partition/p?partitions=5", "pop", { queue: "q", partition: "p", ...POP }],
    ["GET", "/api/v1/pop?namespace=n", "pop", { namespace: "n", ...POP }],
    ["GET", "/api/v1/pop?task=t&namespace=n", "pop", { namespace: "n", task: "t", ...POP }],
    ["DELETE", "/api/v1/resources/queues/q", "queueDelete", { queue: "q" }],
    ["DELETE", "/api/v1/queues/q/clear", "queueClear", { queue: "q", partition: null }],
    ["DELETE", "/api/v1/queues/q/clear?partition=p", "queueClear", { queue: "q", partition: "p" }],
    [
      "GET",
      "/api/v1/dlq",
      "deadLetterList",
      { queue: null, partition: null, group: null, error: null, from: null, to: null, limit: 100, offset: 0 },
    ],
    [
      "GET",
      "/api/v1/dlq?queue=q&partition=p&consumerGroup=g&error=boom&from=2026-01-02&to=2026-01-02T03:04:05%2B01:00&limit=5&offset=6",
      "deadLetterList",
      {
        queue: "q",
        partition: "p",
        group: "g",
        error: "boom",
        from: "2026-01-02T00:00:00.000Z",
        to: "2026-01-02T02:04:05.000Z",
        limit: 5,
        offset: 6,
      },
    ],
    ["GET", "/api/v1/messages/p/t", "messageGet", message],
    ["DELETE", "/api/v1/messages/p/t", "messageDelete", message],
    ["POST", "/api/v1/messages/p/t/retry", "messageRetry", message],
    ["POST", "/api/v1/messages/p/t/dlq", "messageMoveToDeadLetter", message],
    ["DELETE", "/api/v1/consumer-groups/g", "groupDelete", { group: "g", deleteMetadata: true }],
    ["DELETE", "/api/v1/consumer-groups/g?deleteMetadata=false", "groupDelete", { group: "g", deleteMetadata: false }],
    [
      "DELETE",
      "/api/v1/consumer-groups/g/queues/q",
      "groupQueueDelete",
      { group: "g", queue: "q", deleteMetadata: true },
    ],
    ["POST", "/api/v1/consumer-groups/g/subscription", "groupSubscriptionUpdate", { group: "g" }],
    ["POST", "/api/v1/consumer-groups/g/queues/q/seek", "groupSeek", { group: "g", queue: "q" }],
    [
      "GET",
      "/api/v1/consumer-groups/g/queues/q/seek?timestamp=2026-01-02T03:04:05Z",
      "seekPreview",
      { group: "g", queue: "q", after: "2026-01-02T03:04:05.000000Z" },
    ],
    [
      "POST",
      "/api/v1/consumer-groups/g/queues/q/partitions/p/seek",
      "partitionSeek",
      { group: "g", queue: "q", partition: "p" },
    ],
    ["POST", "/api/v1/traces", "traceCreate", {}],
    ["GET", "/api/v1/traces/names", "traceNameList", { limit: 50, offset: 0 }],
    ["GET", "/api/v1/traces/by-name/a%20b", "traceListByName", { name: "a b", limit: 100, offset: 0 }],
    ["GET", "/api/v1/traces/p/t", "traceList", message],
  ])("%s %s", async (method, path, operation, params) => {
    const answer = method === "POST" ? await server.http.post(path, { x: 1 }) : await server.http.call(method, path);
    expect(answer.status, answer.text).toBe(200);
    expect(answer.json).toMatchObject({ operation, bodyFormat: "json", answerFormat: "json" });
    expect(answer.json.params).toEqual(params);
  });
});

describe("parameters of a pop", () => {
  test.each<[query: string, expected: Partial<typeof POP>]>([
    ["batch=10&wait=true&timeout=0", { batch: 10, wait: true, timeoutMs: 0 }],
    ["batch=12abc&timeout=-5&partitions=0", { batch: 12, timeoutMs: 0, partitions: 1 }],
    ["batch=&wait=&autoAck=&consumerGroup=", {}],
    ["batch=x&timeout=%20", {}],
    ["batch=99999999999999999999&partitions=1e9&timeout=9e9", { batch: 100_000, partitions: 1, timeoutMs: 9 }],
    ["batch=-1", { batch: 1 }],
    ["wait=1&autoAck=TRUE&timeout=1", { wait: true, autoAck: false, timeoutMs: 1 }],
    ["autoAck=true", { autoAck: true }],
    [
      "consumerGroup=a+b%2Bc&subscriptionMode=all&subscriptionFrom=2026-01-01T00:00:00Z",
      { group: "a b+c", subscriptionMode: "all", subscriptionFrom: "2026-01-01T00:00:00Z" },
    ],
    ["xbatch=5&batch=3&batch=4", { batch: 3 }],
    ["unknown=%ff", {}],
  ])("%s", async (query, expected) => {
    const waits = expected.wait === true;
    const answer = await server.http.get(`/api/v1/pop/queue/q?${query}`);
    if (waits) expect(answer.status).toBe(204);
    else expect(answer.json.params).toEqual({ queue: "q", ...POP, ...expected });
  });

  test("of neither queue, namespace nor task is refused, naming what is missing", async () => {
    const answer = await server.http.get("/api/v1/pop?batch=1");
    expect([answer.status, answer.json]).toEqual([400, { error: "namespace or task is required" }]);
  });
});

describe("names in the path", () => {
  test.each([
    ["a%2Fb", "a/b"],
    ["100%25", "100%"],
    ["%2525", "%25"],
    ["caf%C3%A9", "café"],
    ["a+b", "a+b"],
    ["a;b=c,d", "a;b=c,d"],
    ["x".repeat(255), "x".repeat(255)],
    ["%F0%9F%90%9D", "🐝"],
    ["binary", "binary"],
  ])("%s is %s", async (path, name) => {
    expect((await server.http.get(`/api/v1/pop/queue/${path}`)).json.params.queue).toBe(name);
    const pair = await server.http.get(`/api/v1/pop/queue/q/partition/${path}`);
    expect(pair.json.params).toMatchObject({ queue: "q", partition: name });
  });

  test.each([
    ["%00", "queue contains a NUL character"],
    ["%ff", "queue is not valid percent-encoded UTF-8"],
    ["%", "queue is not valid percent-encoded UTF-8"],
    ["%ED%A0%80", "queue is not valid percent-encoded UTF-8"],
    ["x".repeat(256), "queue is longer than 255 characters"],
  ])("%s is refused", async (path, error) => {
    const answer = await server.http.get(`/api/v1/pop/queue/${path}`);
    expect([answer.status, answer.json]).toEqual([400, { error }]);
  });
});

describe("what every answer carries", () => {
  test.each([
    ["GET", "/api/v1/pop/queue/q", 200],
    ["GET", "/api/v1/pop/queue/q?wait=true&timeout=1", 204],
    ["GET", "/api/v1/pop", 400],
    ["GET", "/nothing", 404],
    ["PUT", "/api/v1/push", 405],
    ["GET", "/health", 200],
  ])("%s %s", async (method, path, status) => {
    const { status: given, headers, text } = await server.http.call(method, path);
    expect(given).toBe(status);
    expect(headers.get("content-type")).toBe("application/json");
    expect(headers.get("access-control-allow-origin")).toBe("*");
    expect(headers.get("access-control-allow-methods")).toBe("GET, POST, PUT, DELETE, OPTIONS");
    expect(headers.get("access-control-allow-headers")).toBe("Content-Type, Authorization");
    if (status === 204) expect(text).toBe("");
    if (status >= 400) expect(JSON.parse(text).error).toBeString();
  });

  test("the pre-flight may be remembered for a day", async () => {
    const answer = await server.http.call("OPTIONS", "/any/path");
    expect([answer.status, answer.text, answer.headers.get("access-control-max-age")]).toEqual([204, "", "86400"]);
  });
});

describe("wrong methods", () => {
  test.each([
    ["PUT", "/api/v1/push", "POST"],
    ["GET", "/api/v1/ack/batch", "POST"],
    ["PATCH", "/api/v1/messages/p/t", "GET, DELETE"],
  ])("%s %s names the right one", async (method, path, allow) => {
    const answer = await server.http.call(method, path);
    expect([answer.status, answer.headers.get("allow")]).toEqual([405, allow]);
  });

  test("HEAD takes no messages", async () => {
    const answer = await server.http.call("HEAD", "/api/v1/pop/queue/q");
    expect([answer.status, answer.headers.get("allow")]).toEqual([405, "GET"]);
  });
});

test("GET /health has the contract's shape", async () => {
  const answer = await server.http.get("/health");
  expect(answer.json).toMatchObject({
    status: "healthy",
    database: "connected",
    server: "Queen",
    worker_id: 0,
    version: "0.0.0-test",
    shared_state: { enabled: true },
    queen: { worker_id: 0, status: "active" },
  });
  expect(answer.json.workers).toHaveLength(2);
});

test("a client that leaves its long poll has it cancelled in the worker", async () => {
  const parked = async () => (await server.http.get("/api/v1/pop/queue/parked")).json;
  const client = new AbortController();
  const poll = server.http.call("GET", "/api/v1/pop/queue/q?wait=true&timeout=60000", { signal: client.signal });
  await until(async () => (await parked()) === 1);
  client.abort();
  expect(poll).rejects.toThrow();
  await until(async () => (await parked()) === 0);
});
