/**
 * Faults of the server: client and log share a name for the request. And the three health checks while workers die.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { UUID } from "../../support/names.ts";
import { until } from "../../support/wait.ts";
import { type EchoServer, startEcho } from "./echo-server.ts";

let server: EchoServer;
beforeAll(async () => {
  server = await startEcho({ NUM_WORKERS: "1" });
});
afterAll(() => server.stop());

/** Has the only worker die over a request; waits for the next one. */
async function fault(headers: Record<string, string>) {
  const answer = await server.http.call("POST", "/api/v1/ack", { raw: "DIE", headers });
  expect(answer.status).toBe(500);
  await until(
    async () => (await server.http.get("/health")).json.workers[0].status === "ready",
    10_000,
    "a new worker",
  );
  return answer.headers.get("x-request-id");
}

const logged = (id: string | null) => server.log.filter(({ fields }) => fields.request_id === id);

test("the client's id is in the answer and in the log line, if it is sane", async () => {
  expect(await fault({ "x-request-id": "order-42:retry.1" })).toBe("order-42:retry.1");
  expect(logged("order-42:retry.1")).toEqual([
    {
      level: "error",
      event: "request_answered_500",
      fields: expect.objectContaining({
        operation: "ack",
        method: "POST",
        path: "/api/v1/ack",
        request: expect.any(Number),
      }),
    },
  ]);
});

test("any other id is replaced", async () => {
  for (const id of ["two words", '{"event":"forged"}', "x".repeat(129), "é"]) {
    const given = await fault({ "x-request-id": id });
    expect(given).toMatch(UUID);
    expect(logged(given)).toHaveLength(1);
  }
}, 30_000);

test("an answer without a fault carries none", async () => {
  const answer = await server.http.call("POST", "/api/v1/ack", { raw: "{}", headers: { "x-request-id": "a" } });
  expect([answer.status, answer.headers.get("x-request-id")]).toEqual([200, null]);
});

test("liveness stays green and readiness turns red when no worker is left", async () => {
  expect((await server.http.get("/health/live")).status).toBe(200);
  await server.http.call("POST", "/api/v1/ack", { raw: "DIE" });
  const red = await until(
    async () => {
      void server.http.call("POST", "/api/v1/ack", { raw: "DIE" });
      const answer = await server.http.get("/health/ready");
      return answer.status === 503 && answer;
    },
    10_000,
    "readiness to turn red",
  );
  expect(red.json).toMatchObject({ status: "unready" });
  expect((await server.http.get("/health/live")).json).toEqual({ status: "alive" });
}, 30_000);
