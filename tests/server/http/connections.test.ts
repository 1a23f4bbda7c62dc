/**
 * Clients that hold connections: slowly written requests, bodies that never come, many requests at once.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { connect, type Socket } from "node:net";
import { openRaw } from "../../support/raw.ts";
import { until } from "../../support/wait.ts";
import { type EchoServer, startEcho } from "./echo-server.ts";

const MIB = 2 ** 20;
const WAIT_MS_MAX = 60_000;

setDefaultTimeout(2 * WAIT_MS_MAX);

let server: EchoServer;
const open: Socket[] = [];
beforeAll(async () => {
  server = await startEcho({ BODY_TIMEOUT: "1000", BACKLOG_BYTES_MAX: String(MIB), MAX_BODY_SIZE: String(2 * MIB) });
});
afterAll(async () => {
  for (const socket of open) socket.destroy();
  await server.stop();
});

async function request(head: string) {
  const raw = await openRaw(server.http.url, head);
  open.push(raw.socket);
  return raw;
}

/** Writes a piece again and again until the other side has enough of it. */
function drip(socket: Socket, piece: string): void {
  const timer = setInterval(
    () => (socket.destroyed || socket.readableEnded ? clearInterval(timer) : socket.write(piece)),
    100,
  );
}

describe("a body that does not arrive in time", () => {
  test.each([
    ["stops", "Content-Length: 100", ""],
    ["drips", "Content-Length: 1000", "x"],
    ["is long and stops", "Content-Length: 100000", ""],
    ["comes in chunks and stops", "Transfer-Encoding: chunked", ""],
    ["drips in chunks", "Transfer-Encoding: chunked", "1\r\nx\r\n"],
  ])("%s: 408, and the connection is closed", async (_what, header, piece) => {
    const { socket, answer } = await request(`POST /api/v1/push HTTP/1.1\n${header}`);
    if (piece !== "") drip(socket, piece);
    const { status, json, headers } = await answer;
    expect([status, headers.get("connection")?.toLowerCase()]).toEqual([408, "close"]);
    expect(json).toEqual({ error: "Request body did not arrive within 1 s" });
    await until(() => socket.destroyed || socket.readableEnded, WAIT_MS_MAX);
  });

  test("takes no room from those that do, whatever it announced", async () => {
    // Room for two MiB of bodies in all.
    const idlers = await Promise.all(
      Array.from({ length: 8 }, () => request(`POST /api/v1/push HTTP/1.1\nContent-Length: ${MIB}`)),
    );
    // All that was announced is known to the server once it answers what came later.
    expect((await server.http.postRaw("/api/v1/push", "x".repeat(20_000))).status).toBe(200);
    for (const length of [10, 60_000, 600_000])
      expect((await server.http.postRaw("/api/v1/push", new Uint8Array(length))).status).toBe(200);
    for (const { answer } of idlers) expect((await answer).status).toBe(408);
  });
});

describe("a connection", () => {
  // The runtime has no answers in order for handlers that take their time: the client learns that at once, and by closing.
  test("is closed when a request follows before the answer to the one before", async () => {
    const { hostname, port } = new URL(server.http.url);
    const socket = connect({ host: hostname, port: Number(port) });
    open.push(socket);
    let received = "";
    socket.on("data", (bytes) => (received += bytes));
    socket.on("error", () => {});
    const body = '{"queue":"q"}';
    socket.write(`POST /api/v1/push HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`.repeat(50));
    await until(() => socket.destroyed || socket.readableEnded, WAIT_MS_MAX);
    expect(received.split("HTTP/1.1 200").length).toBeLessThanOrEqual(2);
    expect((await server.http.postRaw("/api/v1/push", body)).status).toBe(200);
  });

  test("whose first request is never finished is closed, and nobody else waits for that", async () => {
    const { hostname, port } = new URL(server.http.url);
    const heads = ["", "GET /health HTTP/1.1\r\nHo", "GET /health HTTP/1.1\r\nHost: x\r\n"].map((head) => {
      const socket = connect({ host: hostname, port: Number(port) });
      open.push(socket);
      socket.on("error", () => {});
      socket.on("data", () => {});
      socket.write(head);
      return socket;
    });
    drip(heads[2]!, "X-More: 1\r\n");
    for (let asked = 0; asked < 20; asked += 1) expect((await server.http.get("/health/live")).status).toBe(200);
    await until(() => heads.every((socket) => socket.destroyed || socket.readableEnded), WAIT_MS_MAX);
  });

  test("that idles costs nobody anything", async () => {
    const idle = await Promise.all(Array.from({ length: 500 }, () => request("GET /health/live HTTP/1.1")));
    for (const { answer } of idle) expect((await answer).status).toBe(200);
    expect((await server.http.postRaw("/api/v1/push", "{}")).status).toBe(200);
    expect(idle.filter(({ socket }) => socket.destroyed || socket.readableEnded)).toEqual([]);
  });
});
