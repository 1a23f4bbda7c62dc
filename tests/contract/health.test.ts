import { describe, expect, test } from "bun:test";
import { popPath } from "../support/api.ts";
import { uniqueName } from "../support/names.ts";
import { useSharedServer } from "../support/shared.ts";

const api = useSharedServer();

describe("GET /health", () => {
  test("answers 200 and healthy while the database answers", async () => {
    const answer = await api.http.get("/health");
    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-type")).toStartWith("application/json");
    expect(answer.json).toMatchObject({ status: "healthy", database: "connected", version: expect.any(String) });
  });
});

describe("HEAD on health", () => {
  test.each(["/health", "/health/live", "/health/ready"])("%s answers as GET does, without a body", async (path) => {
    const head = await api.http.call("HEAD", path);
    expect([head.status, head.text]).toEqual([200, ""]);
    expect(head.headers.get("content-type")).toStartWith("application/json");
    const refused = await api.http.call("DELETE", path);
    expect([refused.status, refused.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
  });
});

describe("what every route shares", () => {
  test("OPTIONS answers the cross-origin pre-flight without a body", async () => {
    const answer = await api.http.call("OPTIONS", "/api/v1/push", {
      headers: { origin: "http://example.test", "access-control-request-method": "POST" },
    });
    expect([200, 204]).toContain(answer.status);
    expect(answer.text).toBe("");
    expect(answer.headers.get("access-control-allow-origin")).toBe("*");
    expect(answer.headers.get("access-control-allow-methods")).toContain("DELETE");
    expect(answer.headers.get("access-control-allow-headers")).toContain("Authorization");
  });

  test("HEAD on a pop takes no message", async () => {
    const queue = uniqueName("head");
    await api.push({ queue, payload: 1 });
    expect((await api.http.call("HEAD", popPath(queue))).status).toBe(405);
    expect(await api.pop(queue)).toHaveLength(1);
  });

  test("a refusal carries the headers of an answer", async () => {
    const { headers } = await api.http.post("/api/v1/push", {});
    expect(headers.get("access-control-allow-origin")).toBe("*");
    expect(headers.get("content-type")).toStartWith("application/json");
  });

  test.each([
    ["GET", "/api/v1/nothing"],
    ["POST", "/api/v1/nothing"],
    ["PUT", "/api/v1/push"],
    ["GET", "/api/v2/push"],
  ])("%s %s is not found", async (method, path) => {
    expect([404, 405]).toContain((await api.http.call(method, path)).status);
  });
});
