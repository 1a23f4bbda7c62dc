/**
 * Authentication on a server with a database: who may do what, and that the verified subject travels with a message.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { leasedAckOf, popPath, query } from "../support/api.ts";
import { Http } from "../support/http.ts";
import { uniqueName } from "../support/names.ts";
import { openRaw } from "../support/raw.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { bearer, HS256_ENV, hsToken, seconds } from "../support/tokens.ts";
import { until } from "../support/wait.ts";

setDefaultTimeout(60_000);

let server: TestServer;
let http: Http;
const headers: Record<string, Record<string, string>> = {};

beforeAll(async () => {
  server = await startServer({ env: { ...HS256_ENV, JWT_SKIP_PATHS: "/health,/,/api/v1/traces/", HOST: "127.0.0.1" } });
  http = new Http(server.url);
  for (const role of ["admin", "read-write", "read-only", "stranger"])
    headers[role] = bearer(await hsToken({ sub: `the ${role}`, role, exp: seconds(3_600) }));
});
afterAll(async () => {
  expect(await server.stop()).toBe(0);
});

const call = (method: string, path: string, role: string, json?: unknown) =>
  http.call(method, path, { headers: headers[role]!, ...(json !== undefined && { json }) });

describe("producerSub", () => {
  test("is the subject of the verified token, whatever the body says", async () => {
    const queue = uniqueName("sub");
    const item = { queue, payload: 1, producerSub: "somebody else", transactionId: "t" };
    expect((await call("POST", "/api/v1/push", "read-write", { items: [item], producerSub: "x" })).status).toBe(201);
    const { messages } = (await call("GET", popPath(queue), "read-write")).json;
    expect(messages[0]).toMatchObject({ data: 1, producerSub: "the read-write" });
    const path = `/api/v1/messages/${messages[0].partitionId}/t`;
    expect((await call("GET", path, "read-only")).json).toMatchObject({ producerSub: "the read-write" });
    const failed = { ...leasedAckOf(messages[0], "dlq"), error: "no" };
    expect((await call("POST", "/api/v1/ack", "read-write", failed)).json[0].dlq).toBe(true);
    const dead = (await call("GET", `/api/v1/dlq${query({ queue })}`, "read-only")).json.messages[0];
    expect(dead).toMatchObject({ transactionId: "t", producerSub: "the read-write" });
  });

  test("of pushes that are stored together stays with each", async () => {
    const queue = uniqueName("sub");
    const tokens = await Promise.all([..."abcdef"].map((sub) => hsToken({ sub, role: "admin" })));
    const anonymous = await hsToken({ role: "admin" });
    const answers = await Promise.all(
      Array.from({ length: 60 }, (_, n) =>
        http.call("POST", "/api/v1/push", {
          json: { items: [{ queue, partition: "p", payload: n % 7 }] },
          headers: bearer(tokens[n % 7] ?? anonymous),
        }),
      ),
    );
    expect(answers.every(({ status }) => status === 201)).toBe(true);
    const { messages } = (await call("GET", `${popPath(queue)}?batch=100`, "admin")).json;
    expect(messages).toHaveLength(60);
    for (const { data, producerSub } of messages) expect(producerSub).toBe("abcdef"[data] ?? null);
  });

  test("is stored by a push in CBOR as well, and survives to CBOR and to JSON", async () => {
    const queue = uniqueName("sub");
    const push = await http.call("POST", "/api/v1/push", {
      cbor: { items: [{ queue, payload: 1 }] },
      headers: headers["read-write"]!,
    });
    expect(push.status).toBe(201);
    const group = (name: string) => `${popPath(queue)}${query({ consumerGroup: name })}`;
    const asCbor = { ...headers["read-write"], accept: "application/cbor" };
    expect((await http.get(group("a"), asCbor)).json.messages[0].producerSub).toBe("the read-write");
    expect((await http.get(group("b"), headers["read-write"])).json.messages[0].producerSub).toBe("the read-write");
  });

  test("is null for messages of a transaction", async () => {
    const queue = uniqueName("sub");
    const operations = [{ type: "push", items: [{ queue, payload: 1, producerSub: "me" }] }];
    expect((await call("POST", "/api/v1/transaction", "read-write", { operations })).json.success).toBe(true);
    expect((await call("GET", popPath(queue), "read-write")).json.messages[0].producerSub).toBeNull();
  });
});

describe("roles", () => {
  test("read-only may look, and neither push, consume nor administrate", async () => {
    const queue = uniqueName("role");
    await call("POST", "/api/v1/push", "read-write", { items: [{ queue, payload: 1 }] });
    expect((await call("GET", `/api/v1/dlq${query({ queue })}`, "read-only")).status).toBe(200);
    for (const [method, path, json] of [
      ["POST", "/api/v1/push", { items: [{ queue, payload: 2 }] }],
      ["GET", popPath(queue)],
      ["POST", "/api/v1/configure", { queue }],
      ["DELETE", `/api/v1/resources/queues/${queue}`],
    ] as const) {
      const answer = await call(method, path, "read-only", json);
      expect([answer.status, answer.json]).toEqual([403, { error: "Insufficient permissions" }]);
    }
    const { messages } = (await call("GET", `${popPath(queue)}?batch=10`, "read-write")).json;
    expect(messages.map(({ data }: { data: unknown }) => data)).toEqual([1]);
  });

  test("read-write may push and consume, and not delete a queue; admin may", async () => {
    const queue = uniqueName("role");
    expect((await call("POST", "/api/v1/configure", "read-write", { queue })).status).toBeLessThan(300);
    const path = `/api/v1/resources/queues/${queue}`;
    expect((await call("DELETE", path, "read-write")).status).toBe(403);
    expect((await call("DELETE", path, "admin")).status).toBe(200);
  });

  test("a token without a known role may do nothing", async () => {
    for (const path of ["/api/v1/dlq", popPath("q")]) expect((await call("GET", path, "stranger")).status).toBe(403);
    expect((await http.get("/health", headers.stranger)).status).toBe(200);
  });

  test("may come as an array, and the highest counts", async () => {
    const role = async (claims: object) =>
      (await http.get(popPath("q"), bearer(await hsToken(claims as never)))).status;
    expect(await role({ roles: ["x", "read-only", "read-write"] })).toBe(204);
    expect(await role({ role: "read-only", roles: ["admin"] })).toBe(204);
    for (const claims of [{ roles: ["read-only"] }, { roles: "admin" }, { role: ["admin"] }, { role: "Admin" }, {}])
      expect(await role(claims)).toBe(403);
  });
});

describe("without a token", () => {
  test("what is public or skipped answers, and nothing else", async () => {
    for (const path of ["/health", "/health/live", "/health/ready"]) expect((await http.get(path)).status).toBe(200);
    expect((await http.call("OPTIONS", "/api/v1/push")).status).toBe(204);
    expect((await http.get("/api/v1/traces/names")).status).toBe(200);
    for (const path of ["/api/v1/dlq", "/api/v1/traces", "/api/v1/pop?task=t", "/api/v1//traces/names"]) {
      expect([401, 404, 405]).toContain((await http.get(path)).status);
    }
    expect((await http.post("/api/v1/traces", {})).status).toBe(401);
  });

  test("a push is refused before its body is looked at, and the body is never taken for a request", async () => {
    const queue = uniqueName("smuggled");
    const inner = `DELETE /api/v1/resources/queues/${queue} HTTP/1.1\r\nHost: x\r\nAuthorization: ${headers.admin!.authorization}\r\n\r\n`;
    await call("POST", "/api/v1/configure", "admin", { queue });
    const { socket, answer } = await openRaw(
      server.url,
      `POST /api/v1/push HTTP/1.1\nContent-Type: application/json\nContent-Length: ${inner.length}`,
    );
    socket.write(inner);
    expect((await answer).status).toBe(401);
    expect((await answer).headers.get("connection")).toBe("close");
    await new Promise((resolve) => socket.once("close", resolve));
    // Deleting it finds it: nobody has before.
    expect((await call("DELETE", `/api/v1/resources/queues/${queue}`, "admin")).json).toMatchObject({
      deleted: true,
      existed: true,
    });
  });

  test("a body that never comes holds nothing up", async () => {
    const { socket, answer } = await openRaw(server.url, "POST /api/v1/push HTTP/1.1\nContent-Length: 1000000");
    expect((await answer).status).toBe(401);
    socket.destroy();
  });
});

test("a parked poll stays parked when its token expires meanwhile, and is woken", async () => {
  const queue = uniqueName("parked");
  await call("POST", "/api/v1/configure", "admin", { queue });
  const parked = async () =>
    (await http.get("/health")).json.workers.reduce(
      (sum: number, w: { polls_parked: number }) => sum + w.polls_parked,
      0,
    );
  const before = await parked();
  const token = await hsToken({ role: "read-write", exp: seconds(-27) });
  const poll = http.get(`${popPath(queue)}?wait=true&timeout=20000`, bearer(token));
  await until(async () => (await parked()) > before, 10_000, "a parked poll");
  await until(async () => (await http.get("/api/v1/dlq", bearer(token))).status === 401, 10_000, "the token's end");
  await call("POST", "/api/v1/push", "read-write", { items: [{ queue, payload: "here" }] });
  expect((await poll).json.messages[0].data).toBe("here");
});

describe("the dashboard's socket", () => {
  /** What becomes of a WebSocket: its first message, or `refused`. */
  const opened = (target: string, given?: Record<string, string>) =>
    new Promise<string>((resolve) => {
      // Bun's client takes headers, as clients that are no browsers do.
      const socket = new WebSocket(
        `${server.url.replace("http", "ws")}${target}`,
        (given && { headers: given }) as unknown as string[],
      );
      socket.onmessage = ({ data }) => {
        resolve(JSON.parse(String(data)).event);
        socket.close();
      };
      socket.onerror = () => resolve("refused");
    });

  test("takes the token from the query, as browsers must send it, or from the header", async () => {
    for (const path of ["/ws/dashboard", "/2025-10/ws/dashboard"]) {
      const token = headers["read-only"]!.authorization!.slice(7);
      expect(await opened(`${path}?token=${token}`)).toBe("connected");
      expect(await opened(path, headers["read-only"])).toBe("connected");
      expect(await opened(`${path}?token=${await hsToken({ role: "read-only", jti: path })}`)).toBe("connected");
    }
  });

  test("stays shut without one, and for a role that may not look", async () => {
    const stranger = headers.stranger!.authorization!.slice(7);
    for (const query of ["", "?token=", "?token=x", `?token=${stranger}`]) {
      expect(await opened(`/ws/dashboard${query}`)).toBe("refused");
    }
  });
});

test("no token, secret or subject reaches the log", async () => {
  const token = headers.admin!.authorization!.slice(7);
  await http.get("/api/v1/dlq", bearer(`${token}x`));
  await http.get(`/api/v1/dlq?token=${token}`);
  const log = server.log.join("\n");
  expect(log).not.toContain(token.split(".")[2]!);
  expect(log).not.toContain(HS256_ENV.JWT_SECRET);
});
