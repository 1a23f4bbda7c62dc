/**
 * Measurements while PostgreSQL is away and after a worker's process was killed: nothing is lost, nothing counts twice.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type EmbeddedServer, startEmbedded } from "../../server/postgres/embedded.ts";
import { Api, query } from "../support/api.ts";
import { Http } from "../support/http.ts";
import { uniqueName } from "../support/names.ts";
import { gaugesOf } from "../support/prometheus.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { until } from "../support/wait.ts";

setDefaultTimeout(120_000);

let folder: string;
let database: EmbeddedServer | null = null;
let server: TestServer;
const api = new Api(new Http(""));

async function startDatabase(): Promise<void> {
  database = await startEmbedded({ dataDir: folder, log: () => {}, connectionsMax: 40 });
}

async function stopDatabase(): Promise<void> {
  await database?.stop();
  database = null;
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "queen-measured-"));
  chmodSync(folder, 0o755);
  await startDatabase();
  const { hosts, port, user, database: name } = database!.target;
  const target = { PG_HOST: hosts[0]!, PG_PORT: String(port), PG_USER: user, PG_DB: name, PG_PASSWORD: "" };
  // Intervals of a second, so that several pass while the database is away.
  const metrics = { METRICS_SAMPLE_INTERVAL_MS: "100", METRICS_AGGREGATE_INTERVAL_S: "1" };
  server = await startServer({ env: { ...target, ...metrics } });
  api.http.url = server.url;
});
afterAll(async () => {
  await server?.stop();
  await stopDatabase();
  rmSync(folder, { recursive: true, force: true });
});

test("what is counted while the database is away is written when it is back, once", async () => {
  const queue = uniqueName("away");
  await api.pushAll(queue, "p", [1, 2, 3, 4]);
  await api.pop(queue, { batch: 3, autoAck: true });
  await stopDatabase();
  const page = await api.http.get("/metrics/prometheus");
  expect(page.status).toBe(200);
  const value = gaugesOf(page.text);
  expect(value("queen_sidecar_op_items", { op: "push" })).toBe(4);
  expect(value("queen_cluster_push_messages_total")).toBeUndefined();
  expect((await api.http.get("/metrics")).json.messages.total).toBe(7);
  const series = `/api/v1/analytics/queue-ops${query({ queue })}`;
  expect((await api.http.get(series)).status).toBe(503);
  // Empty-handed, because the database is away; and counted all the same.
  expect(await api.pop(queue, { wait: true, timeout: 1_500 })).toEqual([]);
  await startDatabase();
  const sums = async () => {
    const { status, json } = await api.http.get(series);
    const sum = (field: string) =>
      json.series.reduce((all: number, point: Record<string, number>) => all + point[field]!, 0);
    return status === 200 && { pushed: sum("pushMessages"), popped: sum("popMessages"), empty: sum("popEmpty") };
  };
  // The pop was counted after what it follows, and may be written after it.
  await until(async () => {
    const seen = await sums();
    return seen !== false && seen.empty > 0;
  }, 30_000);
  expect(await sums()).toEqual({ pushed: 4, popped: 3, empty: 1 });
  const totals = gaugesOf((await api.http.get("/metrics/prometheus")).text);
  expect(totals("queen_cluster_push_messages_total")).toBe(4);
  expect(totals("queen_cluster_db_errors_total")).toBeGreaterThan(0);
});
