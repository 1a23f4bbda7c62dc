/**
 * Every hot route under its path followed by `/binary`: CBOR both ways, whatever the headers say.
 */
import { describe, expect, test } from "bun:test";
import { OPERATIONS } from "../../schema/wire/api/operations.ts";
import type { Answer } from "../support/http.ts";
import { toCbor } from "../support/http.ts";
import { uniqueName } from "../support/names.ts";
import { useSharedServer } from "../support/shared.ts";

const api = useSharedServer();
const post = (path: string, value: unknown): Promise<Answer> => api.http.postRaw(`${path}/binary`, toCbor(value));
const get = (path: string, query = ""): Promise<Answer> => api.http.get(`${path}/binary${query}`);

/** A queue with two messages of one partition, and what a pop of it needs. */
async function filled(): Promise<{ queue: string; namespace: string }> {
  const [queue, namespace] = [uniqueName("binary"), uniqueName("space")];
  await api.configure(queue, {}, { namespace });
  await api.pushAll(queue, "p", [1, 2]);
  return { queue, namespace };
}

/** One call of each route, by its path; each fails when the route did not do its work. */
const CALLS: Record<string, () => Promise<Answer>> = {
  async "/api/v1/push"() {
    const queue = uniqueName("binary");
    const answer = await post("/api/v1/push", { items: [{ queue, payload: new Uint8Array([1, 2]) }] });
    expect(answer.json).toMatchObject([{ status: "queued" }]);
    return answer;
  },
  async "/api/v1/transaction"() {
    const queue = uniqueName("binary");
    const answer = await post("/api/v1/transaction", {
      operations: [{ type: "push", items: [{ queue, payload: 1 }] }],
    });
    expect(answer.json.success).toBe(true);
    return answer;
  },
  async "/api/v1/pop/queue/:queue"() {
    const { queue } = await filled();
    const answer = await get(`/api/v1/pop/queue/${queue}`, "?batch=5");
    expect(answer.json.messages.map((message: { data: number }) => message.data)).toEqual([1, 2]);
    expect((await get(`/api/v1/pop/queue/${queue}`)).status).toBe(204);
    return answer;
  },
  async "/api/v1/pop/queue/:queue/partition/:partition"() {
    const { queue } = await filled();
    const answer = await get(`/api/v1/pop/queue/${queue}/partition/p`);
    expect(answer.json.messages).toHaveLength(1);
    expect((await get(`/api/v1/pop/queue/${queue}/partition/other`)).status).toBe(204);
    return answer;
  },
  async "/api/v1/pop"() {
    const { namespace } = await filled();
    const answer = await get("/api/v1/pop", `?namespace=${namespace}&batch=5`);
    expect(answer.json.messages).toHaveLength(2);
    expect((await get("/api/v1/pop", `?namespace=${namespace}`)).status).toBe(204);
    return answer;
  },
  async "/api/v1/ack"() {
    const [message] = await api.pop((await filled()).queue);
    const { transactionId, partitionId, leaseId } = message!;
    const answer = await post("/api/v1/ack", { transactionId, partitionId, leaseId });
    expect(answer.json).toMatchObject([{ success: true, leaseReleased: true }]);
    return answer;
  },
  async "/api/v1/ack/batch"() {
    const batch = await api.pop((await filled()).queue, { batch: 2 });
    const acknowledgments = batch.map(({ transactionId, partitionId }) => ({ transactionId, partitionId }));
    const answer = await post("/api/v1/ack/batch", { acknowledgments });
    expect(answer.json).toMatchObject([{ success: true }, { success: true }]);
    return answer;
  },
  async "/api/v1/lease/:leaseId/extend"() {
    const [message] = await api.pop((await filled()).queue);
    const answer = await post(`/api/v1/lease/${message!.leaseId}/extend`, { seconds: 600 });
    expect(answer.json).toMatchObject({ success: true, leaseId: message!.leaseId });
    expect((await api.http.postRaw(`/api/v1/lease/${message!.leaseId}/extend/binary`)).json.success).toBe(true);
    return answer;
  },
  async "/api/v1/lease/:leaseId/ack"() {
    const [message] = await api.pop((await filled()).queue, { batch: 2 });
    const answer = await post(`/api/v1/lease/${message!.leaseId}/ack`, {});
    expect(answer.json).toMatchObject({ success: true, acknowledged: 2 });
    return answer;
  },
  async "/streams/v1/cycle"() {
    const { queue } = await filled();
    const body = { name: uniqueName("query"), source_queue: queue, config_hash: "h" };
    const { query_id } = (await api.http.post("/streams/v1/queries", body)).json;
    const [message] = await api.pop(queue, { consumerGroup: `streams.${query_id}`, batch: 2 });
    const { partitionId: partition_id, transactionId, leaseId } = message!;
    const consumer_group = `streams.${query_id}`;
    const cycle = { query_id, partition_id, consumer_group, ack: { transactionId, leaseId } };
    const answer = await post("/streams/v1/cycle", cycle);
    expect(answer.json.ack_result).toMatchObject({ success: true });
    return answer;
  },
  async "/streams/v1/state/get"() {
    const ids = { query_id: crypto.randomUUID(), partition_id: crypto.randomUUID() };
    const answer = await post("/streams/v1/state/get", ids);
    expect(answer.json).toEqual({ success: true, rows: [] });
    expect((await post("/streams/v1/state/get", { ...ids, query_id: "x" })).status).toBe(400);
    return answer;
  },
};

describe("a hot route under /binary", () => {
  const paths = OPERATIONS.filter((operation) => operation.hot).map((operation) => [operation.path] as const);

  test.each(paths)("%s reads and answers CBOR without being asked", async (path) => {
    expect(CALLS, "every hot route has a call here").toContainKey(path);
    const answer = await CALLS[path]!();
    expect(answer.headers.get("content-type")).toBe("application/cbor");
  });

  test.each(paths)("%s says what is wrong in CBOR", async (path) => {
    const operation = OPERATIONS.find((one) => one.path === path)!;
    const bad = `${path.replace(/:\w+/g, "x".repeat(300))}/binary`;
    const answer =
      operation.method === "GET" ? await api.http.get(bad) : await api.http.postRaw(bad, new Uint8Array([0xff]));
    expect(answer.status).toBe(400);
    expect(answer.headers.get("content-type")).toBe("application/cbor");
    expect(answer.json.error).toBeString();
  });
});
