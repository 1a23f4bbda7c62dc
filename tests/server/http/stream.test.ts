import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { connect } from "node:net";
import { bytesLeaving, STREAM_BYTES_MIN } from "../../../server/http/stream.ts";
import { until } from "../../support/wait.ts";
import { type EchoServer, startEcho } from "./echo-server.ts";

let server: EchoServer;
beforeAll(async () => {
  server = await startEcho();
});
afterAll(() => server.stop());

const pathOf = (bytes: number) => `/api/v1/pop/queue/big?subscriptionFrom=${bytes}`;

describe("a large answer", () => {
  test.each([STREAM_BYTES_MIN - 1, STREAM_BYTES_MIN, STREAM_BYTES_MIN + 1, 5_000_001])(
    "of %d bytes arrives whole",
    async (length) => {
      const answer = await fetch(server.listener.url + pathOf(length));
      const bytes = new Uint8Array(await answer.arrayBuffer());
      expect(bytes.byteLength).toBe(length);
      expect(bytes.every((byte, at) => byte === at % 251)).toBe(true);
      expect(answer.headers.get("access-control-allow-origin")).toBe("*");
      await until(() => bytesLeaving() === 0);
    },
  );

  test("is let go of when its reader goes away", async () => {
    const socket = connect(server.listener.port, "127.0.0.1");
    socket.on("error", () => {});
    socket.pause();
    socket.write(`GET ${pathOf(50_000_000)} HTTP/1.1\r\nHost: a\r\n\r\n`);
    await until(() => bytesLeaving() === 50_000_000);
    socket.destroy();
    await until(() => bytesLeaving() === 0);
  });

  test("that nobody reads stays in one copy and stops nobody else", async () => {
    const sockets = Array.from({ length: 20 }, () => connect(server.listener.port, "127.0.0.1"));
    for (const socket of sockets) {
      socket.on("error", () => {});
      socket.pause();
      socket.write(`GET ${pathOf(20_000_000)} HTTP/1.1\r\nHost: a\r\n\r\n`);
    }
    await until(() => bytesLeaving() === 400_000_000, 20_000);
    expect((await server.http.get("/health")).status).toBe(200);
    for (const socket of sockets) socket.destroy();
    await until(() => bytesLeaving() === 0);
  });
});

test("a hundred slow readers do not hold up the event loop", async () => {
  const readers = new Worker(new URL("./slow-readers.ts", import.meta.url), { type: "module" });
  const done = new Promise<number>((resolve) => {
    readers.onmessage = (event: MessageEvent<number>) => resolve(event.data);
  });
  let longestMs = 0;
  let lastMs = performance.now();
  const meter = setInterval(() => {
    longestMs = Math.max(longestMs, performance.now() - lastMs - 5);
    lastMs = performance.now();
  }, 5);
  readers.postMessage({ port: server.listener.port, path: pathOf(3_000_000), count: 100, pauseMs: 20 });
  const received = await done;
  clearInterval(meter);
  readers.terminate();
  expect(received).toBeGreaterThan(300_000_000);
  // Measured 20 ms on two idle cores, and 700 ms when the runtime wrote bodies whole; other tests share the machine.
  expect(longestMs).toBeLessThan(200);
}, 30_000);
