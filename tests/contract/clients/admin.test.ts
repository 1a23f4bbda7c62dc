/**
 * The admin calls of every client, in the order of their documentation, each with its own way of writing paths and bodies.
 */
import { beforeAll, describe, expect, test } from "bun:test";
import type { Popped } from "../../support/api.ts";
import { uniqueName, uuidV7 } from "../../support/names.ts";
import { useSharedServer } from "../../support/shared.ts";
import { Client, DIALECTS } from "./client.ts";

const api = useSharedServer();

describe.each(DIALECTS.map((dialect) => [dialect.name, dialect] as const))(
  "admin calls of the %s client",
  (_name, dialect) => {
    const client = new Client(api, dialect);
    const queue = uniqueName(`admin ${dialect.name}`).replaceAll(" ", dialect.name === "PHP" ? "-" : " ");
    const group = uniqueName("group");
    let message: Popped;

    /** What an answer that is an array is to this client's caller. */
    const listOf = (answer: { data?: unknown[] } | unknown[] | null): unknown[] =>
      Array.isArray(answer) ? answer : (answer?.data ?? []);

    beforeAll(async () => {
      await client.post("/api/v1/configure", { queue, namespace: "admin", task: "t", options: { leaseTime: 60 } });
      const items = [1, 2, 3].map((n) => ({ queue, partition: "p", payload: { n }, transactionId: uuidV7() }));
      await client.post("/api/v1/push", { items });
      const path = `/api/v1/pop/queue/${encodeURIComponent(queue)}`;
      message = (await client.get(`${path}?batch=1&wait=false&consumerGroup=${group}`)).messages[0];
      const { transactionId, partitionId } = message;
      await client.post("/api/v1/traces", { transactionId, partitionId, data: { a: 1 }, traceNames: ["admin"] });
    });

    test("list queues, and one of them with its partitions", async () => {
      const { queues } = await client.get("/api/v1/resources/queues?limit=100&offset=0");
      expect(queues.find((one: { name: string }) => one.name === queue)).toMatchObject({
        namespace: "admin",
        partitions: 2,
        messages: { total: 3 },
      });
      const detail = await client.get(`/api/v1/resources/queues/${client.encode(queue)}`);
      expect(detail).toMatchObject({ name: queue, totals: { total: 3 } });
      expect(detail.partitions.map((partition: { name: string }) => partition.name).sort()).toEqual(["Default", "p"]);
      expect(await client.get(`/api/v1/resources/queues/${client.encode(uniqueName("none"))}`)).toEqual({
        error: "Queue not found",
      });
    });

    test("list partitions; Go asks the status of the queue for them", async () => {
      const path =
        dialect.name === "Go"
          ? `/api/v1/status/queues/${client.encode(queue)}?includePartitions=true`
          : `/api/v1/resources/partitions?queue=${encodeURIComponent(queue)}`;
      const { partitions } = await client.get(path);
      expect(partitions.map((partition: { name: string }) => partition.name).sort()).toEqual(["Default", "p"]);
    });

    test("namespaces, tasks, overview", async () => {
      const { namespaces } = await client.get("/api/v1/resources/namespaces");
      expect(namespaces.find((one: { namespace: string }) => one.namespace === "admin").queues).toBeGreaterThan(0);
      expect((await client.get("/api/v1/resources/tasks")).tasks.length).toBeGreaterThan(0);
      expect(await client.get("/api/v1/resources/overview")).toMatchObject({ queues: expect.any(Number) });
    });

    test("list messages, and one of them; trace events by message, name, and their names", async () => {
      const { messages } = await client.get(`/api/v1/messages?queue=${encodeURIComponent(queue)}&limit=50&offset=0`);
      expect(messages).toHaveLength(3);
      const path = `/${client.encode(message.partitionId)}/${client.encode(message.transactionId)}`;
      expect(await client.get(`/api/v1/messages${path}`)).toMatchObject({ payload: message.data, queue });
      expect((await client.get(`/api/v1/traces${path}`)).traces).toHaveLength(1);
      expect((await client.get("/api/v1/traces/by-name/admin?limit=100&offset=0")).total).toBeGreaterThan(0);
      expect((await client.get("/api/v1/traces/names?limit=50&offset=0")).trace_names).not.toEqual([]);
    });

    test("status, its queues, one queue, and analytics", async () => {
      expect(await client.get("/api/v1/status")).toMatchObject({ messages: { total: expect.any(Number) } });
      expect((await client.get("/api/v1/status/queues?limit=100&offset=0")).queues.length).toBeGreaterThan(0);
      const detail = await client.get(`/api/v1/status/queues/${client.encode(queue)}`);
      expect(detail).toMatchObject({ queue: { name: queue }, totals: { total: 3, messages: { total: 3 } } });
      expect(listOf(await client.get(`/api/v1/status/queues/${client.encode(queue)}/messages?limit=50`))).toHaveLength(
        3,
      );
      expect((await client.get("/api/v1/status/analytics?interval=hour")).dataPoints.length).toBeGreaterThan(0);
      expect(await client.get("/api/v1/status/buffers")).toMatchObject({ pending: 0, failed: 0, dbHealthy: true });
    });

    test("consumer groups: list, lagging, one, refresh without a body", async () => {
      const groups = listOf(await client.get("/api/v1/consumer-groups")) as { name: string; queueName: string }[];
      expect(groups.find((one) => one.name === group)).toMatchObject({ queueName: queue, members: expect.any(Number) });
      expect(listOf(await client.get("/api/v1/consumer-groups/lagging?minLagSeconds=60"))).toBeArray();
      const one = await client.get(`/api/v1/consumer-groups/${client.encode(group)}`);
      expect(one[queue].partitions.map((cursor: { partition: string }) => cursor.partition)).toContain("p");
      const refreshed = await client.post("/api/v1/stats/refresh", {});
      expect(refreshed).toMatchObject({ queue: { queuesUpdated: expect.any(Number) } });
    });

    test("seek, of a queue and of a partition; subscription; deleting the group on a queue", async () => {
      const path = `/api/v1/consumer-groups/${client.encode(group)}`;
      const ofQueue = `${path}/queues/${client.encode(queue)}`;
      expect(await client.post(`${ofQueue}/seek`, { timestamp: "2020-01-01T00:00:00Z" })).toMatchObject({
        success: true,
      });
      expect(await client.post(`${ofQueue}/partitions/p/seek`, {})).toMatchObject({ success: true, updated: true });
      const subscription = { subscriptionTimestamp: "2026-01-01T00:00:00.000Z" };
      expect(await client.post(`${path}/subscription`, subscription)).toMatchObject({ success: true });
      expect(await client.del(`${ofQueue}?deleteMetadata=false`)).toMatchObject({
        success: true,
        metadataDeleted: false,
      });
    });

    test("system: health, metrics, maintenance both ways", async () => {
      expect(await client.get("/health")).toMatchObject({ status: "healthy" });
      expect(await client.get("/metrics")).toMatchObject({ uptime: expect.any(Number) });
      expect(await client.get("/api/v1/system/maintenance")).toMatchObject({ maintenanceMode: false });
      expect(await client.post("/api/v1/system/maintenance", { enabled: false })).toMatchObject({
        maintenanceMode: false,
      });
      expect(await client.get("/api/v1/system/maintenance/pop")).toMatchObject({ popMaintenanceMode: false });
      const off = await client.post("/api/v1/system/maintenance/pop", { enabled: false });
      expect(off).toMatchObject({ popMaintenanceMode: false });
      const text = await api.http.get("/metrics/prometheus", dialect.headers);
      expect(text.text).toContain("queen_uptime_seconds");
    });

    test("every series of analytics", async () => {
      for (const name of ["system-metrics", "worker-metrics", "queue-ops", "queue-parked-replicas", "retention"]) {
        const answer = await client.get(`/api/v1/analytics/${name}?from=2026-01-01T00:00:00Z`);
        expect(answer.timeRange.from).toBe("2026-01-01T00:00:00.000Z");
      }
      expect(listOf(await client.get("/api/v1/analytics/queue-lag"))).toBeArray();
      expect(await client.get("/api/v1/analytics/postgres-stats")).toMatchObject({ tableSizes: expect.any(Array) });
    });

    test("clear, retry, move to the dead letters, delete", async () => {
      const path = `/api/v1/messages/${client.encode(message.partitionId)}/${client.encode(message.transactionId)}`;
      expect(await client.post(`${path}/dlq`, {})).toMatchObject({ movedToDLQ: true });
      const query = `queue=${encodeURIComponent(queue)}&partition=p&from=2020-01-01T00:00:00Z&limit=10&offset=0`;
      const dlq = await client.get(`/api/v1/dlq?${query}`);
      expect(dlq.total).toBe(dlq.messages.length);
      expect(dlq.total).toBeGreaterThan(0);
      expect(await client.post(`${path}/retry`, {})).toMatchObject({ retried: true });
      expect(await client.del(path)).toMatchObject({ success: true });
      expect(await client.del(`/api/v1/queues/${client.encode(queue)}/clear?partition=p`)).toMatchObject({ count: 2 });
      expect(await client.del(`/api/v1/consumer-groups/${client.encode(group)}?deleteMetadata=true`)).toMatchObject({
        success: true,
      });
      expect(await client.del(`/api/v1/resources/queues/${client.encode(queue)}`)).toMatchObject({ existed: true });
    });
  },
);
