/**
 * Push and pop maintenance (wire contract, sections 6.2, 7.3, 13.4 and 15.4), over two instances and restarts.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Api, payloads } from "../support/api.ts";
import { databaseSocket } from "../support/database.ts";
import { Http } from "../support/http.ts";
import { uniqueName, uuidV7 } from "../support/names.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { until } from "../support/wait.ts";

setDefaultTimeout(60_000);

const PUSH = "/api/v1/system/maintenance";
const POP = "/api/v1/system/maintenance/pop";
/** Two servers on one database: the first one's own. The second restarts without it. */
let first: TestServer;
let second: TestServer;
const [a, b] = [new Api(new Http("")), new Api(new Http(""))];

async function startSecond(env: Record<string, string> = {}): Promise<void> {
  const { folder, port, user, database } = await databaseSocket(first.dataDir);
  second = await startServer({
    env: { PG_HOST: folder, PG_PORT: String(port), PG_USER: user, PG_DB: database, PG_PASSWORD: "", ...env },
    ...(second && { dataDir: second.dataDir }),
  });
  b.http.url = second.url;
}

beforeAll(async () => {
  first = await startServer();
  a.http.url = first.url;
  await startSecond();
});
afterAll(async () => {
  await second?.stop();
  await first?.stop();
});

async function set(api: Api, path: string, enabled: boolean): Promise<unknown> {
  const { status, json } = await api.http.post(path, { enabled });
  expect(status).toBe(200);
  return json;
}

async function status(api: Api) {
  return (await api.http.get(PUSH)).json;
}

/** Waits until an instance acts on a switch, as its health shows. */
async function known(api: Api, flag: "maintenance_mode" | "pop_maintenance_mode", value: boolean): Promise<void> {
  await until(async () => (await api.http.get("/health")).json.shared_state[flag] === value, 5_000, `${flag} ${value}`);
}

async function drained(api: Api): Promise<void> {
  await until(async () => (await status(api)).bufferedMessages === 0, 20_000, "the buffer drained");
}

/** Pops and completes everything of a queue. */
async function all(api: Api, queue: string): Promise<unknown[]> {
  const found: unknown[] = [];
  for (;;) {
    const messages = await api.pop(queue, { batch: 1000, partitions: 100, autoAck: true });
    if (messages.length === 0) return found;
    found.push(...payloads(messages));
  }
}

describe("push maintenance", () => {
  test("what is pushed meanwhile is buffered, and delivered once and in order when it is switched off", async () => {
    const queue = uniqueName("maintained");
    await a.push({ queue, partition: "p", payload: 0, transactionId: "0" });
    expect(await set(a, PUSH, true)).toEqual({
      maintenanceMode: true,
      bufferedMessages: 0,
      bufferHealthy: true,
      message: expect.any(String),
    });
    for (let n = 1; n < 20; n += 1) {
      const [result] = await a.push({ queue, partition: "p", payload: n, transactionId: String(n) });
      expect(result).toMatchObject({ index: 0, status: "buffered", queue, partition: "p", transactionId: String(n) });
    }
    // An id that is stored, and one that is buffered: duplicates, in the end.
    await a.push({ queue, partition: "p", payload: "again", transactionId: "0" });
    await a.push({ queue, partition: "p", payload: "again", transactionId: "7" });
    expect(await status(a)).toEqual({
      maintenanceMode: true,
      popMaintenanceMode: false,
      bufferedMessages: 21,
      bufferHealthy: true,
      bufferStats: {
        pendingCount: 21,
        failedCount: 0,
        dbHealthy: true,
        failedFiles: { count: 0, totalBytes: 0, totalMB: 0, failoverCount: 0, qos0Count: 0 },
      },
    });
    expect((await a.http.get("/api/v1/status/buffers")).json).toEqual({
      pending: 21,
      failed: 0,
      dbHealthy: true,
      worker: 0,
    });
    expect(await all(a, queue)).toEqual([0]);
    expect(await set(a, PUSH, false)).toMatchObject({ maintenanceMode: false });
    await drained(a);
    expect(await all(a, queue)).toEqual(Array.from({ length: 19 }, (_, n) => n + 1));
    const [direct] = await a.push({ queue, partition: "p", payload: 20 });
    expect(direct!.status).toBe("queued");
  });

  test("one result an item, in order, in CBOR too; payloads come back as they were", async () => {
    const queue = uniqueName("maintained");
    const bytes = new Uint8Array([0, 255, 1]);
    await set(a, PUSH, true);
    const { status: code, json } = await a.http.postCbor("/api/v1/push", {
      items: [
        { queue, partition: "x", payload: bytes },
        { queue, partition: "y", payload: { n: 1 }, transactionId: "y" },
        { queue, partition: "x", payload: bytes, traceId: uuidV7() },
      ],
    });
    expect(code).toBe(201);
    expect(json).toMatchObject([
      { index: 0, status: "buffered", partition: "x" },
      { index: 1, status: "buffered", partition: "y", transactionId: "y" },
      { index: 2, status: "buffered", partition: "x" },
    ]);
    const raw = '{"b":1,"a":1e400,"b":"\\ud800"}';
    await a.http.postRaw("/api/v1/push", `{"items":[{"queue":"${queue}","partition":"z","payload":${raw}}]}`);
    await set(a, PUSH, false);
    await drained(a);
    const popped = await a.http.getCbor(`/api/v1/pop/queue/${queue}/partition/x?batch=9&autoAck=true`);
    expect(popped.json.messages.map((message: { data: Uint8Array }) => new Uint8Array(message.data))).toEqual([
      bytes,
      bytes,
    ]);
    expect((await a.http.get(`/api/v1/pop/queue/${queue}/partition/z`)).text).toContain(`"data":${raw}`);
  });

  test("bad items are refused and nothing of them is buffered; an empty push is answered", async () => {
    await set(a, PUSH, true);
    expect(await a.http.post("/api/v1/push", { items: [{ queue: "q", traceId: "no" }] })).toMatchObject({
      status: 400,
    });
    expect(await a.http.post("/api/v1/push", { items: [] })).toMatchObject({ status: 201, json: [] });
    expect((await status(a)).bufferedMessages).toBe(0);
    await set(a, PUSH, false);
  });

  test("a transaction that pushes is refused for now, one that acknowledges is not", async () => {
    const queue = uniqueName("maintained");
    await a.push({ queue, payload: 1 });
    const [message] = await a.pop(queue);
    await set(a, PUSH, true);
    const push = { type: "push", items: [{ queue, payload: 2 }] };
    const ack = {
      type: "ack",
      transactionId: message!.transactionId,
      partitionId: message!.partitionId,
      leaseId: message!.leaseId,
    };
    const refused = await a.http.post("/api/v1/transaction", { operations: [push, ack] });
    expect(refused.status).toBe(503);
    expect(refused.headers.get("retry-after")).toBe("1");
    expect((await a.transaction([ack])).success).toBe(true);
    await set(a, PUSH, false);
    expect((await a.transaction([push])).success).toBe(true);
    expect(await all(a, queue)).toEqual([2]);
  });

  test("under load, what each producer pushes stays in its order through the switching on and off", async () => {
    const queue = uniqueName("maintained");
    let on = true;
    const producers = Array.from({ length: 12 }, async (_, producer) => {
      let n = 0;
      const seen = new Set<string>();
      while (on) {
        const [result] = await a.push({ queue, partition: `p${producer % 4}`, payload: { producer, n: n++ } });
        seen.add(result!.status);
      }
      return { count: n, seen };
    });
    for (let round = 0; round < 4; round += 1) {
      await set(a, PUSH, true);
      await until(async () => (await status(a)).bufferedMessages > 50, 10_000, "messages in the buffer");
      await set(a, PUSH, false);
      await drained(a);
    }
    on = false;
    const done = await Promise.all(producers);
    await drained(a);
    const delivered = (await all(a, queue)) as { producer: number; n: number }[];
    for (const [producer, { count }] of done.entries()) {
      const own = delivered.filter((payload) => payload.producer === producer).map(({ n }) => n);
      expect(own).toEqual(Array.from({ length: count }, (_, n) => n));
    }
    expect(done.some(({ seen }) => seen.has("buffered") && seen.has("queued"))).toBe(true);
  });

  test("switched on at one instance it holds at the other, which buffers for itself", async () => {
    const queue = uniqueName("maintained");
    await set(a, PUSH, true);
    await known(b, "maintenance_mode", true);
    expect((await b.push({ queue, partition: "p", payload: 1 }))[0]!.status).toBe("buffered");
    expect((await status(b)).bufferedMessages).toBe(1);
    expect((await status(a)).bufferedMessages).toBe(0);
    await set(a, PUSH, false);
    await known(b, "maintenance_mode", false);
    await drained(b);
    expect(await all(a, queue)).toEqual([1]);
  });

  test("the switch and the buffer outlive a restart, also kill -9", async () => {
    const queue = uniqueName("maintained");
    await set(a, PUSH, true);
    await known(b, "maintenance_mode", true);
    await b.push({ queue, partition: "p", payload: 1 });
    await second.stop(true);
    await startSecond();
    expect(await status(b)).toMatchObject({ maintenanceMode: true, bufferedMessages: 1 });
    await b.push({ queue, partition: "p", payload: 2 });
    process.kill(second.pid, "SIGKILL");
    await second.exited;
    await second.stop(true);
    await startSecond();
    expect(await status(b)).toMatchObject({ maintenanceMode: true, bufferedMessages: 2 });
    await b.push({ queue, partition: "p", payload: 3 });
    // Switched off while it is away.
    await second.stop(true);
    await set(a, PUSH, false);
    await startSecond();
    await drained(b);
    expect(await all(a, queue)).toEqual([1, 2, 3]);
  });

  test("messages that the store refuses for good are set aside and counted, and hold up nothing", async () => {
    const [full, fine] = [uniqueName("full"), uniqueName("fine")];
    await b.configure(full, { maxSize: 2 });
    await set(b, PUSH, true);
    await b.push(...[1, 2, 3, 4].map((n) => ({ queue: full, partition: "p", payload: n, transactionId: `t${n}` })), {
      queue: fine,
      payload: "fine",
    });
    await set(b, PUSH, false);
    await drained(b);
    expect(await all(b, full)).toEqual([1, 2]);
    expect(await all(b, fine)).toEqual(["fine"]);
    const { bufferStats } = await status(b);
    expect(bufferStats).toMatchObject({ pendingCount: 0, failedCount: 2, failedFiles: { count: 1, failoverCount: 1 } });
    expect((await b.http.get("/api/v1/status/buffers")).json).toMatchObject({ pending: 0, failed: 2 });
    const folder = join(second.dataDir, "buffers", "failed");
    const lines = readFileSync(join(folder, readdirSync(folder)[0]!), "utf8")
      .trimEnd()
      .split("\n");
    expect(bufferStats.failedFiles.totalBytes).toBe(readFileSync(join(folder, readdirSync(folder)[0]!)).length);
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      { queue: full, partition: "p", transactionId: "t3", payload: "3", error: expect.stringContaining("is full") },
      { queue: full, partition: "p", transactionId: "t4", payload: "4" },
    ]);
  });

  test("without a key, pushes to encrypted queues are refused as ever; unknown queues too where none are made", async () => {
    const queue = uniqueName("secret");
    await b.configure(queue, { encryptionEnabled: true });
    await set(b, PUSH, true);
    const refused = await b.http.post("/api/v1/push", { items: [{ queue, payload: "plain" }] });
    expect(refused).toMatchObject({ status: 400, json: { error: expect.stringContaining("no encryption key") } });
    await second.stop(true);
    await startSecond({ QUEEN_AUTO_CREATE: "false" });
    const again = await b.http.post("/api/v1/push", { items: [{ queue, payload: "plain" }] });
    expect(again).toMatchObject({ status: 400, json: { error: expect.stringContaining("no encryption key") } });
    const unknown = await b.http.post("/api/v1/push", { items: [{ queue: uniqueName("nowhere") }] });
    expect(unknown).toMatchObject({ status: 400, json: { error: expect.stringContaining("does not exist") } });
    expect((await status(b)).bufferedMessages).toBe(0);
    await set(b, PUSH, false);
  });

  test("with a key nothing plain lies on disk; a full buffer answers 503 and takes pushes again once drained", async () => {
    await second.stop(true);
    await startSecond({ QUEEN_ENCRYPTION_KEY: "ab".repeat(32), SPOOL_MAX_BYTES: String(1024 * 1024) });
    const queue = uniqueName("secret");
    await set(b, PUSH, true);
    await b.push({ queue, payload: "a plain secret" });
    const folder = join(second.dataDir, "buffers");
    const [file] = readdirSync(folder).filter((name) => name.endsWith(".spool"));
    expect(readFileSync(join(folder, file!), "latin1")).not.toContain("plain");
    const noise = () => Buffer.from(crypto.getRandomValues(new Uint8Array(200_000))).toString("base64");
    const sizes: string[] = [];
    for (;;) {
      const payload = noise();
      const answer = await b.http.post("/api/v1/push", { items: [{ queue, payload }] });
      if (answer.status !== 201) {
        expect(answer).toMatchObject({ status: 503, json: { error: expect.stringContaining("full") } });
        expect(answer.headers.get("retry-after")).toBe("1");
        break;
      }
      sizes.push(payload);
    }
    expect(sizes.length).toBeGreaterThan(2);
    await set(b, PUSH, false);
    await drained(b);
    expect(await all(b, queue)).toEqual(["a plain secret", ...sizes]);
    expect((await b.push({ queue, payload: 1 }))[0]!.status).toBe("queued");
  });

  test("two instances never share a folder", async () => {
    const env = { FILE_BUFFER_DIR: join(second.dataDir, "buffers") };
    const { folder, port, user, database } = await databaseSocket(first.dataDir);
    const target = { PG_HOST: folder, PG_PORT: String(port), PG_USER: user, PG_DB: database, PG_PASSWORD: "" };
    await expect(startServer({ env: { ...target, ...env } })).rejects.toThrow("another Queen server uses it");
    // A folder that nobody chose is done without.
    const third = await startServer({ env: target, dataDir: second.dataDir });
    const api = new Api(new Http(third.url));
    expect(await status(api)).toMatchObject({ bufferHealthy: false, bufferedMessages: 0 });
    expect((await api.push({ queue: uniqueName("third") }))[0]!.status).toBe("queued");
    await set(api, PUSH, true);
    expect((await api.http.post("/api/v1/push", { items: [{ queue: "q" }] })).status).toBe(503);
    await set(api, PUSH, false);
    await third.stop(true);
  });
});

describe("pop maintenance", () => {
  test("pops are answered empty at once, parked ones too, at all instances, until it is switched off", async () => {
    const queue = uniqueName("paused");
    await a.push({ queue, payload: 1 });
    const other = uniqueName("paused");
    const parked = [a, b].map((api) => api.http.get(`/api/v1/pop/queue/${other}?wait=true&timeout=30000`));
    await until(async () => {
      const states = await Promise.all([a, b].map((api) => api.http.get("/health")));
      return states.every(({ json }) =>
        json.workers.some((worker: { polls_parked: number }) => worker.polls_parked > 0),
      );
    });
    expect(await set(a, POP, true)).toEqual({ popMaintenanceMode: true, message: expect.any(String) });
    await known(b, "pop_maintenance_mode", true);
    expect((await Promise.all(parked)).map((answer) => answer.status)).toEqual([204, 204]);
    for (const api of [a, b]) {
      expect((await api.http.get(POP)).json).toMatchObject({ popMaintenanceMode: true });
      expect((await status(api)).popMaintenanceMode).toBe(true);
      const began = performance.now();
      const path = `/api/v1/pop/queue/${queue}`;
      for (const suffix of ["", "/partition/Default", "?wait=true&timeout=30000"]) {
        expect(await api.http.get(path + suffix)).toMatchObject({ status: 204, text: "" });
      }
      expect(performance.now() - began).toBeLessThan(5_000);
    }
    expect((await a.push({ queue, payload: 2 }))[0]!.status).toBe("queued");
    await set(b, POP, false);
    await known(a, "pop_maintenance_mode", false);
    expect(await all(a, queue)).toEqual([1, 2]);
  });
});

describe("the switches", () => {
  test.each([PUSH, POP])("%s wants a boolean", async (path) => {
    for (const body of [{}, { enabled: "true" }, { enabled: null }, { enabled: 1 }, [], null]) {
      const answer = await a.http.post(path, body);
      expect(answer).toMatchObject({ status: 400, json: { error: "enabled (boolean) is required" } });
    }
    expect((await a.http.postRaw(path)).json).toEqual({ error: "Empty request body" });
    expect((await a.http.postRaw(path, "{")).status).toBe(400);
    expect(await status(a)).toMatchObject({ maintenanceMode: false, popMaintenanceMode: false });
  });
});
