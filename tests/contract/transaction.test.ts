import { describe, expect, test } from "bun:test";
import { ackOf, type Popped, payloads } from "../support/api.ts";
import { UUID, UUID_V7, uniqueName } from "../support/names.ts";
import { useSharedServer } from "../support/shared.ts";

const api = useSharedServer();

/** A queue with these payloads in partition `p`, and its first messages popped. */
async function popped(values: unknown[], options: object = {}): Promise<{ queue: string; messages: Popped[] }> {
  const queue = uniqueName("tx");
  await api.configure(queue, options);
  await api.pushAll(queue, "p", values);
  return { queue, messages: await api.pop(queue, { batch: values.length }) };
}

const ackOperation = (message: Popped, more: object = {}): object => ({ type: "ack", ...ackOf(message), ...more });

describe("POST /api/v1/transaction", () => {
  test("acks and pushes together, answering flattened results", async () => {
    const { queue, messages } = await popped([1]);
    const next = uniqueName("tx");
    const answer = await api.http.post("/api/v1/transaction", {
      operations: [
        ackOperation(messages[0]!),
        {
          type: "push",
          items: [{ queue: next, partition: "p", payload: { n: 2 }, transactionId: "a" }, { queue: next }],
        },
      ],
      requiredLeases: [messages[0]!.leaseId],
    });
    expect(answer.status).toBe(200);
    const pushed = (index: number, transactionId: unknown) => ({
      index,
      type: "push",
      success: true,
      transactionId,
      messageId: expect.stringMatching(UUID_V7),
      partitionId: expect.stringMatching(UUID),
      queueName: next,
    });
    expect(answer.json).toEqual({
      success: true,
      transactionId: expect.stringMatching(UUID),
      results: [
        { index: 0, type: "ack", success: true, transactionId: "1", error: null, dlq: false },
        pushed(1, "a"),
        pushed(2, expect.stringMatching(UUID)),
      ],
    });
    expect(await api.pop(queue)).toEqual([]);
    expect(payloads(await api.popPartition(next, "p"))).toEqual([{ n: 2 }]);
    expect(payloads(await api.popPartition(next, "Default"))).toEqual([{}]);
  });

  test("pushes to several queues at once, each in order", async () => {
    const queues = [uniqueName("tx"), uniqueName("tx"), uniqueName("tx")];
    const result = await api.transaction(
      queues.map((queue) => ({ type: "push", items: [1, 2].map((payload) => ({ queue, payload })) })),
    );
    expect(result.success).toBe(true);
    for (const queue of queues) expect(payloads(await api.pop(queue, { batch: 10 }))).toEqual([1, 2]);
  });

  test("takes a push without items as a single push", async () => {
    const [a, b] = [uniqueName("tx"), uniqueName("tx")];
    const result = await api.transaction([
      { type: "push", queue: a, partition: "p", payload: "payload", transactionId: "t" },
      { type: "push", queue: b, data: "data" },
    ]);
    expect(result.results.map((one: { queueName: string }) => one.queueName)).toEqual([a, b]);
    expect(payloads(await api.popPartition(a, "p"))).toEqual(["payload"]);
    expect(payloads(await api.popPartition(b, "Default"))).toEqual(["data"]);
  });

  test("ignores requiredLeases", async () => {
    const { messages } = await popped([1]);
    const operations = [ackOperation(messages[0]!)];
    const answer = await api.http.post("/api/v1/transaction", {
      operations,
      requiredLeases: ["nonsense", crypto.randomUUID()],
    });
    expect(answer.json.success).toBe(true);
  });

  test("releases each of several partitions whose batch it completes", async () => {
    const queue = uniqueName("tx");
    await api.push(
      ...["a", "b"].flatMap((partition) => [1, 2].map((n) => ({ queue, partition, payload: `${partition}${n}` }))),
    );
    const messages = await api.pop(queue, { batch: 10, partitions: 2 });
    expect(messages).toHaveLength(4);
    await api.push({ queue, partition: "a", payload: "a3" }, { queue, partition: "b", payload: "b3" });
    expect((await api.transaction(messages.map((message) => ackOperation(message)))).success).toBe(true);
    expect(payloads(await api.pop(queue, { batch: 10, partitions: 2 })).sort()).toEqual(["a3", "b3"]);
  });

  test("keeps the lease while part of the batch is unacknowledged", async () => {
    const { queue, messages } = await popped([1, 2]);
    await api.transaction([ackOperation(messages[0]!)]);
    expect(await api.pop(queue)).toEqual([]);
    await api.transaction([ackOperation(messages[1]!)]);
    await api.pushAll(queue, "p", [3]);
    expect(payloads(await api.pop(queue))).toEqual([3]);
  });

  test.each([
    ["failed", 3],
    ["failed", 0],
    ["dlq", 3],
  ])("an ack %s with retryLimit %d dead-letters at once and releases", async (status, retryLimit) => {
    const { queue, messages } = await popped([1, 2].slice(0, 1), { retryLimit });
    await api.pushAll(queue, "p", [2]);
    const result = await api.transaction([ackOperation(messages[0]!, { status, error: "boom" })]);
    expect(result).toMatchObject({ success: true, results: [{ index: 0, type: "ack", success: true, dlq: true }] });
    expect(await api.deadLetters({ queue })).toMatchObject([{ data: 1, errorMessage: "boom", retryCount: 0 }]);
    expect(payloads(await api.pop(queue))).toEqual([2]);
  });

  test("a dead letter without a text reads Unknown error", async () => {
    const { queue, messages } = await popped([1]);
    await api.transaction([ackOperation(messages[0]!, { status: "failed" })]);
    expect((await api.deadLetters({ queue }))[0]!.errorMessage).toBe("Unknown error");
  });

  test("checks the lease of an ack that names one", async () => {
    const { messages } = await popped([1]);
    const [message] = messages;
    const wrong = await api.transaction([ackOperation(message!, { leaseId: crypto.randomUUID() })]);
    expect(wrong).toMatchObject({ success: false, error: "ACK operation failed: Invalid or expired lease" });
    const right = await api.transaction([ackOperation(message!, { leaseId: message!.leaseId })]);
    expect(right.success).toBe(true);
  });
});

/** Each makes the operation that must fail, from the first message of the queue, and the text that it fails with. */
const failures: [what: string, operation: (message: Popped, queue: string) => object, error: string | RegExp][] = [
  [
    "an ack of an unknown message",
    (message) => ackOperation(message, { transactionId: "nobody" }),
    "ACK operation failed: Message not found",
  ],
  [
    "an ack in an unknown partition",
    (message) => ackOperation(message, { partitionId: crypto.randomUUID() }),
    "ACK operation failed: Message not found",
  ],
  [
    "an ack under a wrong lease",
    (message) => ackOperation(message, { leaseId: crypto.randomUUID() }),
    "ACK operation failed: Invalid or expired lease",
  ],
  [
    "an ack with an unknown status",
    (message) => ackOperation(message, { status: "perhaps" }),
    "ACK operation failed: Unknown error",
  ],
  [
    "an ack with status retry",
    (message) => ackOperation(message, { status: "retry" }),
    "ACK operation failed: Unknown error",
  ],
  ["an unknown operation", () => ({ type: "dance" }), "Unknown operation type: dance"],
  ["an operation without a type", () => ({}), "Unknown operation type: null"],
  [
    "a push of a transaction id that exists",
    (_, queue) => ({ type: "push", items: [{ queue, partition: "p", transactionId: "1" }] }),
    /./,
  ],
  [
    "two pushes of one transaction id",
    () => ({
      type: "push",
      items: [1, 2].map((n) => ({ queue: "tx-twice", transactionId: `${process.pid}-same`, payload: n })),
    }),
    /./,
  ],
];

describe("a transaction that fails", () => {
  test.each(failures)("because of %s applies nothing", async (_what, operation, error) => {
    const { queue, messages } = await popped([1, 2]);
    const next = uniqueName("tx");
    const answer = await api.http.post("/api/v1/transaction", {
      operations: [
        { type: "push", items: [{ queue: next, payload: "before" }] },
        ackOperation(messages[0]!),
        operation(messages[1]!, queue),
        { type: "push", items: [{ queue: next, payload: "after" }] },
      ],
    });
    expect(answer.status).toBe(200);
    expect(answer.json).toMatchObject({ success: false, transactionId: expect.stringMatching(UUID) });
    if (typeof error === "string") expect(answer.json.error).toBe(error);
    else expect(answer.json.error).toMatch(error);
    expect(Array.isArray(answer.json.results)).toBe(true);
    expect(await api.pop(next, { batch: 10 })).toEqual([]);
    expect(await api.deadLetters({ queue })).toEqual([]);
    const retried = await api.ackBatch(messages.map((message) => ({ ...ackOf(message), leaseId: message.leaseId })));
    expect(retried.map((result) => result.success)).toEqual([true, true]);
    expect(retried[1]!.leaseReleased).toBe(true);
  });

  test("a failed push of a duplicate leaves the ids of its other pushes free", async () => {
    const queue = uniqueName("tx");
    await api.push({ queue, transactionId: "taken" });
    const items = ["free", "taken"].map((transactionId) => ({ queue, transactionId }));
    expect((await api.transaction([{ type: "push", items }])).success).toBe(false);
    expect((await api.push({ queue, transactionId: "free" }))[0]!.status).toBe("queued");
  });
});
