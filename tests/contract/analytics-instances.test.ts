import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { Api, leasedAckOf } from "../support/api.ts";
import { databaseSocket } from "../support/database.ts";
import { Http } from "../support/http.ts";
import { gaugesOf } from "../support/prometheus.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { until } from "../support/wait.ts";

setDefaultTimeout(60_000);

/** Two servers on one database: the first one's own. The second writes its samples every second. */
let servers: TestServer[] = [];
const [a, b] = [new Api(new Http("")), new Api(new Http(""))];
const QUEUE = "shared.work";

beforeAll(async () => {
  const first = await startServer({ env: { WORKER_ID: "first", METRICS_SAMPLE_INTERVAL_MS: "200" } });
  servers = [first];
  const { folder, port, user, database } = await databaseSocket(first.dataDir);
  const address = { PG_HOST: folder, PG_PORT: String(port), PG_USER: user, PG_DB: database, PG_PASSWORD: "" };
  const metrics = { METRICS_AGGREGATE_INTERVAL_S: "1", METRICS_SAMPLE_INTERVAL_MS: "100", WORKER_ID: "second" };
  servers.push(await startServer({ env: { ...address, ...metrics, NUM_WORKERS: "1" } }));
  [a.http.url, b.http.url] = [servers[0]!.url, servers[1]!.url];
});
afterAll(async () => {
  for (const server of servers.toReversed()) await server.stop();
});

function sum(series: readonly Record<string, number>[], field: string): number {
  return series.reduce((total, point) => total + point[field]!, 0);
}

const json = async (api: Api, path: string) => (await api.http.get(path)).json;

describe("two instances on one database", () => {
  test("answer for both, whichever is asked", async () => {
    await a.pushAll(QUEUE, "p", [1, 2, 3, 4, 5]);
    await b.pushAll(QUEUE, "p", [6, 7, 8]);
    const popped = [...(await b.pop(QUEUE, { batch: 4 }))];
    await b.ackBatch(popped.map((message) => leasedAckOf(message)));
    await a.pop(QUEUE, { batch: 2, autoAck: true });
    for (const api of [a, b]) {
      const { series } = await until(async () => {
        const answer = await json(api, `/api/v1/analytics/queue-ops?queue=${QUEUE}`);
        const sums = ["pushMessages", "popMessages", "ackSuccess"].map((field) => sum(answer.series, field));
        return `${sums}` === "8,6,4" && answer;
      });
      expect(sum(series, "pushRequests")).toBe(2);
      expect(sum((await json(api, "/api/v1/status")).throughput, "processed")).toBe(6);
    }
  });

  test("show their workers and processes side by side", async () => {
    const { workers } = await until(async () => {
      const answer = await json(a, "/api/v1/analytics/worker-metrics");
      return answer.workers.length === 3 && answer;
    });
    const names = workers.map(
      ({ hostname, workerId }: { hostname: string; workerId: number }) => `${hostname} ${workerId}`,
    );
    expect(names).toEqual(["first 0", "first 1", "second 0"]);
    const { replicas } = await until(async () => {
      const answer = await json(a, "/api/v1/analytics/system-metrics");
      return answer.replicaCount === 2 && answer;
    });
    const ports = replicas.map(({ port }: { port: number }) => port);
    expect(ports).toEqual([servers[0]!.port, servers[1]!.port]);
    const one = await json(a, "/api/v1/analytics/system-metrics?hostname=second");
    expect(one.replicas).toHaveLength(1);
  });

  test("know of each other", async () => {
    for (const api of [a, b]) {
      const state = await until(async () => {
        const answer = await json(api, "/api/v1/system/shared-state");
        return answer.server_health.servers_alive === 1 && answer;
      }, 20_000);
      expect(state).toMatchObject({ enabled: true, running: true });
      expect(state.transport.messages_received).toBeGreaterThan(0);
      expect((await json(api, "/health")).shared_state.server_health.servers_alive).toBe(1);
    }
  });

  test("add up for Prometheus, and what one counted goes on counting when it is gone", async () => {
    const total = async (api: Api) => {
      const gauges = gaugesOf((await api.http.get("/metrics/prometheus")).text);
      return gauges('queen_cluster_push_messages_total{scope="cluster"}');
    };
    await until(async () => (await total(a)) === 8 && (await total(b)) === 8);
    // What came after the last look is written at the stop.
    await b.pushAll(QUEUE, "p", [9, 10]);
    await servers.pop()!.stop();
    expect(await total(a)).toBe(10);
    expect(gaugesOf((await a.http.get("/metrics/prometheus")).text)("queen_sidecar_op_items", { op: "push" })).toBe(5);
  });
});
