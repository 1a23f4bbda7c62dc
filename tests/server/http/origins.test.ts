/**
 * Pages of other origins: all may use the server, or those that are listed, or none.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { HS256_ENV } from "../../support/tokens.ts";
import { type EchoServer, startEcho } from "./echo-server.ts";

const LISTED = "https://app.example.com";
const OTHER = "https://evil.example.com";
let server: EchoServer;

function serve(env: Record<string, string>): void {
  beforeAll(async () => {
    server = await startEcho(env);
  });
  afterAll(() => server.stop());
}

const push = (headers: Record<string, string>) => server.http.call("POST", "/api/v1/push", { json: {}, headers });
const corsOf = (headers: Headers) => [...headers.keys()].filter((name) => name.startsWith("access-control"));

describe("CORS_ORIGINS with a list", () => {
  serve({ CORS_ORIGINS: `${LISTED},http://localhost:9999` });

  test("a listed origin is named in every answer, and pre-flight works for it", async () => {
    for (const origin of [LISTED, "http://localhost:9999"]) {
      const answers = [
        await push({ origin }),
        await server.http.get("/api/v1/pop/queue/q", { origin }),
        await server.http.get("/nothing", { origin }),
        await server.http.call("OPTIONS", "/api/v1/push", {
          headers: { origin, "access-control-request-method": "POST" },
        }),
      ];
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 404, 204]);
      for (const { headers } of answers) {
        expect(headers.get("access-control-allow-origin")).toBe(origin);
        expect(headers.get("access-control-allow-headers")).toBe("Content-Type, Authorization");
        expect(headers.get("vary")).toContain("Origin");
      }
    }
  });

  test("another origin is refused before anything is done, pre-flight included", async () => {
    for (const origin of [
      OTHER,
      "null",
      `${LISTED}.evil.com`,
      "https://app.example.com:8443",
      "http://app.example.com",
    ]) {
      for (const answer of [
        await push({ origin }),
        await server.http.get("/api/v1/pop/queue/q?autoAck=true", { origin }),
        await server.http.call("OPTIONS", "/api/v1/push", { headers: { origin } }),
      ]) {
        expect(answer.status).toBe(403);
        expect(answer.json).toEqual({ error: "Origin not allowed" });
        expect(corsOf(answer.headers)).toEqual([]);
      }
    }
  });

  test("a page that hides its origin is known by what browsers add", async () => {
    const image = { "sec-fetch-site": "cross-site", "sec-fetch-dest": "image" };
    expect((await server.http.get("/api/v1/pop/queue/q?autoAck=true", image)).status).toBe(403);
    const link = { "sec-fetch-site": "cross-site", "sec-fetch-dest": "document" };
    expect((await server.http.get("/health", link)).status).not.toBe(403);
    expect((await server.http.get("/api/v1/pop/queue/q?autoAck=true", link)).status).toBe(403);
    expect((await push({ "sec-fetch-site": "same-origin" })).status).toBe(200);
  });

  test("a page of the server itself, and whoever is no browser, need not be listed", async () => {
    const own = await push({ origin: server.listener.url });
    expect(own.status).toBe(200);
    expect(corsOf(own.headers)).toEqual([]);
    const none = await push({});
    expect([none.status, corsOf(none.headers)]).toEqual([200, []]);
  });
});

describe("CORS_ORIGINS=none", () => {
  serve({ CORS_ORIGINS: "none" });

  test("no page of another origin may use the server", async () => {
    expect((await push({ origin: LISTED })).status).toBe(403);
    const answer = await push({});
    expect([answer.status, corsOf(answer.headers)]).toEqual([200, []]);
  });
});

describe("a list, together with authentication", () => {
  serve({ CORS_ORIGINS: LISTED, ...HS256_ENV });

  test("a page that is listed can read why it was refused", async () => {
    const answer = await push({ origin: LISTED });
    expect(answer.status).toBe(401);
    expect(answer.headers.get("access-control-allow-origin")).toBe(LISTED);
    expect((await push({ origin: OTHER })).status).toBe(403);
  });
});

describe("by default", () => {
  serve({});

  test("every page may use the server", async () => {
    const answer = await push({ origin: OTHER, "sec-fetch-site": "cross-site" });
    expect(answer.status).toBe(200);
    expect(answer.headers.get("access-control-allow-origin")).toBe("*");
    expect(answer.headers.get("vary")).toBeNull();
  });
});
