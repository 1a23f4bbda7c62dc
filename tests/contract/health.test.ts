import { describe, expect, test } from "bun:test";
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

  test.each([
    ["GET", "/api/v1/nothing"],
    ["POST", "/api/v1/nothing"],
    ["PUT", "/api/v1/push"],
    ["GET", "/api/v2/push"],
  ])("%s %s is not found", async (method, path) => {
    expect([404, 405]).toContain((await api.http.call(method, path)).status);
  });
});
