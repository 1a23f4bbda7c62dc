/**
 * The streaming SDKs of JavaScript, Python and Go: register, pop as the query's own group, compute, commit a cycle for each
 * partition.
 */
import { describe, expect, test } from "bun:test";
import type { Popped } from "../../support/api.ts";
import { uniqueName, uuidV7 } from "../../support/names.ts";
import { useSharedServer } from "../../support/shared.ts";
import { until } from "../../support/wait.ts";
import { Client, GO, JAVASCRIPT, PYTHON } from "./client.ts";

const api = useSharedServer();

describe.each([JAVASCRIPT, PYTHON, GO].map((dialect) => [dialect.name, dialect] as const))(
  "the streaming SDK of %s",
  (_name, dialect) => {
    const client = new Client(api, dialect);

    const register = (name: string, source: string, sink: string | null, hash = "h1", more: object = {}) =>
      client.post("/streams/v1/queries", { name, source_queue: source, sink_queue: sink, config_hash: hash, ...more });

    async function popSource(source: string, queryId: string): Promise<Popped[]> {
      const parameters = `batch=200&wait=true&timeout=1000&consumerGroup=streams.${queryId}&partitions=4`;
      return (await client.get(`/api/v1/pop/queue/${client.encode(source)}?${parameters}`))?.messages ?? [];
    }

    async function pushAll(queue: string, partition: string, numbers: number[]): Promise<void> {
      const items = numbers.map((n) => ({ queue, partition, payload: { n }, transactionId: uuidV7() }));
      await client.post("/api/v1/push", { items });
    }

    /** Adds up what comes, by partition; emits the sum after each batch. */
    async function step(source: string, sink: string, queryId: string): Promise<number> {
      const messages = await popSource(source, queryId);
      for (const [partition_id, batch] of Map.groupBy(messages, (message) => message.partitionId)) {
        const keys = { query_id: queryId, partition_id };
        const { rows } = await client.post("/streams/v1/state/get", { ...keys, keys: ["sum"] });
        const sum = batch.reduce((total, message) => total + message.data.n, rows[0]?.value?.sum ?? 0);
        const last = batch.at(-1)!;
        const answer = await client.post("/streams/v1/cycle", {
          ...keys,
          consumer_group: `streams.${queryId}`,
          state_ops: [{ type: "upsert", key: "sum", value: { sum } }],
          push_items: [{ queue: sink, partition: last.partition, payload: { sum } }],
          ack: { transactionId: last.transactionId, leaseId: last.leaseId, status: "completed", count: batch.length },
          release_lease: true,
        });
        expect(answer).toMatchObject({
          success: true,
          push_results: [{ status: "queued" }],
          ack_result: { success: true, count: batch.length },
        });
      }
      return messages.length;
    }

    test("keeps a sum for each partition, exactly once, over restarts of itself", async () => {
      const [name, source, sink] = [uniqueName("sum"), uniqueName("source"), uniqueName("sink")];
      const { query_id, fresh } = await register(name, source, sink);
      expect(fresh).toBe(true);
      for (const partition of ["a", "b"]) await pushAll(source, partition, [1, 2, 3]);
      while ((await step(source, sink, query_id)) > 0);
      // The same again is the same query.
      expect(await register(name, source, sink)).toMatchObject({ query_id, fresh: false, reset: false });
      await pushAll(source, "a", [10]);
      while ((await step(source, sink, query_id)) > 0);
      const sums = await api.pop(sink, { batch: 10, partitions: 10 });
      const last = new Map(sums.map((message) => [message.partition, message.data.sum]));
      expect(Object.fromEntries(last)).toEqual({ a: 16, b: 6 });
    });

    test("is told that the operators changed, and starts anew when it says so", async () => {
      const [name, source] = [uniqueName("hash"), uniqueName("source")];
      const { query_id } = await register(name, source, null);
      await expect(register(name, source, null, "h2")).rejects.toThrow("config_hash mismatch");
      expect(await register(name, source, null, "h2", { reset: true })).toMatchObject({ query_id, reset: true });
    });

    test("holds a gate: what is not let through comes again, in order", async () => {
      const [name, source] = [uniqueName("gate"), uniqueName("source")];
      await client.post("/api/v1/configure", { queue: source, options: { leaseTime: 1 } });
      const { query_id } = await register(name, source, null);
      await pushAll(source, "p", [1, 2, 3, 4]);
      const batch = await popSource(source, query_id);
      const allowed = batch[1]!;
      const answer = await client.post("/streams/v1/cycle", {
        query_id,
        partition_id: allowed.partitionId,
        consumer_group: `streams.${query_id}`,
        state_ops: [],
        push_items: [],
        ack: { transactionId: allowed.transactionId, leaseId: allowed.leaseId, status: "completed", count: 2 },
        release_lease: false,
      });
      expect(answer.ack_result).toMatchObject({ success: true, lease_released: false });
      const rest = await until(async () => {
        const next = await popSource(source, query_id);
        return next.length > 0 && next;
      });
      expect(rest.map((message) => message.data.n)).toEqual([3, 4]);
    });

    test("learns of a cycle that failed from success and error, with nothing of it done", async () => {
      const [name, source, sink] = [uniqueName("failed"), uniqueName("source"), uniqueName("sink")];
      const { query_id } = await register(name, source, sink);
      await pushAll(source, "p", [1]);
      const [message] = await popSource(source, query_id);
      const keys = { query_id, partition_id: message!.partitionId };
      const answer = await client.post("/streams/v1/cycle", {
        ...keys,
        consumer_group: `streams.${query_id}`,
        state_ops: [{ type: "upsert", key: "k", value: { n: 1 } }],
        push_items: [{ queue: sink, partition: "p", payload: { n: 1 } }],
        ack: { transactionId: message!.transactionId, leaseId: crypto.randomUUID(), status: "completed" },
      });
      expect(answer).toMatchObject({ success: false, error: "Invalid or expired lease" });
      expect((await client.post("/streams/v1/state/get", keys)).rows).toEqual([]);
      expect(await api.pop(sink)).toEqual([]);
    });
  },
);
