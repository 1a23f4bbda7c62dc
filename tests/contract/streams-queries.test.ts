import { describe, expect, test } from "bun:test";
import { UUID, uniqueName } from "../support/names.ts";
import { useSharedServer } from "../support/shared.ts";
import { cycle, registerQuery, states } from "../support/streams.ts";

const api = useSharedServer();
const QUERIES = "/streams/v1/queries";

/** A registered query, and the partition of a queue with a message. */
async function place(): Promise<{ name: string; query_id: string; partition_id: string }> {
  const name = uniqueName("query");
  const query_id = await registerQuery(api, { name });
  const [pushed] = await api.push({ queue: uniqueName("source") });
  return { name, query_id, partition_id: pushed!.partition_id! };
}

const upsert = (key: string, value: unknown) => ({ type: "upsert", key, value });
const keysOf = (rows: { key: string }[]) => rows.map((row) => row.key);

describe("POST /streams/v1/queries", () => {
  test("registers a query once, by its name", async () => {
    const body = { name: uniqueName("query"), source_queue: "s", sink_queue: "t", config_hash: "h1" };
    const first = await api.http.post(QUERIES, body);
    expect(first.status).toBe(200);
    expect(first.json).toEqual({
      success: true,
      query_id: expect.stringMatching(UUID),
      name: body.name,
      config_hash: "h1",
      fresh: true,
      reset: false,
    });
    const again = await api.http.post(QUERIES, { ...body, source_queue: "u", sink_queue: "" });
    expect(again.json).toEqual({ ...first.json, fresh: false });
  });

  test("registers a query once among many at the same time", async () => {
    const body = { name: uniqueName("query"), source_queue: "s", config_hash: "h" };
    const answers = await Promise.all(Array.from({ length: 20 }, () => api.http.post(QUERIES, body)));
    expect(new Set(answers.map((answer) => answer.json.query_id)).size).toBe(1);
    expect(answers.filter((answer) => answer.json.fresh)).toHaveLength(1);
  });

  test("refuses another hash with 409, and changes nothing", async () => {
    const at = await place();
    await cycle(api, { ...at, state_ops: [upsert("k", 1)] });
    const other = { name: at.name, source_queue: "s", config_hash: "other" };
    for (const reset of [undefined, false, null]) {
      const answer = await api.http.post(QUERIES, { ...other, reset });
      expect(answer.status).toBe(409);
      expect(answer.json).toEqual({
        success: false,
        query_id: at.query_id,
        name: at.name,
        error: `config_hash mismatch: operator chain changed for queryId '${at.name}'. Pass reset:true to wipe existing state, or use a new queryId.`,
      });
    }
    expect(keysOf(await states(api, at))).toEqual(["k"]);
    const same = await api.http.post(QUERIES, { ...other, config_hash: "h" });
    expect(same.status).toBe(200);
  });

  test("takes another hash with reset, and gives up the state", async () => {
    const at = await place();
    const elsewhere = await place();
    for (const one of [at, elsewhere]) await cycle(api, { ...one, state_ops: [upsert("k", 1), upsert("l", 1)] });
    const body = { name: at.name, source_queue: "s", config_hash: "h2", reset: true };
    const { json } = await api.http.post(QUERIES, body);
    expect(json).toMatchObject({ success: true, query_id: at.query_id, config_hash: "h2", fresh: false, reset: true });
    expect(await states(api, at)).toEqual([]);
    expect(keysOf(await states(api, elsewhere))).toEqual(["k", "l"]);
    await cycle(api, { ...at, state_ops: [upsert("k", 2)] });
    expect(await states(api, at)).toMatchObject([{ key: "k", value: 2 }]);
  });

  test("keeps the state when reset comes with the same hash", async () => {
    const at = await place();
    await cycle(api, { ...at, state_ops: [upsert("k", 1)] });
    const { json } = await api.http.post(QUERIES, { name: at.name, source_queue: "s", config_hash: "h", reset: true });
    expect(json).toMatchObject({ success: true, fresh: false, reset: false });
    expect(keysOf(await states(api, at))).toEqual(["k"]);
  });
});

describe("POST /streams/v1/state/get", () => {
  const KEYS = ["", "a%b", "a_b", "aXb", "ab", "b", "Zulu", "é", "\u{d7ff}x", "\u{e000}", "\u{10ffff}", "\u{10ffff}y"];

  test("answers states by key, with the time in PostgreSQL's own form", async () => {
    const at = await place();
    await cycle(api, { ...at, state_ops: KEYS.map((key) => upsert(key, { key })) });
    const { json } = await api.http.post("/streams/v1/state/get", at);
    expect(json.success).toBe(true);
    const byBytes = [...KEYS].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    expect(keysOf(json.rows)).toEqual(byBytes);
    for (const row of json.rows) {
      expect(Object.keys(row).sort()).toEqual(["key", "updated_at", "value"]);
      expect(row.value).toEqual({ key: row.key });
      expect(row.updated_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00$/);
      expect(Math.abs(Date.now() - Date.parse(row.updated_at))).toBeLessThan(60_000);
    }
  });

  test("moves updated_at with every change", async () => {
    const at = await place();
    await cycle(api, { ...at, state_ops: [upsert("k", 1), upsert("l", 1)] });
    const before = await states(api, at);
    await cycle(api, { ...at, state_ops: [upsert("k", 1)] });
    const after = await states(api, at);
    expect(after[0]!.updated_at > before[0]!.updated_at).toBe(true);
    expect(after[1]!.updated_at).toBe(before[1]!.updated_at);
  });

  test.each([
    ["a%", ["a%b"]],
    ["a_", ["a_b"]],
    ["a", ["a%b", "aXb", "a_b", "ab"]],
    ["\u{d7ff}", ["\u{d7ff}x"]],
    ["\u{10ffff}", ["\u{10ffff}", "\u{10ffff}y"]],
    ["none", []],
    ["", [...KEYS].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))],
  ])("takes the prefix %j as it stands", async (key_prefix, keys) => {
    const at = await place();
    await cycle(api, { ...at, state_ops: KEYS.map((key) => upsert(key, 1)) });
    expect(keysOf(await states(api, { ...at, key_prefix }))).toEqual(keys);
  });

  test("keeps what is ripe: a numeric windowEnd up to the given one", async () => {
    const at = await place();
    const values = { a: 10, b: 20.5, c: 21, d: "10", e: null, f: true, g: [10] };
    const state_ops = Object.entries(values).map(([key, windowEnd]) => upsert(key, { windowEnd }));
    await cycle(api, { ...at, state_ops: [...state_ops, upsert("h", 10), upsert("i", null), upsert("j", {})] });
    expect(keysOf(await states(api, { ...at, ripe_at_or_before: 20.5 }))).toEqual(["a", "b"]);
    expect(keysOf(await states(api, { ...at, ripe_at_or_before: -1 }))).toEqual([]);
    await cycle(api, { ...at, state_ops: [upsert("a", { windowEnd: 99 }), upsert("b", {})] });
    expect(keysOf(await states(api, { ...at, ripe_at_or_before: 50 }))).toEqual(["c"]);
    expect(await states(api, { ...at, ripe_at_or_before: null })).toHaveLength(10);
  });

  test("takes all of its conditions together; no keys, null and an empty list are all of them", async () => {
    const at = await place();
    const state_ops = ["w1", "w2", "x1"].map((key, n) => upsert(key, { windowEnd: n }));
    await cycle(api, { ...at, state_ops });
    expect(keysOf(await states(api, { ...at, keys: ["x1", "w2", "w2", "none"] }))).toEqual(["w2", "x1"]);
    expect(keysOf(await states(api, { ...at, keys: ["x1", "w2"], key_prefix: "w" }))).toEqual(["w2"]);
    expect(keysOf(await states(api, { ...at, keys: ["x1", "w1"], ripe_at_or_before: 1 }))).toEqual(["w1"]);
    for (const keys of [[], null, undefined]) expect(await states(api, { ...at, keys })).toHaveLength(3);
  });

  test("shows nothing of other queries, partitions, and unknown ones", async () => {
    const [one, two] = [await place(), await place()];
    await cycle(api, { ...one, state_ops: [upsert("k", 1)] });
    expect(await states(api, { ...one, query_id: two.query_id })).toEqual([]);
    expect(await states(api, { ...one, partition_id: two.partition_id })).toEqual([]);
    expect(await states(api, { ...one, query_id: crypto.randomUUID() })).toEqual([]);
    expect(await states(api, { ...one, partition_id: crypto.randomUUID() })).toEqual([]);
  });
});

describe("a bad request", () => {
  const id = crypto.randomUUID();
  const ids = { query_id: id, partition_id: id };
  const query = { name: "n", source_queue: "s", config_hash: "h" };
  const op = (fields: object) => ({ ...ids, state_ops: [{ type: "upsert", key: "k", ...fields }] });
  const item = (fields: object) => ({ ...ids, push_items: [{ queue: "q", ...fields }] });
  const cases: [path: string, body: unknown, error: string | RegExp][] = [
    ...["queries", "cycle", "state/get"].flatMap((path): [string, unknown, string][] =>
      [[], "x", 5, null, [ids]].map((body) => [path, body, "request body must be a JSON object"]),
    ),
    ...["name", "source_queue", "config_hash"].flatMap((field): [string, unknown, string | RegExp][] => [
      ["queries", { ...query, [field]: undefined }, `${field} is required`],
      ["queries", { ...query, [field]: null }, `${field} is required`],
      ["queries", { ...query, [field]: "" }, `${field} is required`],
      ["queries", { ...query, [field]: 5 }, `${field} is required`],
      ["queries", { ...query, [field]: "x".repeat(256) }, new RegExp(field)],
      ["queries", { ...query, [field]: "x\0" }, new RegExp(field)],
    ]),
    ["queries", { ...query, sink_queue: 5 }, /sink_queue/],
    ["queries", { ...query, sink_queue: "x".repeat(256) }, /sink_queue/],
    ["queries", { ...query, reset: "true" }, /reset/],
    ...["cycle", "state/get"].flatMap((path) =>
      ["query_id", "partition_id"].flatMap((field): [string, unknown, string][] => [
        [path, { ...ids, [field]: undefined }, `${field} is required`],
        [path, { ...ids, [field]: "" }, `${field} is required`],
        [path, { ...ids, [field]: 5 }, `${field} is required`],
        [path, { ...ids, [field]: "x" }, `${field} must be a UUID`],
      ]),
    ),
    ["cycle", { ...ids, consumer_group: 5 }, /consumer_group/],
    ["cycle", { ...ids, consumer_group: "x".repeat(256) }, /consumer_group/],
    ["cycle", { ...ids, state_ops: {} }, /state_ops/],
    ["cycle", { ...ids, state_ops: [5] }, /state_ops\[0\]/],
    ["cycle", op({ key: undefined }), /state_ops\[0\]\.key/],
    ["cycle", op({ key: 5 }), /state_ops\[0\]\.key/],
    ["cycle", op({ key: "x\0" }), /state_ops\[0\]\.key/],
    ["cycle", op({ key: "é".repeat(1001) }), /state_ops\[0\]\.key/],
    ["cycle", { ...ids, push_items: {} }, /push_items/],
    ["cycle", { ...ids, push_items: [5] }, /item/],
    ["cycle", item({ queue: undefined }), /queue/i],
    ["cycle", item({ partition: 5 }), /partition/i],
    ["cycle", item({ transactionId: 5 }), /transactionId/i],
    ["cycle", item({ traceId: "x" }), /traceId/],
    ["cycle", { ...ids, ack: [] }, /ack/],
    ["cycle", { ...ids, ack: { transactionId: 5 } }, /ack\.transactionId/],
    ["cycle", { ...ids, ack: { transactionId: "t", leaseId: 5 } }, /ack\.leaseId/],
    ["cycle", { ...ids, ack: { transactionId: "t", status: 5 } }, /ack\.status/],
    ["cycle", { ...ids, ack: { transactionId: "t", count: "3" } }, /ack\.count/],
    ["cycle", { ...ids, ack: { transactionId: "t", count: -1 } }, /ack\.count/],
    ["cycle", { ...ids, release_lease: 0 }, /release_lease/],
    ["state/get", { ...ids, keys: "k" }, /keys/],
    ["state/get", { ...ids, keys: [5] }, /keys\[0\]/],
    ["state/get", { ...ids, key_prefix: 5 }, /key_prefix/],
    ["state/get", { ...ids, ripe_at_or_before: "5" }, /ripe_at_or_before/],
  ];
  test.each(cases)("%s %j is refused with 400", async (path, body, error) => {
    const answer = await api.http.post(`/streams/v1/${path}`, body);
    expect(answer.status).toBe(400);
    expect(Object.keys(answer.json)).toEqual(["error"]);
    if (typeof error === "string") expect(answer.json.error).toBe(error);
    else expect(answer.json.error).toMatch(error);
  });

  test.each(["queries", "cycle", "state/get"])("without a body, %s is refused with 400", async (path) => {
    const answer = await api.http.postRaw(`/streams/v1/${path}`);
    expect([answer.status, answer.json]).toEqual([400, { error: "Empty request body" }]);
    const cut = await api.http.postRaw(`/streams/v1/${path}`, '{"query_id":');
    expect([cut.status, cut.json.error.startsWith("Invalid JSON")]).toEqual([400, true]);
  });
});
