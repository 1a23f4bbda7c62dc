import { describe, expect, test } from "bun:test";
import { uniqueName } from "../../support/names.ts";
import { openRaw, type RawRequest } from "../../support/raw.ts";
import { useSharedServer } from "../../support/shared.ts";
import { ROUTES } from "./routes.ts";

/** Default of `MAX_BODY_SIZE`. */
const LIMIT = 100 * 1024 * 1024;

const api = useSharedServer();

/** Writes chunks of spaces until the server answers or `bytes` are sent; spaces are good JSON so far. */
async function stream(request: RawRequest, bytes: number): Promise<number> {
  const chunk = Buffer.alloc(1024 * 1024, 0x20);
  let answered = false;
  request.answer.then(
    () => (answered = true),
    () => (answered = true),
  );
  let sent = 0;
  while (!answered && sent < bytes && request.socket.writable) {
    const part = chunk.subarray(0, Math.min(chunk.length, bytes - sent));
    request.socket.write(`${part.length.toString(16)}\r\n`);
    request.socket.write(part);
    sent += part.length;
    if (!request.socket.write("\r\n")) {
      await Promise.race([
        new Promise((resolve) => request.socket.once("drain", resolve)),
        request.answer.catch(() => {}),
      ]);
    }
  }
  if (!answered && request.socket.writable) request.socket.write("0\r\n\r\n");
  return sent;
}

describe("bodies of 100 MiB and one byte", () => {
  test.each(ROUTES.map((route) => [route.name, route] as const))(
    "announced to %s are refused before any byte of them is sent",
    async (_name, route) => {
      const made = await route.prepare(api);
      const { socket, answer } = await openRaw(
        api.http.url,
        `POST ${made.path} HTTP/1.1\nContent-Type: application/json\nContent-Length: ${LIMIT + 1}`,
      );
      const { status, json } = await answer;
      socket.destroy();
      expect(status).toBe(413);
      expect(json.error).toMatch(/body|large|size|exceeds/i);
      await made.unchanged();
    },
  );

  test("in chunks are refused once they are that long", async () => {
    const queue = uniqueName("size");
    const request = await openRaw(
      api.http.url,
      "POST /api/v1/push HTTP/1.1\nContent-Type: application/json\nTransfer-Encoding: chunked",
    );
    const start = `{"items":[{"queue":"${queue}"}]}`;
    request.socket.write(`${start.length.toString(16)}\r\n${start}\r\n`);
    const sent = await stream(request, LIMIT + 1 - start.length);
    const { status, json } = await request.answer;
    request.socket.destroy();
    expect(status).toBe(413);
    expect(json.error).toBeString();
    expect(sent).toBeLessThanOrEqual(LIMIT + 1);
    expect(await api.pop(queue)).toEqual([]);
  });

  test("that never end are refused before 200 MiB", async () => {
    const request = await openRaw(
      api.http.url,
      "POST /api/v1/push HTTP/1.1\nContent-Type: application/json\nTransfer-Encoding: chunked",
    );
    const sent = await stream(request, 2 * LIMIT);
    // The server closes with unread bytes on their way, which may take its answer away from a client still sending.
    const status = await request.answer.then(
      (given) => given.status,
      () => "connection closed" as const,
    );
    request.socket.destroy();
    expect([413, "connection closed"]).toContain(status);
    expect(sent).toBeLessThan(2 * LIMIT);
  });

  test("leave the server serving", async () => {
    expect((await api.http.get("/health")).status).toBe(200);
  });
});

describe("an announced length that is wrong", () => {
  test("a body cut off by the client stores nothing", async () => {
    const queue = uniqueName("size");
    const body = `{"items":[{"queue":"${queue}","payload":1}]}`;
    const { socket } = await openRaw(
      api.http.url,
      `POST /api/v1/push HTTP/1.1\nContent-Type: application/json\nContent-Length: ${body.length + 10}`,
    );
    socket.end(body);
    await new Promise((resolve) => socket.once("close", resolve));
    expect(await api.pop(queue)).toEqual([]);
    expect((await api.http.del(`/api/v1/resources/queues/${queue}`)).json.existed).toBe(false);
  });

  test.each([["-1"], ["x"], ["1e3"], ["99999999999999999999"]])(
    "Content-Length %s is a bad request",
    async (length) => {
      const { socket, answer } = await openRaw(api.http.url, `POST /api/v1/push HTTP/1.1\nContent-Length: ${length}`);
      const status = await answer.then(
        (given) => given.status,
        () => "connection closed" as const,
      );
      socket.destroy();
      expect([400, 413, "connection closed"]).toContain(status);
    },
  );
});
