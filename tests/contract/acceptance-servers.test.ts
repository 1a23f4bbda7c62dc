/**
 * What the test suites of the published clients expect of a server, the points that need one of their own (wire contract,
 * section 23): authentication, maintenance, and streams over a restart.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { consumeAll } from "../support/acceptance.ts";
import { Api, payloads, popPath } from "../support/api.ts";
import { Http } from "../support/http.ts";
import { uniqueName } from "../support/names.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { popAsSdk, registerQuery, states, streamAckOf } from "../support/streams.ts";
import { bearer, HS256_ENV, hsToken, seconds } from "../support/tokens.ts";
import { until } from "../support/wait.ts";

setDefaultTimeout(60_000);

const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, n) => from + n);

describe("acceptance with authentication", () => {
  let server: TestServer;
  const http = new Http("");
  beforeAll(async () => {
    server = await startServer({ env: HS256_ENV });
    http.url = server.url;
  });
  afterAll(async () => {
    await server?.stop();
  });

  test("17: producerSub is the sub of the token, and null without authentication", async () => {
    const headers = bearer(await hsToken({ sub: "alice", role: "read-write", exp: seconds(600) }));
    const queue = uniqueName("accept");
    const json = { items: [{ queue, payload: 1, producerSub: "mallory" }] };
    expect((await http.call("POST", "/api/v1/push", { json })).status).toBe(401);
    expect((await http.call("POST", "/api/v1/push", { json, headers })).status).toBe(201);
    const popped = await http.call("GET", popPath(queue), { headers });
    expect(popped.json.messages).toMatchObject([{ data: 1, producerSub: "alice" }]);
  });
});

describe("acceptance over maintenance and restarts", () => {
  const api = new Api(new Http(""));
  let server: TestServer;

  async function start(dataDir?: string): Promise<void> {
    server = await startServer(dataDir === undefined ? {} : { dataDir });
    api.http.url = server.url;
  }

  beforeAll(() => start());
  afterAll(async () => {
    await server?.stop();
  });

  test("17: producerSub of the body is ignored where nobody is authenticated", async () => {
    const queue = uniqueName("accept");
    await api.http.post("/api/v1/push", { items: [{ queue, payload: 1, producerSub: "mallory" }] });
    expect((await api.pop(queue))[0]!.producerSub).toBeNull();
  });

  test("18: nothing produced during maintenance is lost or arrives twice, and pops pause on their own", async () => {
    const queue = uniqueName("accept");
    const maintenance = "/api/v1/system/maintenance";
    const buffered = async () => (await api.http.get(maintenance)).json.bufferedMessages as number;
    const push = (n: number) => api.push({ queue, partition: `p${n % 3}`, payload: n, transactionId: `t${n}` });
    for (const n of numbers(30)) await push(n);
    expect((await api.http.post(maintenance, { enabled: true })).json.maintenanceMode).toBe(true);
    // What was stored before can be consumed meanwhile.
    expect(await api.pop(queue, { consumerGroup: "meanwhile", batch: 100, partitions: 3 })).toHaveLength(30);
    for (const n of numbers(30, 30)) expect((await push(n))[0]!.status).toBe("buffered");
    // Sent again, as clients do that are not sure.
    for (const n of numbers(40, 10)) await push(n);
    expect(await buffered()).toBeGreaterThan(0);
    expect((await api.http.post(maintenance, { enabled: false })).json.maintenanceMode).toBe(false);
    await until(async () => (await buffered()) === 0, 20_000, "the buffer drained");
    const seen = (await consumeAll(api, queue, { partitions: 3 })).map(Number);
    expect([...seen].sort((a, b) => a - b)).toEqual(numbers(60));
    for (const rest of [0, 1, 2]) {
      const part = seen.filter((n) => n % 3 === rest);
      expect(part).toEqual([...part].sort((a, b) => a - b));
    }

    await push(60);
    expect((await api.http.post(`${maintenance}/pop`, { enabled: true })).json.popMaintenanceMode).toBe(true);
    expect((await api.http.get(maintenance)).json.maintenanceMode).toBe(false);
    await until(async () => (await api.pop(queue, { consumerGroup: uniqueName("probe") })).length === 0);
    expect(await api.pop(queue, { wait: true, timeout: 5_000 })).toEqual([]);
    expect((await push(61))[0]!.status).toBe("queued");
    await api.http.post(`${maintenance}/pop`, { enabled: false });
    const after = await until(async () => {
      const found = await consumeAll(api, queue, { partitions: 3 });
      return found.length > 0 && found;
    });
    expect(after.map(Number).sort()).toEqual([60, 61]);
  });

  test("21: a stream commits state, sink and acknowledgement once, in order, over a restart", async () => {
    const [source, sink, name] = [uniqueName("source"), uniqueName("sink"), uniqueName("query")];
    let queryId = await registerQuery(api, { name, source_queue: source, sink_queue: sink });
    const partitions = ["a", "b", "c", "d"];
    const feed = (from: number) =>
      api.push(
        ...partitions.flatMap((partition) => numbers(10, from).map((n) => ({ queue: source, partition, payload: n }))),
      );
    /** Commits a cycle for each partition, letting at most `most` messages of it through. */
    const turn = async (most: number): Promise<number> => {
      const messages = await popAsSdk(api, source, queryId);
      for (const part of Map.groupBy(messages, (message) => message.partitionId).values()) {
        const at = { query_id: queryId, partition_id: part[0]!.partitionId };
        const [row] = await states(api, { ...at, keys: ["count"] });
        const count = Number(row?.value ?? 0);
        const through = part.slice(0, most);
        const body = {
          ...at,
          consumer_group: `streams.${queryId}`,
          state_ops: [{ type: "upsert", key: "count", value: count + through.length }],
          push_items: through.map(({ partition, data }, index) => ({
            queue: sink,
            partition,
            payload: { n: data, at: count + index },
          })),
          ack: streamAckOf(through.at(-1)!, { count: through.length }),
          release_lease: true,
        };
        const committed = await api.http.post("/streams/v1/cycle", body);
        expect(committed.json.success).toBe(true);
        // Sent again it changes nothing.
        await api.http.post("/streams/v1/cycle", body);
      }
      return messages.length;
    };
    await feed(0);
    await turn(3);
    await turn(4);
    await server.stop(true);
    await start(server.dataDir);
    const again = await api.http.post("/streams/v1/queries", { name, source_queue: source, config_hash: "h" });
    expect(again.json).toMatchObject({ query_id: queryId, fresh: false });
    queryId = again.json.query_id;
    await feed(10);
    while ((await turn(200)) > 0);
    for (const partition of partitions) {
      const out = payloads(await api.popPartition(sink, partition, { batch: 100 }));
      expect(out).toEqual(numbers(20).map((n) => ({ n, at: n })));
    }
    const other = await api.http.post("/streams/v1/queries", { name, source_queue: source, config_hash: "other" });
    expect(other.status).toBe(409);
    expect(other.json.error).toContain("config_hash mismatch");
  });
});
