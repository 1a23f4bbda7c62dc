import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Api, leasedAckOf, payloads, popPath } from "../support/api.ts";
import { openDatabase } from "../support/database.ts";
import { Http } from "../support/http.ts";
import { uniqueName } from "../support/names.ts";
import { startServer, type TestServer } from "../support/server.ts";

const KEYS = ["0123456789abcdef".repeat(4), "fedcba9876543210".repeat(4)] as const;
const LIMIT = 65_536;
const SECRET = "swordfish-is-the-secret-";

setDefaultTimeout(60_000);

let server: TestServer;
let api: Api;

async function serve(env: Record<string, string>, dataDir?: string): Promise<void> {
  server = await startServer({ env, dataDir });
  api = new Api(new Http(server.url));
}

/** How many segments of a queue hold the secret as it is. */
async function segmentsInClear(queue: string): Promise<number> {
  const database = await openDatabase(server.dataDir);
  try {
    const [found] = await database<{ n: number }[]>`
      select count(*)::integer as n from queen.segments s join queen.queues q on q.id = s.queue_id
      where q.name = ${queue} and position(convert_to(${SECRET}, 'UTF8') in s.body) > 0`;
    return found!.n;
  } finally {
    await database.end();
  }
}

describe("a server with every default changed", () => {
  beforeAll(() =>
    serve({
      QUEEN_ENCRYPTION_KEY: KEYS[0],
      QUEEN_AUTO_CREATE: "false",
      DEFAULT_BATCH_SIZE: "3",
      DEFAULT_TIMEOUT: "300",
      DEFAULT_SUBSCRIPTION_MODE: "new",
      MAX_BODY_SIZE: String(LIMIT),
    }),
  );
  afterAll(async () => {
    expect(await server.stop()).toBe(0);
  });

  async function made(options: object = {}): Promise<string> {
    const queue = uniqueName("env");
    await api.configure(queue, options);
    return queue;
  }

  test("QUEEN_AUTO_CREATE=false refuses a push to an unknown queue, storing nothing", async () => {
    const [queue, known] = [uniqueName("env"), await made()];
    const answer = await api.http.post("/api/v1/push", { items: [{ queue: known, payload: 1 }, { queue }] });
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(answer.status).toBeLessThan(500);
    expect(answer.json.error).toContain("does not exist");
    expect(answer.json.error).toContain(queue);
    expect(await api.pop(known)).toEqual([]);
  });

  test("DEFAULT_BATCH_SIZE is the batch of a pop that names none", async () => {
    const queue = await made();
    await api.pushAll(queue, "p", [1, 2, 3, 4]);
    expect(payloads(await api.pop(queue))).toEqual([1, 2, 3]);
  });

  test("DEFAULT_TIMEOUT is the wait of a pop that names none", async () => {
    const started = performance.now();
    expect((await api.http.get(`${popPath(await made())}?wait=true`)).status).toBe(204);
    expect(performance.now() - started).toBeGreaterThanOrEqual(295);
    expect(performance.now() - started).toBeLessThan(3_000);
  });

  test("DEFAULT_SUBSCRIPTION_MODE is the mode of a group that names none; queue mode still sees all", async () => {
    const queue = await made();
    await api.pushAll(queue, "p", ["old"]);
    expect(await api.pop(queue, { consumerGroup: "g" })).toEqual([]);
    expect(payloads(await api.pop(queue, { consumerGroup: "h", subscriptionMode: "all" }))).toEqual(["old"]);
    expect(payloads(await api.pop(queue))).toEqual(["old"]);
  });

  test("MAX_BODY_SIZE bytes are accepted, one more is not", async () => {
    const queue = await made();
    const body = (length: number): string => {
      const frame = `{"items":[{"queue":"${queue}","payload":""}]}`;
      return frame.replace('""', `"${"x".repeat(length - frame.length)}"`);
    };
    expect((await api.http.postRaw("/api/v1/push", body(LIMIT))).status).toBe(201);
    const over = await api.http.postRaw("/api/v1/push", body(LIMIT + 1));
    expect(over.status).toBe(413);
    expect(over.json.error).toContain(String(LIMIT));
    expect(await api.pop(queue)).toHaveLength(1);
  });

  const values: unknown[] = [
    { s: SECRET },
    `${SECRET}text`,
    null,
    12,
    [],
    {},
    "",
    { big: SECRET.repeat(200), é: "日本" },
  ];
  test("encryptionEnabled gives back what was pushed, everywhere, and stores none of it in clear", async () => {
    const queue = await made({ encryptionEnabled: true, retryLimit: 0 });
    await api.pushAll(queue, "p", values);
    const popped = await api.pop(queue, { batch: 20 });
    expect(payloads(popped)).toEqual(values);
    expect(await api.message(popped[0]!)).toMatchObject({ payload: values[0], isEncrypted: true });
    await api.ack(leasedAckOf(popped[0]!, "dlq", "bad"));
    expect((await api.deadLetters({ queue }))[0]!.data).toEqual(values[0]);
    expect(await segmentsInClear(queue)).toBe(0);
  });

  test("a plain queue is stored so that the search of the test above would find it", async () => {
    const queue = await made();
    await api.pushAll(queue, "p", [SECRET]);
    expect(await segmentsInClear(queue)).toBe(1);
  });

  test("encryptionEnabled also covers transactions, CBOR, duplicates and the exact text of numbers", async () => {
    const queue = await made({ encryptionEnabled: true });
    await api.transaction([{ type: "push", items: [{ queue, partition: "p", payload: SECRET, transactionId: "t" }] }]);
    await api.http.postCbor("/api/v1/push", {
      items: [{ queue, partition: "p", payload: { b: new Uint8Array([1, 2]) } }],
    });
    await api.http.postRaw(
      "/api/v1/push",
      `{"items":[{"queue":"${queue}","partition":"p","payload":12345678901234567890}]}`,
    );
    expect((await api.push({ queue, partition: "p", transactionId: "t" }))[0]!.status).toBe("duplicate");
    const popped = await api.http.get(`${popPath(queue)}?batch=10&consumerGroup=a&subscriptionMode=all`);
    expect(popped.json.messages).toHaveLength(3);
    expect(popped.text).toContain('"data":12345678901234567890');
    const binary = await api.http.getCbor(`${popPath(queue)}?batch=10&consumerGroup=b&subscriptionMode=all`);
    expect([...binary.json.messages[1].data.b]).toEqual([1, 2]);
  });

  test("switching encryption on leaves what is stored readable, and the other way round", async () => {
    const queue = await made();
    await api.pushAll(queue, "p", ["clear"]);
    await api.configure(queue, { encryptionEnabled: true });
    await api.pushAll(queue, "p", ["sealed"]);
    await api.configure(queue, {});
    await api.pushAll(queue, "p", ["clear again"]);
    expect(payloads(await api.pop(queue, { batch: 10 }))).toEqual(["clear", "sealed", "clear again"]);
  });

  test("health is good with a key", async () => {
    expect((await api.http.get("/health")).json.status).toBe("healthy");
  });
});

describe("a server without a key, after others had one", () => {
  let afterRotation: unknown[];

  beforeAll(async () => {
    const dataDir = mkdtempSync(join(tmpdir(), "queen-environment-"));
    await serve({ QUEEN_ENCRYPTION_KEY: KEYS[0] }, dataDir);
    await api.configure("sealed-queue", { encryptionEnabled: true });
    await api.pushAll("sealed-queue", "p", [SECRET]);
    expect(await server.stop(true)).toBe(0);
    await serve({ QUEEN_ENCRYPTION_KEY: KEYS[1], QUEEN_ENCRYPTION_PREVIOUS_KEYS: KEYS[0] }, dataDir);
    await api.pushAll("sealed-queue", "p", ["new key"]);
    afterRotation = payloads(await api.pop("sealed-queue", { batch: 10 }));
    expect(await server.stop(true)).toBe(0);
    await serve({ QUEEN_ENCRYPTION_KEY: "" }, dataDir);
  });
  afterAll(async () => {
    expect(await server.stop()).toBe(0);
  });

  test("the one with a new key that knew the old one read old messages and new", () => {
    expect(afterRotation).toEqual([SECRET, "new key"]);
  });

  test("refuses a push to an encrypted queue, naming it, and stores nothing", async () => {
    const answer = await api.http.post("/api/v1/push", {
      items: [{ queue: "sealed-queue", partition: "clear", payload: 1 }],
    });
    const [item] = Array.isArray(answer.json) ? answer.json : [];
    if (item === undefined) expect(answer.status).toBeGreaterThanOrEqual(400);
    else expect(item.status).toBe("failed");
    expect((item ?? answer.json).error).toMatch(/sealed-queue.*encrypt/);
    expect(await api.popPartition("sealed-queue", "clear")).toEqual([]);
  });

  test("refuses a transaction that pushes to it", async () => {
    const operations = [{ type: "push", items: [{ queue: "sealed-queue", partition: "clear", payload: 1 }] }];
    const answer = await api.http.post("/api/v1/transaction", { operations });
    expect(answer.json.success).not.toBe(true);
    expect(answer.json.error).toMatch(/encrypt/);
    expect(await api.popPartition("sealed-queue", "clear")).toEqual([]);
  });

  test("serves other queues", async () => {
    const queue = uniqueName("env");
    await api.pushAll(queue, "p", [1]);
    expect(payloads(await api.pop(queue))).toEqual([1]);
  });

  test("says so in its health", async () => {
    expect((await api.http.get("/health")).text).toMatch(/encrypt/i);
  });

  test("never shows sealed text to a pop of old messages", async () => {
    const answer = await api.http.get(`${popPath("sealed-queue", "p")}?batch=10&consumerGroup=late`);
    expect(answer.text).not.toContain(SECRET);
    expect(answer.status).toBeLessThan(500);
  });
});

test("a server answers its parked polls when it is stopped, and exits with 0", async () => {
  const own = await startServer();
  const http = new Http(own.url);
  const parked = Array.from({ length: 5 }, () => http.get(`${popPath("other")}?wait=true&timeout=30000`));
  await http.get("/health");
  const started = performance.now();
  expect(await own.stop()).toBe(0);
  expect(performance.now() - started).toBeLessThan(10_000);
  for (const answer of await Promise.all(parked)) expect([answer.status, answer.text]).toEqual([204, ""]);
});
