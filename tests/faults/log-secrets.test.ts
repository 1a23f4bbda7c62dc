/**
 * What may stand in the log: one line an event, and never what clients or operators keep secret. Everything is written,
 * errors are provoked, and the whole output is searched.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type EmbeddedServer, startEmbedded } from "../../server/postgres/embedded.ts";
import { popPath } from "../support/api.ts";
import { type Call, Http } from "../support/http.ts";
import { openRaw } from "../support/raw.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { bearer, hsToken, seconds } from "../support/tokens.ts";
import { until } from "../support/wait.ts";

setDefaultTimeout(180_000);

const CANARY = {
  payload: "payload-canary-5d1e",
  password: "password-canary-77b0",
  jwtSecret: "jwt-secret-canary-that-is-long-enough-3c9d",
  subjectToken: "",
  encryptionKey: "ca4a27".padEnd(64, "0e"),
};
/** A name that would begin lines of its own, or steer a terminal. */
const FORGED = '\n{"level":"info","event":"forged"}\r\n\u001b[2J\u001b[31m';

let folder: string;
let database: EmbeddedServer | null = null;
let server: TestServer;
let http: Http;
let headers: Record<string, string>;
/** All of it: the support keeps the last lines only. */
const output: string[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "queen-log-"));
  chmodSync(folder, 0o755);
  database = await startEmbedded({ dataDir: folder, log: () => {}, connectionsMax: 40 });
  const { hosts, port, user, database: name } = database.target;
  const url = `postgres://${user}:${CANARY.password}@/${name}?host=${encodeURIComponent(hosts[0]!)}&port=${port}`;
  server = await startServer({
    env: {
      LOG_LEVEL: "trace",
      DATABASE_URL: url,
      JWT_ENABLED: "true",
      JWT_SECRET: CANARY.jwtSecret,
      QUEEN_ENCRYPTION_KEY: CANARY.encryptionKey,
      PERFORMANCE_LOG_INTERVAL_S: "1",
      METRICS_SAMPLE_INTERVAL_MS: "100",
      DB_CONNECTION_TIMEOUT: "500",
    },
  });
  output.push(...server.log);
  // What comes from now on; the support's list drops its oldest lines.
  const log = server.log as string[];
  const push = log.push.bind(log);
  log.push = (...lines) => {
    output.push(...lines);
    return push(...lines);
  };
  http = new Http(server.url);
  CANARY.subjectToken = await hsToken({ sub: "s", role: "admin", exp: seconds(3_600) }, CANARY.jwtSecret);
  headers = bearer(CANARY.subjectToken);
});
afterAll(async () => {
  await server?.stop();
  await database?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const call = (method: string, path: string, options: Call = {}) =>
  http.call(method, path, { ...options, headers: { ...headers, ...options.headers } });
const pushed = (queue: string, more: object = {}) =>
  call("POST", "/api/v1/push", { json: { items: [{ queue, partition: "p", payload: CANARY.payload, ...more }] } });

/** Ordinary life, and every kind of mistake a client can make with something secret in hand. */
async function misbehave(): Promise<void> {
  expect((await pushed("q")).status).toBe(201);
  const [message] = (await call("GET", popPath("q"))).json.messages;
  const { transactionId, partitionId, leaseId } = message;
  const error = `refused: ${CANARY.payload}`;
  await call("POST", "/api/v1/ack", { json: { transactionId, partitionId, leaseId, status: "dlq", error } });
  await call("GET", "/api/v1/dlq?queue=q");
  await call("POST", "/api/v1/push", { raw: `{"items":[{"queue":"q","payload":"${CANARY.payload}"` });
  await call("POST", "/api/v1/push", { json: { items: [{ queue: 7, payload: CANARY.payload }] } });
  await call("POST", "/api/v1/configure", { json: { queue: FORGED, options: { leaseTime: CANARY.payload } } });
  for (const queue of [FORGED, "x".repeat(300), "a\u0000b"]) await pushed(queue);
  await call("GET", `/api/v1/${encodeURIComponent(FORGED)}`);
  await call("DELETE", `/api/v1/resources/queues/${encodeURIComponent(FORGED)}`);
  await call("GET", "/api/v1/status", { headers: { authorization: `Bearer ${CANARY.subjectToken.slice(0, -4)}AAAA` } });
  await call("GET", "/api/v1/status", { headers: { authorization: `Basic ${CANARY.payload}` } });
  await call("GET", "/health", { headers: { "x-request-id": `${CANARY.payload} {"event":"forged"}` } });
  const raw = await openRaw(server.url, `GET /api/v1/\u001b[31m HTTP/1.1\nX-Forged: {"event":"forged"}`);
  await Promise.race([raw.answer.catch(() => {}), Bun.sleep(1_000)]);
  raw.socket.destroy();
}

test("a busy server with trouble writes one JSON object a line, and nothing secret, at the most verbose level", async () => {
  await misbehave();
  const performance = await until(
    () => output.find((line) => line.includes('"performance"') && !line.includes('"pushed_per_s":0,')),
    60_000,
    "a performance line",
  );
  expect(JSON.parse(performance)).toMatchObject({
    level: "info",
    event: "performance",
    db_connections: expect.any(Number),
    push_ms: expect.any(Number),
    push_flight_fill: expect.any(Number),
  });
  await database!.stop();
  database = null;
  // Spooled, or refused: it is the trouble that counts.
  await pushed("q");
  await call("POST", "/api/v1/transaction", {
    json: { operations: [{ type: "push", items: [{ queue: "q", payload: CANARY.payload }] }] },
  });
  expect((await call("GET", "/health")).status).toBe(503);
  await until(() => output.some((line) => line.includes('"buffering"')), 60_000, "the log of the outage");
  expect(await server.stop(true)).toBe(0);
  expect(output.length).toBeGreaterThan(5);
  for (const [what, secret] of Object.entries(CANARY)) {
    expect(secret.length, what).toBeGreaterThan(10);
    expect(output.filter((line) => line.includes(secret))).toEqual([]);
  }
  const signature = CANARY.subjectToken.split(".")[2]!;
  expect(output.filter((line) => line.includes(signature))).toEqual([]);
  const entries = output.map((line) => JSON.parse(line) as { event: string; level: string });
  for (const { event, level } of entries) {
    expect(event).toMatch(/^[a-z0-9_]+$/);
    expect(["trace", "debug", "info", "warn", "error", "fatal"]).toContain(level);
    expect(event).not.toBe("forged");
  }
  for (const line of output) expect(line).not.toMatch(/\p{Cc}/u);
});

test.each([
  ["a host that does not answer", "postgres://queen:PASSWORD@127.0.0.1:1/queen"],
  ["an address that is none", "postgres://queen:PASSWORD@[/queen"],
  ["a parameter that cannot be used", "postgres://queen:PASSWORD@127.0.0.1:1/queen?sslmode=nonsense"],
])("a start that fails at %s does not print the password", async (_what, address) => {
  const start = startServer({
    env: { DATABASE_URL: address.replace("PASSWORD", CANARY.password), LOG_LEVEL: "trace" },
  });
  const reason: string = await start.then(
    async (started) => {
      await started.stop();
      return "it started";
    },
    (error: Error) => error.message,
  );
  expect(reason).toContain("exited with 1");
  expect(reason).toContain("queen: ");
  expect(reason).not.toContain(CANARY.password);
});
