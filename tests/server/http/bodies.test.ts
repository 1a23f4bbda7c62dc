import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { fromCbor } from "../../support/http.ts";
import { openRaw } from "../../support/raw.ts";
import { until } from "../../support/wait.ts";
import { type EchoServer, startEcho } from "./echo-server.ts";

const LIMIT = 100_000;
const BODY_ROUTES = [
  "configure",
  "push",
  "transaction",
  "ack",
  "ack/batch",
  "traces",
  "consumer-groups/g/subscription",
  "consumer-groups/g/queues/q/seek",
];
const OPTIONAL_ROUTES = [
  "lease/l/extend",
  "lease/l/ack",
  "messages/p/t/dlq",
  "messages/p/t/retry",
  "consumer-groups/g/queues/q/partitions/p/seek",
];

let server: EchoServer;
beforeAll(async () => {
  server = await startEcho({ MAX_BODY_SIZE: String(LIMIT), BACKLOG_REQUESTS_MAX: "5" });
});
afterAll(() => server.stop());

describe("an empty body", () => {
  test.each(BODY_ROUTES)("is refused by %s", async (route) => {
    for (const answer of [
      await server.http.postRaw(`/api/v1/${route}`),
      await server.http.postRaw(`/api/v1/${route}`, ""),
    ]) {
      expect([answer.status, answer.json]).toEqual([400, { error: "Empty request body" }]);
    }
  });

  test.each(OPTIONAL_ROUTES)("is good enough for %s, as is []", async (route) => {
    for (const body of [undefined, "", "[]", " [] "]) {
      const answer = await server.http.postRaw(`/api/v1/${route}`, body);
      expect([answer.status, answer.json.body]).toEqual([200, null]);
    }
  });
});

test("an empty list in CBOR is an empty body where that is good enough", async () => {
  const answer = await server.http.postRaw("/api/v1/lease/l/extend", new Uint8Array([0x80]), {
    "content-type": "application/cbor",
  });
  expect([answer.status, answer.json.body]).toEqual([200, null]);
});

describe("a JSON body", () => {
  test("travels as text up to 16 KiB and as bytes beyond", async () => {
    expect((await server.http.postRaw("/api/v1/push", "x".repeat(16_384))).json.body).toBe("x".repeat(16_384));
    expect((await server.http.postRaw("/api/v1/push", "x".repeat(16_385))).json.body).toEqual({ bytes: 16_385 });
  });

  test("keeps every character, and loses a byte order mark", async () => {
    expect((await server.http.postRaw("/api/v1/push", '\ufeff"é🐝\\u0000"')).json.body).toBe('"é🐝\\u0000"');
  });

  test("that is not UTF-8 is refused", async () => {
    const answer = await server.http.postRaw("/api/v1/push", new Uint8Array([0x22, 0xff, 0x22]));
    expect([answer.status, answer.json]).toEqual([400, { error: "Invalid JSON: body is not valid UTF-8" }]);
  });

  test("in chunks is the same body", async () => {
    const { socket, answer } = await openRaw(server.http.url, "POST /api/v1/push HTTP/1.1\nTransfer-Encoding: chunked");
    socket.write("3\r\nabc\r\n");
    socket.write("4\r\ndefg\r\n0\r\n\r\n");
    expect((await answer).json.body).toBe("abcdefg");
    socket.destroy();
  });

  test("is JSON whatever else its type says", async () => {
    const answer = await server.http.postRaw("/api/v1/push", "{}", {
      "content-type": "text/plain",
      accept: "text/html",
    });
    expect(answer.json).toMatchObject({ bodyFormat: "json", answerFormat: "json" });
  });
});

describe("CBOR", () => {
  test("is spoken by Content-Type and Accept, each for its own direction", async () => {
    const sent = await server.http.postRaw("/api/v1/push", new Uint8Array([0xa0]), {
      "content-type": "application/cbor",
    });
    expect(sent.json).toMatchObject({ bodyFormat: "cbor", answerFormat: "json", body: { bytes: 1 } });
    const wanted = await server.http.get("/api/v1/pop/queue/q", { accept: "text/html, application/cbor;q=0.9" });
    expect(JSON.parse(wanted.text)).toMatchObject({ answerFormat: "cbor" });
  });

  test.each([
    ["POST", "/api/v1/push/binary"],
    ["POST", "/api/v1/transaction/binary"],
    ["POST", "/api/v1/ack/binary"],
    ["POST", "/api/v1/ack/batch/binary"],
    ["POST", "/api/v1/lease/l/extend/binary"],
    ["POST", "/api/v1/lease/l/ack/binary"],
    ["GET", "/api/v1/pop/queue/q/binary"],
    ["GET", "/api/v1/pop/queue/q/partition/p/binary"],
    ["GET", "/api/v1/pop/binary?task=t"],
  ])("is spoken both ways by %s %s", async (method, path) => {
    const call = method === "POST" ? { raw: new Uint8Array([0xa0]) } : {};
    const echoed = JSON.parse((await server.http.call(method, path, call)).text);
    expect(echoed).toMatchObject({ answerFormat: "cbor", ...(method === "POST" && { bodyFormat: "cbor" }) });
  });

  test.each([
    ["short", "/api/v1/pop/queue/%00"],
    ["over 23 bytes", "/api/v1/pop/queue/%ff"],
    ["over 255 bytes", `/api/v1/${"x".repeat(300)}`],
  ])("carries errors too: %s", async (_length, path) => {
    const plain = await server.http.get(path);
    const binary = await server.http.getCbor(path);
    expect([binary.status, binary.headers.get("content-type")]).toEqual([plain.status, "application/cbor"]);
    expect(fromCbor(binary.bytes)).toEqual(plain.json);
  });
});

describe("a body over the limit", () => {
  test("is refused by its announced length, unread, and the connection closed", async () => {
    expect((await server.http.postRaw("/api/v1/push", "x".repeat(LIMIT))).status).toBe(200);
    const { socket, answer } = await openRaw(
      server.http.url,
      `POST /api/v1/push HTTP/1.1\nContent-Length: ${LIMIT + 1}`,
    );
    const { status, json, headers } = await answer;
    expect([status, headers.get("connection")?.toLowerCase()]).toEqual([413, "close"]);
    expect(json.error).toContain(String(LIMIT));
    await until(() => socket.destroyed || socket.readableEnded);
  });

  test("is refused in chunks as soon as it is too long", async () => {
    const { socket, answer } = await openRaw(server.http.url, "POST /api/v1/push HTTP/1.1\nTransfer-Encoding: chunked");
    socket.write(`${LIMIT.toString(16)}\r\n${"x".repeat(LIMIT)}\r\n`);
    socket.write("1\r\nx\r\n");
    expect((await answer).status).toBe(413);
    socket.destroy();
  });
});

describe("when a worker cannot", () => {
  test("its Retry-After reaches the client", async () => {
    const answer = await server.http.postRaw("/api/v1/push", "REFUSE");
    expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "2"]);
    expect(answer.json).toEqual({ error: "Server is busy, try again" });
  });

  test("requests past the backlog are refused with Retry-After, at once", async () => {
    // Requests of one queue share a worker; the stalled ones stay unanswered until the server stops.
    const stalled = Array.from({ length: 5 }, () => server.http.postRaw("/api/v1/push", '{"queue":"a","STALL":1}'));
    for (const request of stalled) request.catch(() => {});
    const refused = await until(async () => {
      const answer = await server.http.postRaw("/api/v1/push", '{"queue":"a"}');
      return answer.status === 503 && answer;
    });
    expect(refused.headers.get("retry-after")).toBe("1");
    expect(refused.json.error).toBeString();
    expect((await server.http.get("/health")).json.workers).toContainEqual(
      expect.objectContaining({ requests_in_flight: 5 }),
    );
  });
});
