/** HTTP/1.0 as the checks of load balancers and old programs speak it: without a Host. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { connect } from "node:net";
import { payloads } from "../support/api.ts";
import { uniqueName } from "../support/names.ts";
import { useSharedServer } from "../support/shared.ts";

setDefaultTimeout(60_000);
const api = useSharedServer();

/** Sends bytes, and reads until the server closes or all that it announced is there. */
function exchange(text: string): Promise<string> {
  const { hostname, port } = new URL(api.http.url);
  return new Promise((resolve, reject) => {
    let answer = "";
    const socket = connect(Number(port), hostname, () => socket.write(text));
    socket.on("data", (bytes) => {
      answer += bytes;
      const length = /content-length: (\d+)\r\n/i.exec(answer)?.[1];
      const bodyAt = answer.indexOf("\r\n\r\n") + 4;
      if (length !== undefined && bodyAt > 3 && answer.length >= bodyAt + Number(length)) socket.destroy();
    });
    socket.on("close", () => resolve(answer));
    socket.on("error", reject);
  });
}

test("a path is read from its beginning", async () => {
  expect(await exchange("GET /health/live HTTP/1.0\r\n\r\n")).toMatch(/^HTTP\/1.1 200 OK\r\n.*{"status":"alive"}$/s);
  expect(await exchange("GET /x/health/live HTTP/1.0\r\n\r\n")).toMatch(/^HTTP\/1.1 404 .*GET \/x\/health\/live/s);
  expect(await exchange("GET //health/live HTTP/1.0\r\n\r\n")).toMatch(/^HTTP\/1.1 404 /);
});

test("queries, names in paths and bodies arrive", async () => {
  const queue = uniqueName("old");
  const body = JSON.stringify({ items: [{ queue, partition: "p", payload: "hello" }] });
  const pushed = await exchange(
    `POST /api/v1/push HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  expect(pushed).toMatch(/^HTTP\/1.1 201 .*"status":"queued"/s);
  const popped = await exchange(`GET /api/v1/pop/queue/${queue}?consumerGroup=g&subscriptionMode=all HTTP/1.0\r\n\r\n`);
  expect(popped).toContain('"data":"hello"');
  expect(payloads(await api.pop(queue))).toEqual(["hello"]);
});
