/**
 * A server whose PostgreSQL goes away under load, and that is itself killed while it spools and while it replays: what was
 * answered is delivered once, in the order each producer sent it.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type EmbeddedServer, startEmbedded } from "../../server/postgres/embedded.ts";
import { Api, payloads } from "../support/api.ts";
import { type Answer, Http } from "../support/http.ts";
import { uniqueName } from "../support/names.ts";
import { Random, runSeed } from "../support/random.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { until, untilTime } from "../support/wait.ts";

setDefaultTimeout(180_000);

const PRODUCERS = 16;
/** Small pushes are steered by their queue: some queues at each worker. */
const QUEUES = 8;
let folder: string;
let database: EmbeddedServer | null = null;
let server: TestServer;
/** Resolved while the server is up. */
let up = Promise.resolve();
const api = new Api(new Http(""));

async function startDatabase(): Promise<void> {
  database = await startEmbedded({ dataDir: folder, log: () => {}, connectionsMax: 40 });
}

async function stopDatabase(): Promise<void> {
  await database?.stop();
  database = null;
}

async function bootServer(): Promise<void> {
  const { hosts, port, user, database: name } = database!.target;
  const env = {
    PG_HOST: hosts[0]!,
    PG_PORT: String(port),
    PG_USER: user,
    PG_DB: name,
    PG_PASSWORD: "",
    NUM_WORKERS: "2",
    // Small steps, so that a replay takes a while.
    FILE_BUFFER_MAX_BATCH: "20",
    FILE_BUFFER_EVENTS_PER_FILE: "500",
  };
  server = await startServer({ env, ...(server && { dataDir: server.dataDir }) });
  api.http.url = server.url;
}

/** As an operator does: it finishes what is in flight, and leaves with 0. */
async function endServer(): Promise<void> {
  expect(await server.stop(true)).toBe(0);
}

async function killServer(): Promise<void> {
  process.kill(server.pid, "SIGKILL");
  await server.exited;
  await server.stop(true);
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "queen-outage-"));
  chmodSync(folder, 0o755);
  await startDatabase();
  await bootServer();
});
afterAll(async () => {
  await server?.stop();
  await stopDatabase();
  rmSync(folder, { recursive: true, force: true });
});

/** Sends a signal to PostgreSQL and to all it started. */
function signalDatabase(signal: NodeJS.Signals): void {
  const { pid } = database!;
  const children = readdirSync("/proc").filter((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      return readFileSync(`/proc/${name}/stat`, "latin1").split(") ").at(-1)!.split(" ")[1] === String(pid);
    } catch {
      // It ended meanwhile.
      return false;
    }
  });
  for (const each of [pid, ...children.map(Number)]) process.kill(each, signal);
}

interface Sent {
  producer: number;
  n: number;
}

/** One producer after another message: each is answered before the next one is sent. */
interface Load {
  queues: string[];
  /** Statuses by how often they were answered. */
  counts: Record<string, number>;
  /** By producer: what was answered, in order. */
  answered: number[][];
  /** Ends the load. */
  stop(): Promise<void>;
}

/**
 * Starts producers. Every other one draws its transaction ids and repeats what got no answer until it has one; the others
 * let the server draw them and never repeat.
 */
function startLoad(): Load {
  const queues = Array.from({ length: QUEUES }, () => uniqueName("outage"));
  const counts: Record<string, number> = {};
  const answered = Array.from({ length: PRODUCERS }, (): number[] => []);
  let on = true;
  const produce = async (producer: number): Promise<void> => {
    const repeats = producer % 2 === 0;
    for (let n = 0; on; n += 1) {
      const payload: Sent = { producer, n };
      const ids = repeats ? { transactionId: `${producer}-${n}` } : {};
      const items = [{ queue: queues[producer % QUEUES]!, partition: "p", payload, ...ids }];
      do {
        await up;
        const answer: Answer | null = await api.http.post("/api/v1/push", { items }).catch(() => null);
        const status: string =
          answer === null ? "lost" : answer.status === 201 ? answer.json[0].status : String(answer.status);
        counts[status] = (counts[status] ?? 0) + 1;
        if (status === "queued" || status === "buffered" || status === "duplicate") {
          answered[producer]!.push(n);
          break;
        }
      } while (repeats);
    }
  };
  const producers = Promise.all(answered.map((_, producer) => produce(producer)));
  producers.catch(() => {});
  return {
    queues,
    counts,
    answered,
    async stop() {
      on = false;
      await producers;
    },
  };
}

async function buffered(): Promise<number> {
  return (await api.http.get("/api/v1/status/buffers")).json.pending;
}

async function drained(): Promise<void> {
  await until(async () => (await buffered()) === 0, 60_000, "the buffer drained");
}

/** Takes everything there is, and holds it against what was answered. */
async function check(load: Load): Promise<void> {
  const delivered = Array.from({ length: PRODUCERS }, (): number[] => []);
  for (const queue of load.queues) {
    for (;;) {
      const messages = await api.pop(queue, { batch: 5_000, autoAck: true });
      if (messages.length === 0) break;
      for (const { producer, n } of payloads(messages) as Sent[]) delivered[producer]!.push(n);
    }
  }
  for (const [producer, own] of delivered.entries()) {
    const name = `producer ${producer}`;
    expect([name, own]).toEqual([name, [...new Set(own)].toSorted((a, b) => a - b)]);
    const there = new Set(own);
    expect([name, load.answered[producer]!.filter((n) => !there.has(n))]).toEqual([name, []]);
    // Who repeats gets an answer to everything.
    if (producer % 2 === 0) expect([name, own]).toEqual([name, load.answered[producer]!]);
  }
}

describe("spool", () => {
  const seed = runSeed();
  const random = new Random(seed);

  test(`PostgreSQL stops under load, again and again (MODEL_SEED=${seed})`, async () => {
    const load = startLoad();
    for (const downMs of [200, 2_000]) {
      await untilTime(Date.now() + random.int(200, 800));
      const before = load.counts.buffered ?? 0;
      await stopDatabase();
      await untilTime(Date.now() + downMs);
      if (downMs >= 2_000) {
        await until(() => (load.counts.buffered ?? 0) > before + 100, 20_000, "pushes are buffered");
        expect((await api.http.get("/health")).status).toBe(503);
      }
      await startDatabase();
      await drained();
      const queued = load.counts.queued ?? 0;
      await until(() => (load.counts.queued ?? 0) > queued + 50, 20_000, "pushes are stored again");
    }
    await load.stop();
    await drained();
    await check(load);
    // Nobody was sent away, and nothing was lost on the way.
    const others = Object.keys(load.counts).filter((status) => !["queued", "buffered"].includes(status));
    expect(others, server.log.join("\n")).toEqual([]);
  });

  test.if(existsSync("/proc/self/stat"))(
    "PostgreSQL freezes under load: pushes are buffered until it goes on",
    async () => {
      const load = startLoad();
      await until(() => (load.counts.queued ?? 0) > 100, 20_000, "pushes are stored");
      signalDatabase("SIGSTOP");
      try {
        await until(() => (load.counts.buffered ?? 0) > 200, 30_000, "pushes are buffered");
        expect((await api.http.get("/api/v1/status/buffers")).json.dbHealthy).toBe(false);
        expect((await api.http.get("/api/v1/system/maintenance")).json.bufferStats.dbHealthy).toBe(false);
      } finally {
        signalDatabase("SIGCONT");
      }
      await drained();
      await load.stop();
      await drained();
      await check(load);
      expect(Object.keys(load.counts).filter((status) => !["queued", "buffered"].includes(status))).toEqual([]);
    },
  );

  test("a transaction is refused while the database is away, a pop answers empty, and both work again after", async () => {
    const queue = uniqueName("outage");
    await api.push({ queue, payload: 1 });
    await stopDatabase();
    const operations = [{ type: "push", items: [{ queue, payload: "never" }] }];
    const [refused, popped, [kept]] = await Promise.all([
      api.http.post("/api/v1/transaction", { operations }),
      api.http.get(`/api/v1/pop/queue/${queue}?wait=true&timeout=1500`),
      api.push({ queue, payload: 2 }),
    ]);
    expect(refused!.status).toBe(503);
    expect(popped!.status).toBe(204);
    expect(kept!.status).toBe("buffered");
    await startDatabase();
    await drained();
    expect((await api.transaction([{ type: "push", items: [{ queue, payload: 3 }] }])).success).toBe(true);
    expect(payloads(await api.pop(queue, { batch: 10, autoAck: true }))).toEqual([1, 2, 3]);
  });

  test("killed with -9 while it spools", async () => {
    const load = startLoad();
    for (let kill = 0; kill < 3; kill += 1) {
      await stopDatabase();
      const before = load.counts.buffered ?? 0;
      await until(() => (load.counts.buffered ?? 0) > before + random.int(1, 400), 20_000, "pushes are buffered");
      let started = (): void => {};
      up = new Promise((resolve) => (started = resolve));
      await killServer();
      await startDatabase();
      await bootServer();
      started();
      await untilTime(Date.now() + random.int(0, 300));
    }
    await load.stop();
    await drained();
    await check(load);
    expect(load.counts.buffered).toBeGreaterThan(3);
  });

  test("ended while it replays, with -9 and as it should be", async () => {
    const load = startLoad();
    await api.http.post("/api/v1/system/maintenance", { enabled: true });
    await until(() => (load.counts.buffered ?? 0) > 3_000, 60_000, "pushes are buffered");
    await api.http.post("/api/v1/system/maintenance", { enabled: false });
    let kills = 0;
    for (let left = await buffered(); kills < 4; kills += 1) {
      left = await until(async () => {
        const now = await buffered();
        return now < left ? now : null;
      });
      if (left === 0) break;
      await untilTime(Date.now() + random.int(0, 20));
      let started = (): void => {};
      up = new Promise((resolve) => (started = resolve));
      await (kills % 2 === 0 ? killServer() : endServer());
      await bootServer();
      started();
    }
    await load.stop();
    await drained();
    await check(load);
    expect(kills).toBeGreaterThan(1);
  });
});
