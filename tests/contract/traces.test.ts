import { describe, expect, test } from "bun:test";
import { type Popped, query } from "../support/api.ts";
import { UUID, uniqueName } from "../support/names.ts";
import { useSharedServer } from "../support/shared.ts";

const api = useSharedServer();

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;

async function delivered(): Promise<Popped> {
  const queue = uniqueName("trace");
  await api.push({ queue, partition: "c-42", payload: { n: 1 } });
  return (await api.pop(queue))[0]!;
}

async function trace(message: Popped, body: object): Promise<void> {
  const { transactionId, partitionId } = message;
  const answer = await api.http.post("/api/v1/traces", { transactionId, partitionId, ...body });
  expect(answer.status).toBe(201);
  expect(answer.json).toEqual({ success: true, traceId: expect.stringMatching(UUID) });
}

const of = (message: Popped): string => `/api/v1/traces/${message.partitionId}/${message.transactionId}`;

describe("traces", () => {
  test("GET of a message lists its events, oldest first, with every field", async () => {
    const message = await delivered();
    const name = uniqueName("name");
    await trace(message, { data: { step: 1 }, consumerGroup: "g", eventType: "step", traceNames: [name, `${name}-b`] });
    await trace(message, { data: "text" });
    const answer = await api.http.get(of(message));
    expect(answer.status).toBe(200);
    expect(answer.json).toEqual({
      traces: [
        {
          id: expect.stringMatching(UUID),
          event_type: "step",
          data: { step: 1 },
          consumer_group: "g",
          worker_id: answer.json.traces[0].worker_id,
          created_at: expect.stringMatching(TIME),
          trace_names: expect.arrayContaining([name, `${name}-b`]),
        },
        expect.objectContaining({ event_type: "info", data: "text", trace_names: null }),
      ],
    });
  });

  test("GET of a message without events is an empty list", async () => {
    expect((await api.http.get(of(await delivered()))).json).toEqual({ traces: [] });
  });

  test("GET by name lists the events of all messages that carry it", async () => {
    const name = `${uniqueName("name")} a/b`;
    const [first, second] = [await delivered(), await delivered()];
    await trace(first, { data: 1, traceNames: name });
    await trace(second, { data: 2, traceNames: [name] });
    await trace(second, { data: 3, traceNames: ["another"] });
    const path = `/api/v1/traces/by-name/${encodeURIComponent(name)}`;
    const { json } = await api.http.get(path);
    expect(json).toMatchObject({ total: 2, pagination: { limit: 100, offset: 0 } });
    expect(json.traces[0]).toEqual({
      id: expect.stringMatching(UUID),
      transaction_id: first.transactionId,
      partition_id: first.partitionId,
      event_type: "info",
      data: 1,
      consumer_group: json.traces[0].consumer_group,
      worker_id: json.traces[0].worker_id,
      created_at: expect.stringMatching(TIME),
      queue_name: expect.any(String),
      partition_name: "c-42",
      message_payload: { n: 1 },
      trace_names: [name],
    });
    expect(json.traces.map((one: { data: number }) => one.data)).toEqual([1, 2]);
    const page = (await api.http.get(path + query({ limit: 1, offset: 1 }))).json;
    expect(page).toMatchObject({ total: 2, pagination: { limit: 1, offset: 1 }, traces: [{ data: 2 }] });
    expect(page.traces).toHaveLength(1);
    expect((await api.http.get(path + query({ offset: 5 }))).json).toMatchObject({ total: 2, traces: [] });
  });

  test("GET by an unknown name is empty", async () => {
    const { json } = await api.http.get(`/api/v1/traces/by-name/${uniqueName("nobody")}`);
    expect(json).toEqual({ traces: [], total: 0, pagination: { limit: 100, offset: 0 } });
  });

  test("GET names counts events and messages, last seen first, in pages", async () => {
    const [older, newer] = [uniqueName("older"), uniqueName("newer")];
    const message = await delivered();
    await trace(message, { data: 1, traceNames: [older] });
    await trace(message, { data: 2, traceNames: [newer] });
    await trace(message, { data: 3, traceNames: [newer] });
    const { json } = await api.http.get("/api/v1/traces/names");
    expect(json).toMatchObject({ pagination: { limit: 50, offset: 0 } });
    expect(json.total).toBeGreaterThanOrEqual(2);
    expect(json.trace_names.slice(0, 2)).toEqual([
      { trace_name: newer, trace_count: 2, message_count: 1, last_seen: expect.stringMatching(TIME) },
      { trace_name: older, trace_count: 1, message_count: 1, last_seen: expect.stringMatching(TIME) },
    ]);
    const page = (await api.http.get("/api/v1/traces/names?limit=1&offset=1")).json;
    expect(page.trace_names.map((one: { trace_name: string }) => one.trace_name)).toEqual([older]);
    expect(page.pagination).toEqual({ limit: 1, offset: 1 });
  });

  test("POST for an unknown message fails without a server error", async () => {
    for (const partitionId of [crypto.randomUUID(), "no-uuid"]) {
      const answer = await api.http.post("/api/v1/traces", { transactionId: "t", partitionId, data: 1 });
      expect(answer.status).toBeLessThan(500);
      expect(answer.json.error).toMatch(/Message not found|partitionId/);
    }
  });

  test("keeps data of any JSON type", async () => {
    const message = await delivered();
    const values = [0, false, "", [], {}, { deep: [1, { x: null }] }];
    for (const data of values) await trace(message, { data });
    const { json } = await api.http.get(of(message));
    expect(json.traces.map((one: { data: unknown }) => one.data)).toEqual(values);
  });

  test("vanish with their message", async () => {
    const message = await delivered();
    const name = uniqueName("name");
    await trace(message, { data: 1, traceNames: name });
    await api.http.del(`/api/v1/messages/${message.partitionId}/${message.transactionId}`);
    expect((await api.http.get(of(message))).json).toEqual({ traces: [] });
    expect((await api.http.get(`/api/v1/traces/by-name/${name}`)).json.traces).toEqual([]);
  });
});
