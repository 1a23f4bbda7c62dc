import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { Api, leasedAckOf } from "../support/api.ts";
import { DashboardClient } from "../support/dashboard-client.ts";
import { databaseSocket } from "../support/database.ts";
import { Http } from "../support/http.ts";
import { uniqueName } from "../support/names.ts";
import { OctoberApi } from "../support/october.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { until } from "../support/wait.ts";

setDefaultTimeout(60_000);

/** Two servers on one database, the first with two workers. */
let servers: TestServer[] = [];
const [a, b] = [new Api(new Http("")), new Api(new Http(""))];
const october = new OctoberApi(a.http);
const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

beforeAll(async () => {
  const first = await startServer({ env: { NUM_WORKERS: "2" } });
  servers = [first];
  const { folder, port, user, database } = await databaseSocket(first.dataDir);
  const env = { PG_HOST: folder, PG_PORT: String(port), PG_USER: user, PG_DB: database, PG_PASSWORD: "" };
  servers.push(await startServer({ env: { ...env, NUM_WORKERS: "1" } }));
  [a.http.url, b.http.url] = [servers[0]!.url, servers[1]!.url];
});
afterAll(async () => {
  for (const server of servers.toReversed()) await server.stop();
});

async function connect(at: Api = a, path?: string): Promise<DashboardClient> {
  const client = new DashboardClient(at.http.url, path);
  await client.connected();
  return client;
}

/** Waits until the workers of the server tell what happens. */
async function told(client: DashboardClient, at: Api): Promise<void> {
  await until(async () => {
    const queue = uniqueName("probe");
    await at.configure(queue);
    return await client.seen("queue.created", (data) => data.queue === queue, 500).catch(() => false);
  }, 20_000);
}

describe("frames", () => {
  test("the newcomer learns its id, and the others that it comes and goes", async () => {
    const first = await connect();
    const second = await connect(a, "/2025-10/ws/dashboard");
    const { data, timestamp } = second.events[0]!;
    expect(data).toEqual({ connectionId: expect.any(String), version: "v2" });
    expect(timestamp).toMatch(ISO);
    expect((await first.seen("client.connected")).data).toEqual({ clientId: data.connectionId });
    await second.close();
    expect((await first.seen("client.disconnected")).data).toEqual({ clientId: data.connectionId });
    expect(second.of("client.connected")).toEqual([]);
    await first.close();
  });

  test("ping is answered pong, a subscription subscribed, and anything else not at all", async () => {
    const client = await connect();
    for (const text of ["nonsense", "{", '{"type":"other"}', '{"type":"subscribe"}', "[1]", "null", '"x"']) {
      client.socket.send(text);
    }
    client.socket.send(new Uint8Array([1, 2, 3]));
    client.socket.send(JSON.stringify({ type: "subscribe", queues: ["q", "r"] }));
    client.socket.send("ping");
    await until(() => client.texts.length > 0);
    expect(client.texts).toEqual(["pong"]);
    expect(client.of("subscribed")).toMatchObject([{ data: { queues: ["q", "r"] } }]);
    await client.close();
  });

  test("a frame of 16,384 bytes is taken, and one more ends the socket", async () => {
    const client = await connect();
    client.socket.send("x".repeat(16_384));
    client.socket.send("ping");
    await until(() => client.texts.length > 0);
    client.socket.send("x".repeat(16_385));
    await until(() => client.closed !== null);
    expect(client.closed).toBe(1009);
  });

  test("a request that is no upgrade is told so", async () => {
    for (const path of ["/ws/dashboard", "/2025-10/ws/dashboard"]) {
      const answer = await a.http.get(path);
      expect([answer.status, answer.headers.get("upgrade")]).toEqual([426, "websocket"]);
      expect(answer.json.error).toContain("WebSocket");
    }
  });
});

describe("events of messages", () => {
  test("tell of configure, push, pop, and both kinds of acknowledgements", async () => {
    const client = await connect();
    await told(client, a);
    const queue = uniqueName("watch");
    await a.configure(queue);
    const own = (data: { queue: string }) => data.queue === queue;
    expect((await client.seen("queue.created", own)).data).toEqual({ queue, partition: "Default" });
    await a.push(
      { queue, partition: "p", transactionId: `${queue} 1` },
      { queue, partition: "p", transactionId: `${queue} 2` },
      { queue, partition: "p", transactionId: `${queue} 1` },
    );
    await client.seen("message.pushed", (data) => own(data) && data.transactionId === `${queue} 2`);
    expect(client.of("message.pushed", own).map(({ data }) => data)).toEqual([
      { queue, partition: "p", transactionId: `${queue} 1` },
      { queue, partition: "p", transactionId: `${queue} 2` },
    ]);
    const popped = await a.pop(queue, { batch: 2 });
    await client.seen("message.processing", (data) => own(data) && data.transactionId === `${queue} 2`);
    expect(client.of("message.processing", own)[0]!.data).toEqual({
      queue,
      partition: "p",
      transactionId: `${queue} 1`,
      workerId: expect.any(String),
    });
    await a.ack(leasedAckOf(popped[0]!));
    await a.ack(leasedAckOf(popped[1]!, "failed", "broken"));
    expect((await client.seen("message.completed", (data) => data.transactionId === `${queue} 1`)).data).toEqual({
      transactionId: `${queue} 1`,
    });
    expect((await client.seen("message.failed", (data) => data.transactionId === `${queue} 2`)).data).toEqual({
      transactionId: `${queue} 2`,
      error: "broken",
    });
    await client.close();
  });

  test("tell of the dialect of October 2025, of CBOR, of segments and of transactions alike", async () => {
    const client = await connect(a, "/2025-10/ws/dashboard");
    await told(client, a);
    const queue = uniqueName("watch");
    const has = (id: string) => (data: { transactionId: string }) => data.transactionId === id;
    await october.configure(queue);
    await client.seen("queue.created", (data) => data.queue === queue);
    await october.push({ queue, transactionId: `${queue} o` });
    await client.seen("message.pushed", has(`${queue} o`));
    await october.popQueue(queue);
    await client.seen("message.processing", has(`${queue} o`));
    await october.ack(`${queue} o`, "failed", { error: "e" });
    await client.seen("message.failed", has(`${queue} o`));
    await october.popQueue(queue);
    await october.ack(`${queue} o`);
    await client.seen("message.completed", has(`${queue} o`));

    await a.http.postCbor("/api/v1/push", { items: [{ queue, transactionId: `${queue} "c"`, payload: 1 }] });
    await client.seen("message.pushed", has(`${queue} "c"`));
    await a.http.get(`/api/v1/pop/queue/${queue}`, { accept: "application/vnd.queen.segments" });
    await client.seen("message.processing", has(`${queue} "c"`));

    const other = uniqueName("watch");
    await a.push({ queue: other, transactionId: `${other} t` });
    const [message] = await a.pop(other);
    await a.transaction([
      { type: "ack", ...leasedAckOf(message!) },
      { type: "push", items: [{ queue: other, transactionId: `${other} u` }] },
    ]);
    await client.seen("message.completed", has(`${other} t`));
    await client.seen("message.pushed", has(`${other} u`));
    await client.close();
  });

  test("come from every worker, and from every instance, to listeners at any of them", async () => {
    const [here, there] = [await connect(a), await connect(b)];
    await told(here, a);
    await told(here, b);
    await told(there, a);
    // Small pushes are steered by their queue: many queues reach both workers.
    const queues = Array.from({ length: 16 }, () => uniqueName("spread"));
    for (const [n, queue] of queues.entries()) await (n % 2 === 0 ? a : b).push({ queue });
    for (const client of [here, there]) {
      await until(
        () => queues.every((queue) => client.of("message.pushed", (data) => data.queue === queue).length === 1),
        10_000,
        "a push to each queue",
      );
    }
    const workers = new Set<string>();
    for (const queue of queues) {
      await a.pop(queue);
      const { data } = await there.seen("message.processing", (data) => data.queue === queue);
      workers.add(data.workerId);
    }
    expect(workers.size).toBe(2);
    await Promise.all([here.close(), there.close()]);
  });

  test("beyond what can be told are counted, and the queue is none the slower", async () => {
    const client = await connect();
    await told(client, a);
    const queue = uniqueName("flood");
    for (let round = 0; round < 5; round += 1) {
      await a.push(...Array.from({ length: 4_000 }, () => ({ queue })));
    }
    await client.seen("events.dropped", ({ count }) => count > 0);
    const seen = () => client.of("message.pushed", (data) => data.queue === queue).length;
    const dropped = () => client.of("events.dropped").reduce((sum, { data }) => sum + data.count, 0);
    await until(() => seen() + dropped() >= 20_000, 10_000, "an account of every message");
    expect(seen()).toBeGreaterThan(0);
    expect(seen()).toBeLessThan(20_000);
    await client.close();
  });
});

describe("what is told every few seconds", () => {
  test("depths of queues and partitions, and totals with those of the last minute", async () => {
    const client = await connect();
    await told(client, a);
    const queue = uniqueName("depth");
    await october.configure(queue, {}, { namespace: "n", task: "t" });
    const push = (partition: string, count: number) =>
      a.push(
        ...Array.from({ length: count }, (_, n) => ({ queue, partition, transactionId: `${queue} ${partition} ${n}` })),
      );
    await push("one", 5);
    await push("two", 2);
    await october.pop(`/queue/${queue}/partition/one`, { batch: 3 });
    await october.ack(`${queue} one 0`);
    await october.ack(`${queue} one 1`, "failed");
    const own = (data: { queue: string; totalDepth: number }) => data.queue === queue && data.totalDepth > 0;
    const { data } = await client.seen("queue.depth", own, 20_000);
    expect(data).toEqual({
      queue,
      namespace: "n",
      task: "t",
      totalDepth: 4,
      totalProcessing: 2,
      partitions: {
        one: { depth: 2, processing: 2, completed: 1, failed: 1 },
        two: { depth: 2, processing: 0, completed: 0, failed: 0 },
      },
    });
    const one = await client.seen("partition.depth", (of) => of.queue === queue && of.partition === "one");
    expect(one.data).toEqual({
      queue,
      partition: "one",
      depth: 2,
      processing: 2,
      completed: 1,
      failed: 1,
      total: 5,
    });
    const stats = await client.seen("system.stats", ({ recentCompleted }) => recentCompleted > 0, 25_000);
    expect(Object.keys(stats.data).sort()).toEqual([
      "connections",
      "pending",
      "processing",
      "recentCompleted",
      "recentCreated",
    ]);
    expect(stats.data.connections).toBe(1);
    expect(stats.data.pending).toBeGreaterThanOrEqual(4);
    expect(stats.data.processing).toBeGreaterThanOrEqual(2);
    expect(stats.data.recentCreated).toBeGreaterThanOrEqual(7);
    await client.close();
  });
});

describe("the dialect of October 2025 at two instances", () => {
  test("a message popped at one is acknowledged at the other by its id alone", async () => {
    const there = new OctoberApi(b.http);
    const queue = uniqueName("two");
    await october.configure(queue);
    await there.push({ queue, payload: 1, transactionId: `${queue} 1` }, { queue, payload: 2 });
    const [first, second] = await october.popQueue(queue, { batch: 2 });
    expect(await there.ack(first!.transactionId, "failed")).toMatchObject({ status: "failed" });
    expect(await there.popQueue(queue)).toEqual([]);
    await there.ack(second!.transactionId);
    expect(await there.popQueue(queue)).toMatchObject([{ data: 1, retryCount: 1 }]);
    await october.ack(`${queue} 1`);
    expect(await there.message(`${queue} 1`)).toMatchObject({ status: "completed" });
  });
});

describe("an instance that stops", () => {
  test("closes its sockets, and does not wait for them", async () => {
    const server = await startServer();
    const client = new DashboardClient(server.url);
    await client.connected();
    const startedAt = performance.now();
    expect(await server.stop()).toBe(0);
    await until(() => client.closed !== null);
    expect(performance.now() - startedAt).toBeLessThan(10_000);
  });
});
