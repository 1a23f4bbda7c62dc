import { describe, expect, test } from "bun:test";
import { leasedAckOf, type Popped, popPath, query } from "../support/api.ts";
import { type Answer, fromCbor, toCbor } from "../support/http.ts";
import { UUID, uniqueName, uuidV7 } from "../support/names.ts";
import { useSharedServer } from "../support/shared.ts";

const api = useSharedServer();

function expectCbor(answer: Answer, status: number): void {
  expect(answer.status, answer.text).toBe(status);
  expect(answer.headers.get("content-type")).toBe("application/cbor");
}

describe("hot routes in CBOR", () => {
  test("push, pop, ack: the same shapes as in JSON", async () => {
    const queue = uniqueName("cbor");
    const pushed = await api.http.postCbor("/api/v1/push", {
      items: [
        { queue, partition: "p", transactionId: "t", payload: { n: 1 }, traceId: uuidV7() },
        { queue, partition: "p" },
      ],
    });
    expectCbor(pushed, 201);
    expect(pushed.json).toMatchObject([
      { index: 0, status: "queued", transaction_id: "t", queueName: queue },
      { index: 1, status: "queued", trace_id: null },
    ]);
    const popped = await api.http.getCbor(popPath(queue) + query({ batch: 10 }));
    expectCbor(popped, 200);
    expect(popped.json).toMatchObject({ success: true, queue, partition: "p", partitionsClaimed: 1 });
    expect(popped.json.leaseId).toMatch(UUID);
    const [first, second]: Popped[] = popped.json.messages;
    expect(Object.keys(first!).sort()).toEqual([
      "consumerGroup",
      "createdAt",
      "data",
      "id",
      "leaseId",
      "partition",
      "partitionId",
      "producerSub",
      "traceId",
      "transactionId",
    ]);
    expect(first).toMatchObject({
      data: { n: 1 },
      transactionId: "t",
      createdAt: expect.any(String),
      producerSub: null,
    });
    expect(second!.data).toBeNull();
    const acked = await api.http.postCbor("/api/v1/ack", leasedAckOf(first!));
    expectCbor(acked, 200);
    expect(acked.json).toMatchObject([{ index: 0, transactionId: "t", success: true, error: null, queueName: queue }]);
    const batch = await api.http.postCbor("/api/v1/ack/batch", { acknowledgments: [leasedAckOf(second!)] });
    expectCbor(batch, 200);
    expect(batch.json).toMatchObject([{ success: true, leaseReleased: true }]);
  });

  test("transaction and lease extend", async () => {
    const queue = uniqueName("cbor");
    const done = await api.http.postCbor("/api/v1/transaction", {
      operations: [{ type: "push", items: [{ queue, partition: "p", payload: [1, 2] }] }],
    });
    expectCbor(done, 200);
    expect(done.json).toMatchObject({ success: true, results: [{ index: 0, type: "push", queueName: queue }] });
    const { json } = await api.http.getCbor(popPath(queue, "p"));
    expect(json.messages[0].data).toEqual([1, 2]);
    const extended = await api.http.postCbor(`/api/v1/lease/${json.leaseId}/extend`, { seconds: 400 });
    expectCbor(extended, 200);
    expect(extended.json).toMatchObject({ success: true, leaseId: json.leaseId });
  });

  test("an empty push", async () => {
    const answer = await api.http.postCbor("/api/v1/push", { items: [] });
    expectCbor(answer, 201);
    expect(answer.json).toEqual([]);
  });

  test("pop by namespace", async () => {
    const queue = uniqueName("cbor");
    await api.push({ queue, payload: 1 });
    const answer = await api.http.getCbor(`/api/v1/pop${query({ namespace: queue })}`);
    expectCbor(answer, 200);
    expect(answer.json.messages[0].data).toBe(1);
  });

  test("an error", async () => {
    const answer = await api.http.postCbor("/api/v1/push", { items: [{ queue: 5 }] });
    expect(answer.status).toBe(400);
    expect(answer.json).toEqual({ error: "Queue must be a string" });
  });

  test("under a path that ends in /binary, whatever the headers say of Accept", async () => {
    const queue = uniqueName("cbor");
    const raw = toCbor({ items: [{ queue, payload: new Uint8Array([0, 255]) }] });
    const pushed = await api.http.postRaw("/api/v1/push/binary", raw, { "content-type": "application/octet-stream" });
    expectCbor(pushed, 201);
    const popped = await api.http.get(`${popPath(queue)}/binary?batch=5`);
    expectCbor(popped, 200);
    expect([...popped.json.messages[0].data]).toEqual([0, 255]);
    const acked = await api.http.postRaw("/api/v1/ack/binary", toCbor(leasedAckOf(popped.json.messages[0])), {
      "content-type": "application/octet-stream",
    });
    expectCbor(acked, 200);
    expect((fromCbor(acked.bytes) as { success: boolean }[])[0]!.success).toBe(true);
  });
});

/** Values that CBOR carries and their JSON text, if they have one. */
const values: [what: string, value: unknown, json?: string][] = [
  ["null", null, "null"],
  ["true", true, "true"],
  ["an integer", 42, "42"],
  ["a negative integer", -1000, "-1000"],
  ["a fraction", 1.5, "1.5"],
  ["2^53 + 1", 9007199254740993n, "9007199254740993"],
  ["2^64 - 1", 18446744073709551615n, "18446744073709551615"],
  ["-2^63", -9223372036854775808n, "-9223372036854775808"],
  ["text", "žluťoučký 日本 😀", '"žluťoučký 日本 😀"'],
  ["text with NUL", "a\u0000b", '"a\\u0000b"'],
  ["an empty text", "", '""'],
  ["an array", [1, [2, []]], "[1,[2,[]]]"],
  ["an empty map", {}, "{}"],
  ["a map in its order", { b: 1, a: { z: null } }, '{"b":1,"a":{"z":null}}'],
  ["bytes", new Uint8Array([0, 1, 128, 255])],
  ["no bytes", new Uint8Array([])],
  ["bytes deep inside", { a: [{ b: new Uint8Array([9]) }] }],
  ["a megabyte of bytes", new Uint8Array(1_000_000).fill(7)],
];

/** Makes decoder-dependent types comparable: any bytes to an array, safe bigints to numbers. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return { bytes: Buffer.from(value).toString("base64") };
  if (typeof value === "bigint") return BigInt.asIntN(54, value) === value ? Number(value) : value;
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
}

describe("payloads in CBOR", () => {
  test.each(values)("%s comes back equal as CBOR", async (_what, value) => {
    const queue = uniqueName("cbor");
    expectCbor(await api.http.postCbor("/api/v1/push", { items: [{ queue, payload: value }] }), 201);
    const popped = await api.http.getCbor(popPath(queue));
    expectCbor(popped, 200);
    expect(plain(popped.json.messages[0].data)).toEqual(plain(value));
  });

  test.each(values.filter((row): row is [string, unknown, string] => row[2] !== undefined))(
    "%s comes back as its JSON text",
    async (_what, value, json) => {
      const queue = uniqueName("cbor");
      await api.http.postCbor("/api/v1/push", { items: [{ queue, payload: value }] });
      const popped = await api.http.get(popPath(queue));
      expect(popped.status).toBe(200);
      expect(popped.headers.get("content-type")).toStartWith("application/json");
      expect(popped.text).toContain(`"data":${json}`);
    },
  );

  test.each(values.filter((row): row is [string, unknown, string] => row[2] !== undefined))(
    "%s pushed as JSON comes back as CBOR",
    async (_what, value, json) => {
      const queue = uniqueName("cbor");
      await api.http.postRaw("/api/v1/push", `{"items":[{"queue":"${queue}","payload":${json}}]}`);
      const popped = await api.http.getCbor(popPath(queue));
      expectCbor(popped, 200);
      expect(plain(popped.json.messages[0].data)).toEqual(plain(value));
    },
  );

  test("bytes asked for in JSON are text of some kind, never an error", async () => {
    const queue = uniqueName("cbor");
    await api.http.postCbor("/api/v1/push", { items: [{ queue, payload: { b: new Uint8Array([1, 2]) } }] });
    const popped = await api.http.get(popPath(queue));
    expect(popped.status).toBe(200);
    expect(popped.json.messages[0].data.b).toBeString();
  });

  test("a partition filled in both encodings is delivered whole and in order in either", async () => {
    const queue = uniqueName("cbor");
    for (let n = 0; n < 6; n++) {
      const items = [{ queue, partition: "p", payload: { n }, transactionId: `t${n}` }];
      await (n % 2 === 0 ? api.http.post("/api/v1/push", { items }) : api.http.postCbor("/api/v1/push", { items }));
    }
    const path = (consumerGroup: string): string => popPath(queue) + query({ batch: 10, consumerGroup });
    const numbers = (answer: Answer): number[] => answer.json.messages.map((message: Popped) => message.data.n);
    expect(numbers(await api.http.get(path("a")))).toEqual([0, 1, 2, 3, 4, 5]);
    expect(numbers(await api.http.getCbor(path("b")))).toEqual([0, 1, 2, 3, 4, 5]);
  });

  test("an id pushed in one encoding is a duplicate in the other", async () => {
    const queue = uniqueName("cbor");
    for (const transactionId of [uuidV7(), "free text"]) {
      const items = [{ queue, transactionId }];
      const [first] = (await api.http.postCbor("/api/v1/push", { items })).json;
      const [second] = (await api.http.post("/api/v1/push", { items })).json;
      expect(second).toMatchObject({ status: "duplicate", message_id: first.message_id });
    }
  });

  test("a dead letter and a message of CBOR bytes can be read as JSON", async () => {
    const queue = uniqueName("cbor");
    await api.http.postCbor("/api/v1/push", { items: [{ queue, payload: { n: 1 }, transactionId: "t" }] });
    const [message] = await api.pop(queue);
    await api.ack(leasedAckOf(message!, "dlq"));
    expect((await api.deadLetters({ queue }))[0]!.data).toEqual({ n: 1 });
    expect((await api.message(message!)).payload).toEqual({ n: 1 });
  });
});
