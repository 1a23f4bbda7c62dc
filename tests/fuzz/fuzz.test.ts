/**
 * The short form of `bun run fuzz`: hostile requests to every route of a server of its own.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { Http } from "../support/http.ts";
import { openRaw } from "../support/raw.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { hostileHeads } from "./heads.ts";
import { Fuzzer } from "./run.ts";
import { faultsOf } from "./verdict.ts";

setDefaultTimeout(120_000);

const REQUESTS = 2_000;
let server: TestServer;
beforeAll(async () => {
  server = await startServer({ env: { BACKLOG_REQUESTS_MAX: "10000" } });
});
afterAll(async () => {
  expect(await server.stop()).toBe(0);
});

test("no request makes the server fail, fall silent or talk about itself", async () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  process.stdout.write(`seed ${seed}\n`);
  const report = await new Fuzzer(server.url).run(seed, REQUESTS);
  expect(report.requests).toBeGreaterThanOrEqual(REQUESTS);
  // Otherwise it would only have knocked at the door.
  for (const route of ["POST /api/v1/push", "POST /api/v1/push/binary", "GET /api/v1/pop/queue/:queue"])
    expect([...report.succeeded]).toContain(route);
  expect(report.succeeded.size).toBeGreaterThan(25);
  expect(await faultsOf(server)).toEqual([]);
});

test("nothing but true and false switches maintenance", async () => {
  const http = new Http(server.url, false);
  for (const path of ["/api/v1/system/maintenance", "/api/v1/system/maintenance/pop"]) {
    for (const raw of [
      '{"enabled":"true"}',
      '{"enabled":1}',
      '{"enabled":[true]}',
      "{}",
      "[]",
      "true",
      '{"__proto__":{"enabled":true}}',
      "{",
    ])
      expect([raw, (await http.call("POST", path, { raw })).status]).toEqual([raw, 400]);
  }
});

test.each(hostileHeads())("%s: refused or closed, and the next one is served", async (_name, head, body) => {
  const { socket, answer } = await openRaw(server.url, head);
  if (body !== "") socket.write(body);
  socket.end();
  const status = await answer.then(
    (got) => got.status,
    () => null,
  );
  socket.destroy();
  // 505 is what the listener says to another version of HTTP.
  if (status !== 505) expect(status ?? 0).toBeLessThan(500);
  expect((await new Http(server.url).get("/health/live")).status).toBe(200);
  expect(await faultsOf(server)).toEqual([]);
});

test("nothing that is sent into the dashboard's socket does harm", async () => {
  const frames: (string | Uint8Array<ArrayBuffer>)[] = [
    ...[
      "",
      "pong",
      "PING",
      "{",
      "[]",
      "null",
      '"x"',
      '{"type":1}',
      '{"type":"subscribe"}',
      '{"type":"subscribe","queues":{}}',
    ],
    ...['{"type":"subscribe","queues":[null,1,{},[]]}', '{"type":"subscribe","queues":["__proto__","\\ud800"]}'],
    ...['{"__proto__":{"type":"subscribe"}}', "[".repeat(16_000), `{"type":"${"x".repeat(16_000)}"}`],
    ...[new Uint8Array(16_000), Uint8Array.from([0xff, 0xfe, 0])],
  ];
  for (const last of ["x".repeat(16_385), "x".repeat(5_000_000), new Uint8Array(100_000)]) {
    const socket = new WebSocket(`${server.url.replace("http", "ws")}/ws/dashboard`);
    const closed = new Promise<number>((resolve) => {
      socket.onclose = ({ code }) => resolve(code);
    });
    await new Promise((resolve) => {
      socket.onopen = resolve;
    });
    const ponged = new Promise((resolve) => {
      socket.onmessage = ({ data }) => data === "pong" && resolve(data);
    });
    for (const frame of frames) socket.send(frame);
    socket.send("ping");
    await ponged;
    // Longer than a frame may be: that ends it.
    socket.send(last);
    expect(await closed).not.toBe(1000);
  }
  expect(await faultsOf(server)).toEqual([]);
});
