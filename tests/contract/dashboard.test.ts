/**
 * The page at `/`, and the routes that the dashboard asks for beside the rest of the API.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { BUNDLE_PATH, bundleDashboard } from "../../server/dashboard-bundle.ts";
import { leasedAckOf } from "../support/api.ts";
import { Http } from "../support/http.ts";
import { uniqueName } from "../support/names.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { useSharedServer } from "../support/shared.ts";
import { bearer, HS256_ENV, hsToken, seconds } from "../support/tokens.ts";

const api = useSharedServer();

describe("the page", () => {
  test("is what was bundled from its sources", async () => {
    expect(readFileSync(BUNDLE_PATH, "utf8") === (await bundleDashboard())).toBe(true);
  });

  test("runs nothing but its own files, and names their version", async () => {
    const page = await api.http.get("/");
    expect(page.status).toBe(200);
    expect(page.headers.get("content-type")).toBe("text/html; charset=utf-8");
    expect(page.headers.get("cache-control")).toBe("no-cache");
    const policy = page.headers.get("content-security-policy")!;
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toContain("unsafe");
    const files = [...page.text.matchAll(/(?:src|href)="(dashboard\/[^"]+)"/g)].map((match) => match[1]!);
    expect(files.length).toBe(3);
    for (const file of files) {
      const answer = await api.http.get(`/${file}`);
      expect(answer.status).toBe(200);
      expect(answer.headers.get("cache-control")).toContain("immutable");
      expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
      expect(answer.text.length).toBeGreaterThan(100);
    }
  });

  test("has no other files", async () => {
    for (const name of ["main.tsx", "__proto__", "constructor", "..%2Fapp.ts"]) {
      expect((await api.http.get(`/dashboard/${name}`)).status).toBe(404);
    }
  });
});

describe("right now", () => {
  test("counts grow by what is done", async () => {
    const before = (await api.http.get("/api/v1/status/live")).json;
    const queue = uniqueName("live");
    await api.pushAll(queue, "p", [1, 2, 3]);
    await api.pop(queue, { batch: 3, autoAck: true });
    const { counts, durations, workers } = (await api.http.get("/api/v1/status/live")).json;
    expect(counts.pushMessages - before.counts.pushMessages).toBeGreaterThanOrEqual(3);
    expect(counts.popMessages - before.counts.popMessages).toBeGreaterThanOrEqual(3);
    expect(counts.ackMessages - before.counts.ackMessages).toBeGreaterThanOrEqual(3);
    expect(durations.push.length).toBe(durations.boundsSeconds.length + 1);
    expect(workers.map(({ state }: { state: string }) => state)).toEqual(["ready", "ready"]);
  });

  test("is streamed to whoever asks for events", async () => {
    const abort = new AbortController();
    const response = await fetch(`${api.http.url}/api/v1/status/live`, {
      headers: { accept: "text/event-stream" },
      signal: abort.signal,
    });
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    const looks = await firstEvents(response, 2);
    expect(Date.parse(looks[1].timestamp)).toBeGreaterThan(Date.parse(looks[0].timestamp));
    expect(looks[1].counts.requests).toBeGreaterThanOrEqual(looks[0].counts.requests);
    abort.abort();
  });
});

/** The first events of a stream, decoded. */
async function firstEvents(response: Response, count: number) {
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (text.split("\n\n").length <= count) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`the stream ended after ${text}`);
    text += value;
  }
  return text
    .split("\n\n")
    .slice(0, count)
    .map((event) => JSON.parse(event.replace(/^data: /, "")));
}

describe("what would configure a queue as it is", () => {
  test("is what it was configured with, and does the same again", async () => {
    const queue = uniqueName("options");
    await api.configure(queue, { leaseTime: 7, retryLimit: 0, ttl: 90, encryptionEnabled: false }, { namespace: "ns" });
    const path = `/api/v1/queues/${queue}/options`;
    const found = (await api.http.get(path)).json;
    expect(found).toMatchObject({
      queue,
      namespace: "ns",
      task: "",
      options: { leaseTime: 7, retryLimit: 0, ttl: 90 },
    });
    expect(found.options).not.toHaveProperty("retryDelay");
    expect((await api.http.post("/api/v1/configure", found)).status).toBe(200);
    expect((await api.http.get(path)).json).toEqual(found);
  });

  test("is nothing for an unknown queue", async () => {
    expect((await api.http.get(`/api/v1/queues/${uniqueName("none")}/options`)).json).toEqual({
      error: "Queue not found",
    });
  });
});

describe("dead letters by error", () => {
  test("are counted, and listed one error at a time", async () => {
    const queue = uniqueName("errors");
    await api.configure(queue, { retryLimit: 0 });
    await api.pushAll(queue, "p", [1, 2, 3]);
    const popped = await api.pop(queue, { batch: 3, consumerGroup: "g" });
    for (const [at, message] of popped.entries()) {
      await api.ack({
        ...leasedAckOf(message),
        consumerGroup: "g",
        status: "failed",
        error: at === 0 ? "one & only" : "twice",
      });
    }
    const { errors } = (await api.http.get(`/api/v1/dlq/errors?queue=${queue}&consumerGroup=g`)).json;
    expect(errors).toMatchObject([
      { errorMessage: "twice", messages: 2, queues: 1 },
      { errorMessage: "one & only", messages: 1, queues: 1 },
    ]);
    const listed = (await api.http.get(`/api/v1/dlq?queue=${queue}&error=${encodeURIComponent("one & only")}`)).json;
    expect(listed).toMatchObject({ total: 1, messages: [{ errorMessage: "one & only", data: 1 }] });
    expect((await api.http.get(`/api/v1/dlq/errors?queue=${queue}&consumerGroup=other`)).json).toEqual({ errors: [] });
    expect((await api.http.get(`/api/v1/dlq?error=%00`)).status).toBe(400);
  });
});

describe("who the caller is", () => {
  let server: TestServer;
  let http: Http;
  beforeAll(async () => {
    server = await startServer({ env: HS256_ENV });
    http = new Http(server.url);
  });
  afterAll(async () => {
    await server.stop();
  });
  const whoAmI = async (role: string) =>
    http.get("/api/v1/whoami", bearer(await hsToken({ sub: "me", role, exp: seconds(3_600) })));

  test("is an admin without authentication", async () => {
    expect((await api.http.get("/api/v1/whoami")).json).toEqual({
      authentication: false,
      role: "admin",
      subject: null,
    });
  });

  test.each(["admin", "read-write", "read-only"])("is the role of the token: %s", async (role) => {
    expect((await whoAmI(role)).json).toEqual({ authentication: true, role, subject: "me" });
  });

  test("is nobody without a token, or without a role", async () => {
    expect((await http.get("/api/v1/whoami")).status).toBe(401);
    expect((await whoAmI("stranger")).status).toBe(403);
    expect((await http.get("/")).status).toBe(200);
  });

  test("does not keep a server from stopping while it follows", async () => {
    const own = await startServer();
    const response = await fetch(`${own.url}/api/v1/status/live`, { headers: { accept: "text/event-stream" } });
    await firstEvents(response, 1);
    expect(await own.stop()).toBe(0);
  });
});
