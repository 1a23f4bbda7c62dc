/**
 * Encryption at rest: no file of the database or of the spool holds what was pushed to an encrypted queue, and a key that
 * is missing or wrong loses nothing: whoever comes back with it gets everything, consumed-on-delivery pops included.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Api, leasedAckOf, payloads, popPath } from "../support/api.ts";
import { openDatabase } from "../support/database.ts";
import { Http } from "../support/http.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { until } from "../support/wait.ts";

setDefaultTimeout(120_000);

const KEYS = { first: "1f".repeat(32), second: "2e".repeat(32) } as const;
/** Short: larger bodies are compressed, and would not be found in clear either. */
const SEALED = "sealed-canary-7b41";
const PLAIN = "plain-canary-90c2";

let dataDir: string;
let server: TestServer | null = null;
const api = new Api(new Http(""));

async function serve(env: Record<string, string>): Promise<void> {
  await server?.stop(true);
  server = await startServer({ env, dataDir });
  api.http.url = server.url;
}

/** Every file under the data folder that holds the text, among them the log of the database and the spool. */
function filesWith(text: string): string[] {
  const wanted = Buffer.from(text);
  return readdirSync(dataDir, { recursive: true, encoding: "utf8" }).filter((name) => {
    const path = join(dataDir, name);
    return statSync(path, { throwIfNoEntry: false })?.isFile() && readFileSync(path).includes(wanted);
  });
}

async function checkpoint(): Promise<void> {
  const sql = await openDatabase(dataDir);
  await sql`checkpoint`;
  await sql.end();
}

const maintenance = (enabled: boolean) => api.http.post("/api/v1/system/maintenance", { enabled });

beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), "queen-encryption-"));
  await serve({ QUEEN_ENCRYPTION_KEY: KEYS.first });
  await api.configure("sealed", { encryptionEnabled: true, retryLimit: 0 });
  await api.configure("plain");
});
afterAll(async () => {
  await server?.stop();
});

describe("files", () => {
  test("of the database and its log hold the text of a plain queue, and none of an encrypted one", async () => {
    for (const partition of ["a", "b"]) {
      await api.pushAll("sealed", partition, [`${SEALED} 1 ${partition}`, { deep: { text: [`${SEALED} 2`] } }]);
      await api.pushAll("plain", partition, [`${PLAIN} 1 ${partition}`]);
    }
    await api.transaction([{ type: "push", items: [{ queue: "sealed", partition: "a", payload: `${SEALED} 3` }] }]);
    const [failing] = await api.pop("sealed", { consumerGroup: "judge" });
    await api.ack({ ...leasedAckOf(failing!, "dlq"), consumerGroup: "judge" });
    await checkpoint();
    const found = filesWith(PLAIN);
    expect(found.filter((name) => name.includes("base/"))).not.toEqual([]);
    expect(found.filter((name) => name.includes("pg_wal/"))).not.toEqual([]);
    expect(filesWith(SEALED)).toEqual([]);
  });

  test("of the spool hold neither while there is a key, and the text of a plain queue without one", async () => {
    await maintenance(true);
    for (const queue of ["sealed", "plain"]) {
      const [result] = await api.push({ queue, partition: "spool", payload: `${queue}-spooled-31f0` });
      expect(result!.status).toBe("buffered");
    }
    expect(filesWith("-spooled-31f0")).toEqual([]);
    await maintenance(false);
    await until(
      async () => payloads(await api.popPartition("sealed", "spool", { consumerGroup: "spool" })).length === 1,
      60_000,
      "the spooled message",
    );
    expect(filesWith("sealed-spooled-31f0")).toEqual([]);
    await serve({ QUEEN_ENCRYPTION_KEY: "" });
    await maintenance(true);
    expect((await api.push({ queue: "plain", partition: "spool", payload: "plain-spooled-44aa" }))[0]!.status).toBe(
      "buffered",
    );
    expect(filesWith("plain-spooled-44aa")).not.toEqual([]);
    await maintenance(false);
    await until(
      async () => (await api.http.get("/api/v1/system/maintenance")).json.bufferedMessages === 0,
      60_000,
      "the spool to be empty",
    );
  });
});

/** What a queue of two old messages in `old` answers while their key is away. */
async function expectSealed(queue: string): Promise<void> {
  for (const options of [{ consumerGroup: "leases" }, { consumerGroup: "auto", autoAck: true }, { batch: 100 }]) {
    expect(await api.popPartition(queue, "old", options)).toEqual([]);
  }
  const waited = await api.http.get(
    `${popPath(queue)}?wait=true&timeout=500&consumerGroup=patient&autoAck=true&batch=10`,
  );
  expect(payloads(waited.json?.messages ?? [])).not.toContain(`${SEALED} old 1`);
  const binary = await api.http.call("GET", `${popPath(queue, "old")}?consumerGroup=raw&autoAck=true`, {
    headers: { accept: "application/vnd.queen.segments" },
  });
  expect([binary.status, binary.bytes.length]).toEqual([204, 0]);
  const listed = await api.http.get(`/api/v1/messages?queue=${queue}&limit=10`);
  expect([listed.status, listed.text.includes(SEALED)]).toEqual([200, false]);
  const dead = await api.http.get(`/api/v1/dlq?queue=${queue}`);
  expect([dead.status, dead.json.messages.length, dead.json.messages[0].data]).toEqual([200, 1, null]);
}

describe.each([
  ["without a key", ""],
  ["with another key", KEYS.second],
])("a server %s", (_how, key) => {
  const queue = key === "" ? "keyless" : "wrong-key";

  test("delivers none of the old messages, shows them without their text, and serves all else", async () => {
    await serve({ QUEEN_ENCRYPTION_KEY: KEYS.first });
    await api.configure(queue, { encryptionEnabled: true, retryLimit: 0 });
    await api.pushAll(queue, "dead", [`${SEALED} dead`]);
    const [dying] = await api.popPartition(queue, "dead");
    await api.ack(leasedAckOf(dying!, "dlq", "given up"));
    await api.pushAll(queue, "old", [`${SEALED} old 1`, `${SEALED} old 2`]);
    await serve({ QUEEN_ENCRYPTION_KEY: key });
    await expectSealed(queue);
    expect((await api.http.get("/health")).status).toBe(200);
    await api.pushAll("plain", queue, [1]);
    expect(payloads(await api.popPartition("plain", queue))).toEqual([1]);
  });

  if (key !== "") {
    test("delivers what is pushed under the new key, from partitions beside the old ones", async () => {
      await api.pushAll(queue, "new", [`${SEALED} new`]);
      for (const options of [{ consumerGroup: "leases" }, { consumerGroup: "auto", autoAck: true }]) {
        const text = await until(
          async () => payloads(await api.pop(queue, { ...options, batch: 10, partitions: 10 }))[0],
          60_000,
          "the new message",
        );
        expect(text).toBe(`${SEALED} new`);
      }
    });
  }

  test("says once a minute and queue that messages cannot be read, and not at every pop", () => {
    const said = server!.log.filter(
      (line) => line.includes('"message_unreadable"') && line.includes(`"queue":"${queue}"`),
    );
    expect(said.length).toBeGreaterThan(0);
    // One for each of the two workers.
    expect(said.length).toBeLessThanOrEqual(2);
    expect(server!.log.some((line) => line.includes("pop_failed"))).toBe(false);
  });

  test("has lost nothing: with the key every group gets everything once, in order", async () => {
    const previous: Record<string, string> = key === "" ? {} : { QUEEN_ENCRYPTION_PREVIOUS_KEYS: key };
    await serve({ QUEEN_ENCRYPTION_KEY: KEYS.first, ...previous });
    const old = [`${SEALED} old 1`, `${SEALED} old 2`];
    for (const options of [
      { consumerGroup: "leases" },
      { consumerGroup: "auto", autoAck: true },
      { consumerGroup: "patient", autoAck: true },
      { consumerGroup: "raw", autoAck: true },
      {},
    ]) {
      const got: unknown[] = [];
      await until(
        async () => {
          const messages = await api.popPartition(queue, "old", { ...options, batch: 10 });
          got.push(...payloads(messages));
          return got.length >= 2;
        },
        60_000,
        `the old messages of ${JSON.stringify(options)}`,
      );
      expect(got).toEqual(old);
      if ("autoAck" in options) expect(await api.popPartition(queue, "old", options)).toEqual([]);
    }
    expect((await api.deadLetters({ queue }))[0]!.data).toBe(`${SEALED} dead`);
  });
});

test("rotation: the new key encrypts, the old one still decrypts, and may go when nothing of it is kept", async () => {
  await serve({ QUEEN_ENCRYPTION_KEY: KEYS.first });
  await api.configure("turned", { encryptionEnabled: true });
  await api.pushAll("turned", "p", ["under the first"]);
  await serve({ QUEEN_ENCRYPTION_KEY: KEYS.second, QUEEN_ENCRYPTION_PREVIOUS_KEYS: KEYS.first });
  await api.pushAll("turned", "p", ["under the second"]);
  const both = await api.popPartition("turned", "p", { batch: 10 });
  expect(payloads(both)).toEqual(["under the first", "under the second"]);
  await api.ackBatch(both.map((message) => leasedAckOf(message)));
  await api.pushAll("turned", "p", ["also under the second"]);
  await serve({ QUEEN_ENCRYPTION_KEY: KEYS.second });
  expect(payloads(await api.popPartition("turned", "p", { batch: 10 }))).toEqual(["also under the second"]);
});
