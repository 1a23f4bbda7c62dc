import { describe, expect, test } from "bun:test";
import { type AckItem, ackOf, leasedAckOf, type Popped, payloads } from "../support/api.ts";
import { uniqueName } from "../support/names.ts";
import { useSharedServer } from "../support/shared.ts";

const api = useSharedServer();

describe("POST /api/v1/ack/batch", () => {
  test("answers one result per item, in item order, over several partitions", async () => {
    const queue = uniqueName("batch");
    await api.push(...[0, 1, 2, 3].map((n) => ({ queue, partition: `p${n % 2}`, payload: n, transactionId: `t${n}` })));
    const popped = await api.pop(queue, { batch: 10, partitions: 2 });
    const items = ["t3", "t0", "t2", "t1"].map((id) => leasedAckOf(popped.find((one) => one.transactionId === id)!));
    const answer = await api.http.post("/api/v1/ack/batch", { acknowledgments: items });
    expect(answer.status).toBe(200);
    expect(answer.json.map((result: object) => ({ ...result, leaseReleased: "any" }))).toEqual(
      items.map((item, index) => ({
        index,
        transactionId: item.transactionId,
        success: true,
        error: null,
        queueName: queue,
        partitionName: `p${Number(item.transactionId.slice(1)) % 2}`,
        leaseReleased: "any",
        dlq: false,
      })),
    );
    expect(await api.pop(queue, { batch: 10, partitions: 2 })).toEqual([]);
  });

  test("answers an empty array with an empty array", async () => {
    const answer = await api.http.post("/api/v1/ack/batch", { acknowledgments: [] });
    expect([answer.status, answer.text]).toEqual([200, "[]"]);
  });

  test("the consumer group of the request overrides the ones of its items", async () => {
    const queue = uniqueName("batch");
    await api.pushAll(queue, "p", [1]);
    const [message] = await api.pop(queue, { consumerGroup: "g" });
    const [result] = await api.ackBatch([{ ...leasedAckOf(message!), consumerGroup: "wrong" }], "g");
    expect(result).toMatchObject({ success: true, leaseReleased: true });
  });

  test("each item succeeds or fails on its own", async () => {
    const queue = uniqueName("batch");
    await api.pushAll(queue, "p", [1, 2, 3]);
    const popped = await api.pop(queue, { batch: 3 });
    const results = await api.ackBatch([
      leasedAckOf(popped[0]!),
      { ...leasedAckOf(popped[1]!), transactionId: "nobody" },
      { ...leasedAckOf(popped[1]!), partitionId: "no uuid" },
      { ...leasedAckOf(popped[1]!), partitionId: crypto.randomUUID() },
      { ...leasedAckOf(popped[1]!), leaseId: crypto.randomUUID() },
      leasedAckOf(popped[1]!, "perhaps"),
      leasedAckOf(popped[2]!),
    ]);
    expect(results.map(({ success, error }) => [success, error])).toEqual([
      [true, null],
      [false, "Message not found"],
      [false, "Message not found"],
      [false, "Message not found"],
      [false, "Invalid or expired lease"],
      [false, null],
      [true, null],
    ]);
    expect(await api.ack(leasedAckOf(popped[1]!))).toMatchObject({ success: true, leaseReleased: true });
  });

  test("takes a thousand at once", async () => {
    const queue = uniqueName("batch");
    const numbers = Array.from({ length: 1000 }, (_, n) => n);
    await api.pushAll(queue, "p", numbers);
    const popped = await api.pop(queue, { batch: 1000 });
    expect(payloads(popped)).toEqual(numbers);
    const results = await api.ackBatch(popped.map((message) => leasedAckOf(message)));
    expect(results.filter((result) => result.success)).toHaveLength(1000);
    expect(results.at(-1)!.leaseReleased).toBe(true);
    expect(await api.pop(queue)).toEqual([]);
  });
});

/**
 * One row of the table of batches: A, B and C popped together, then `requests`, each a list of `<letter> <status>`. A
 * second word `bare` in front sends no lease id; `!` behind expects `Invalid or expired lease`.
 */
interface Row {
  name: string;
  retryLimit: number;
  /** Whole-batch failures before the rows' own requests. */
  failuresBefore?: number;
  requests: string[][];
  /** What the next pop of the group gets, or `held` when the lease is still there. */
  next: string[] | "held";
  dead: string[];
}

const rows: Row[] = [
  {
    name: "one request, all completed",
    retryLimit: 3,
    requests: [["A completed", "B completed", "C completed"]],
    next: [],
    dead: [],
  },
  { name: "A completed, nothing more", retryLimit: 3, requests: [["A completed"]], next: "held", dead: [] },
  {
    name: "separate requests with the lease: A completed, B failed, C completed",
    retryLimit: 3,
    requests: [["A completed"], ["B failed"], ["C completed !"]],
    next: ["B", "C"],
    dead: [],
  },
  {
    name: "separate requests without the lease: A completed, B failed, C completed",
    retryLimit: 3,
    requests: [["bare A completed"], ["bare B failed"], ["bare C completed"]],
    next: ["B"],
    dead: [],
  },
  {
    name: "one request: A completed, B failed, C completed",
    retryLimit: 3,
    requests: [["A completed", "B failed", "C completed"]],
    next: ["B"],
    dead: [],
  },
  {
    name: "one request: A failed, B and C completed",
    retryLimit: 3,
    requests: [["A failed", "B completed", "C completed"]],
    next: ["A"],
    dead: [],
  },
  {
    name: "one request: A and B completed, C failed",
    retryLimit: 3,
    requests: [["A completed", "B completed", "C failed"]],
    next: ["C"],
    dead: [],
  },
  { name: "one request: A failed only", retryLimit: 3, requests: [["A failed"]], next: ["A", "B", "C"], dead: [] },
  {
    name: "one request, all failed, two retries left",
    retryLimit: 2,
    requests: [["A failed", "B failed", "C failed"]],
    next: ["A", "B", "C"],
    dead: [],
  },
  {
    name: "one request, all failed, exactly one retry left",
    retryLimit: 1,
    requests: [["A failed", "B failed", "C failed"]],
    next: ["A", "B", "C"],
    dead: [],
  },
  {
    name: "one request, all failed, one retry left after one failure",
    retryLimit: 2,
    failuresBefore: 1,
    requests: [["A failed", "B failed", "C failed"]],
    next: ["A", "B", "C"],
    dead: [],
  },
  {
    name: "one request, all failed, no retries left",
    retryLimit: 0,
    requests: [["A failed", "B failed", "C failed"]],
    next: [],
    dead: ["A", "B", "C"],
  },
  {
    name: "one request, all failed, no retries left after a failure",
    retryLimit: 1,
    failuresBefore: 1,
    requests: [["A failed", "B failed", "C failed"]],
    next: [],
    dead: ["A", "B", "C"],
  },
  {
    name: "one request, no retries left: A completed, B failed, C completed",
    retryLimit: 0,
    requests: [["A completed", "B failed", "C completed"]],
    next: [],
    dead: ["B"],
  },
  {
    name: "separate requests with the lease, all failed, retries left",
    retryLimit: 3,
    requests: [["A failed"], ["B failed !"], ["C failed !"]],
    next: ["A", "B", "C"],
    dead: [],
  },
  {
    name: "separate requests with the lease, all failed, no retries left",
    retryLimit: 0,
    requests: [["A failed"], ["B failed"], ["C failed"]],
    next: [],
    dead: ["A", "B", "C"],
  },
  {
    name: "A dlq, then B and C completed",
    retryLimit: 3,
    requests: [["A dlq"], ["B completed"], ["C completed"]],
    next: [],
    dead: ["A"],
  },
  {
    name: "out of order: C, A, B completed",
    retryLimit: 3,
    requests: [["C completed"], ["A completed"], ["B completed"]],
    next: [],
    dead: [],
  },
  {
    name: "out of order within a request",
    retryLimit: 3,
    requests: [["C completed", "B failed", "A completed"]],
    next: ["B"],
    dead: [],
  },
  { name: "C completed, nothing more", retryLimit: 3, requests: [["C completed"]], next: "held", dead: [] },
  {
    name: "A acked three times",
    retryLimit: 3,
    requests: [["A completed"], ["A completed"], ["A completed"]],
    next: "held",
    dead: [],
  },
  {
    name: "A acked three times in one request",
    retryLimit: 3,
    requests: [["A completed", "A completed", "A completed"]],
    next: "held",
    dead: [],
  },
  {
    name: "A retry, B and C completed in one request",
    retryLimit: 3,
    requests: [["A retry", "B completed", "C completed"]],
    next: ["A"],
    dead: [],
  },
  {
    name: "B retry, then C completed under the released lease",
    retryLimit: 3,
    requests: [["B retry"], ["C completed !"]],
    next: ["A", "B", "C"],
    dead: [],
  },
];

describe("acks of a batch A, B, C", () => {
  test.each(rows.map((row) => [row.name, row] as const))("%s", async (_name, row) => {
    const queue = uniqueName("abc");
    await api.configure(queue, { retryLimit: row.retryLimit });
    await api.pushAll(queue, "p", ["A", "B", "C"]);
    for (let n = 0; n < (row.failuresBefore ?? 0); n++) {
      const failing = await api.pop(queue, { batch: 3 });
      await api.ackBatch(failing.map((message) => leasedAckOf(message, "failed")));
    }
    const batch = await api.pop(queue, { batch: 3 });
    expect(payloads(batch)).toEqual(["A", "B", "C"]);
    for (const request of row.requests) {
      const results = await api.ackBatch(request.map((text) => parseAck(text, batch)));
      expect(results.map(({ success, error }) => ({ success, error }))).toEqual(
        request.map((text) =>
          text.endsWith("!") ? { success: false, error: "Invalid or expired lease" } : { success: true, error: null },
        ),
      );
    }
    const next = await api.pop(queue, { batch: 10 });
    expect(payloads(next)).toEqual(row.next === "held" ? [] : row.next);
    expect((await api.deadLetters({ queue })).map((letter) => letter.data).sort()).toEqual(row.dead);
    if (row.next === "held") {
      const left = batch.filter((message) => !row.requests.flat().some((text) => text.startsWith(message.data)));
      const results = await api.ackBatch(left.map((message) => leasedAckOf(message)));
      expect(results.every((result) => result.success)).toBe(true);
      expect(results.at(-1)!.leaseReleased).toBe(true);
    }
    for (const message of next) await api.ack(leasedAckOf(message));
    expect(await api.pop(queue, { batch: 10 })).toEqual([]);
  });
});

/** `[bare] <letter> <status> [!]` as the acknowledgement of that message of the batch. */
function parseAck(text: string, batch: readonly Popped[]): AckItem {
  const bare = text.startsWith("bare ");
  const [letter, status] = text.slice(bare ? 5 : 0).split(" ");
  const message = batch.find((one) => one.data === letter)!;
  return bare ? ackOf(message, status) : leasedAckOf(message, status);
}
