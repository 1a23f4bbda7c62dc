import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { connect } from "node:net";
import {
  bytesLeaving,
  bytesThisTurn,
  PIECE_BYTES,
  STREAM_BYTES_MIN,
  TURN_BYTES_MAX,
} from "../../../server/http/stream.ts";
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

test("a hundred slow readers get their answers in many turns of the event loop, each of bounded work", async () => {
  const readers = new Worker(new URL("./slow-readers.ts", import.meta.url), { type: "module" });
  const done = new Promise<number>((resolve) => {
    readers.onmessage = (event: MessageEvent<number>) => resolve(event.data);
  });
  let turns = 0;
  let mostBytes = 0;
  let isOver = false;
  const look = () => {
    turns += 1;
    mostBytes = Math.max(mostBytes, bytesThisTurn());
    if (!isOver) setImmediate(look);
  };
  look();
  readers.postMessage({ port: server.listener.port, path: pathOf(3_000_000), count: 100, pauseMs: 20 });
  const received = await done;
  isOver = true;
  readers.terminate();
  expect(received).toBeGreaterThan(300_000_000);
  expect(mostBytes).toBeGreaterThan(0);
  expect(mostBytes).toBeLessThan(TURN_BYTES_MAX + PIECE_BYTES);
  expect(turns).toBeGreaterThan(received / (TURN_BYTES_MAX + PIECE_BYTES));
}, 30_000);
