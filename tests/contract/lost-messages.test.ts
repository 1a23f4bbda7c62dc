/**
 * What becomes of messages when acknowledgements come in any order, late, twice, or in part (wire contract, 4.4 to 4.6): the
 * safe outcome of every row. No message is lost: each ends completed or as a dead letter, and none is both.
 */
import { describe, expect, test } from "bun:test";
import { ackOf, leasedAckOf, type Popped, payloads } from "../support/api.ts";
import { uniqueName } from "../support/names.ts";
import { useSharedServer } from "../support/shared.ts";
import { cycle, registerQuery, streamAckOf } from "../support/streams.ts";
import { until } from "../support/wait.ts";
import { BATCH_ROWS, parseAck } from "./batch-rows.ts";

const api = useSharedServer();

/** Three messages of one partition, popped together. */
async function popped(options: object, consumerGroup?: string): Promise<{ queue: string; batch: Popped[] }> {
  const queue = uniqueName("abc");
  await api.configure(queue, options);
  await api.pushAll(queue, "p", ["A", "B", "C"]);
  const batch = await api.pop(queue, { batch: 3, consumerGroup });
  expect(payloads(batch)).toEqual(["A", "B", "C"]);
  return { queue, batch };
}

async function deadOf(queue: string, consumerGroup?: string): Promise<unknown[]> {
  return (await api.deadLetters({ queue, consumerGroup })).map((letter) => letter.data).sort();
}

/** Consumes all that is left, one after another, as a consumer that never fails; in the order of delivery. */
async function consumeRest(queue: string, consumerGroup?: string): Promise<unknown[]> {
  const seen: unknown[] = [];
  for (;;) {
    const batch = await api.pop(queue, { batch: 10, consumerGroup });
    if (batch.length === 0) return seen;
    seen.push(...payloads(batch));
    for (const message of batch) expect((await api.ack(leasedAckOf(message))).success).toBe(true);
  }
}

describe.each([
  ["queue mode", undefined],
  ["a group", "g"],
] as const)("4.4: acks of a batch A, B, C in %s", (_mode, consumerGroup) => {
  test.each(BATCH_ROWS.map((row) => [row.name, row] as const))("%s", async (_name, row) => {
    const queue = uniqueName("abc");
    await api.configure(queue, { retryLimit: row.retryLimit });
    await api.pushAll(queue, "p", ["A", "B", "C"]);
    for (let n = 0; n < (row.failuresBefore ?? 0); n++) {
      const failing = await api.pop(queue, { batch: 3, consumerGroup });
      await api.ackBatch(
        failing.map((message) => leasedAckOf(message, "failed")),
        consumerGroup,
      );
    }
    const batch = await api.pop(queue, { batch: 3, consumerGroup });
    expect(payloads(batch)).toEqual(["A", "B", "C"]);
    for (const request of row.requests) {
      const results = await api.ackBatch(
        request.map((text) => parseAck(text, batch)),
        consumerGroup,
      );
      expect(results.map(({ success, error }) => ({ success, error }))).toEqual(
        request.map((text) =>
          text.endsWith("!") ? { success: false, error: "Invalid or expired lease" } : { success: true, error: null },
        ),
      );
    }
    if (row.next === "held") {
      expect(await api.pop(queue, { batch: 10, consumerGroup })).toEqual([]);
      const left = batch.filter((message) => !row.requests.flat().some((text) => text.startsWith(message.data)));
      const results = await api.ackBatch(
        left.map((message) => leasedAckOf(message)),
        consumerGroup,
      );
      expect(results.every((result) => result.success)).toBe(true);
      expect(results.at(-1)!.leaseReleased).toBe(true);
    }
    // Whatever was neither completed nor given up comes again, in order, and nothing else does.
    const rest = await consumeRest(queue, consumerGroup);
    expect(rest).toEqual(row.next === "held" ? [] : row.next);
    expect(await deadOf(queue, consumerGroup)).toEqual(row.dead);
    const completed = row.requests.flat().filter((text) => /completed$/.test(text));
    const resolved = new Set([
      ...completed.map((text) => text.replace("bare ", "")[0]),
      ...rest,
      ...row.dead,
      ...(row.next === "held" ? batch.map((message) => message.data) : []),
    ]);
    expect([...resolved].sort()).toEqual(["A", "B", "C"]);
  });
});

describe("4.5: expiry, late and repeated acks", () => {
  /** The next delivery, once the lease has run out. */
  const redelivered = (queue: string) =>
    until(async () => {
      const batch = await api.pop(queue, { batch: 10 });
      return batch.length > 0 && batch;
    });

  test("an expired lease brings back what was not acknowledged, uncounted and without limit", async () => {
    const { queue, batch } = await popped({ leaseTime: 1, retryLimit: 0 });
    await api.ack(leasedAckOf(batch[0]!));
    expect(payloads(await redelivered(queue))).toEqual(["B", "C"]);
    const last = await redelivered(queue);
    expect(payloads(last)).toEqual(["B", "C"]);
    await api.ackBatch(last.map((message) => leasedAckOf(message)));
    expect([await consumeRest(queue), await deadOf(queue)]).toEqual([[], []]);
  });

  test("a late ack with the old lease is refused, and changes nothing for the new holder", async () => {
    const { queue, batch } = await popped({ leaseTime: 1 });
    const again = await redelivered(queue);
    for (const status of ["completed", "failed", "dlq", "retry"]) {
      const results = await api.ackBatch(batch.map((message) => leasedAckOf(message, status)));
      expect(results.map(({ success, error }) => [success, error])).toEqual(
        batch.map(() => [false, "Invalid or expired lease"]),
      );
    }
    const results = await api.ackBatch(again.map((message) => leasedAckOf(message)));
    expect(results.map((result) => result.success)).toEqual([true, true, true]);
    expect([await consumeRest(queue), await deadOf(queue)]).toEqual([[], []]);
  });

  test("a late ack without a lease counts for its message, and leaves the new holder its lease", async () => {
    const { queue, batch } = await popped({ leaseTime: 2 });
    const again = await redelivered(queue);
    expect((await api.ack(ackOf(batch[1]!))).success).toBe(true);
    const results = await api.ackBatch([leasedAckOf(again[0]!), leasedAckOf(again[2]!, "retry")]);
    expect(results.map((result) => result.success)).toEqual([true, true]);
    expect(await consumeRest(queue)).toEqual(["C"]);
  });

  test("a repeated ack is accepted under the lease, and counts once", async () => {
    const { queue, batch } = await popped({});
    for (let n = 0; n < 3; n++) expect((await api.ack(leasedAckOf(batch[0]!))).leaseReleased).toBe(false);
    expect(await api.pop(queue, { batch: 10 })).toEqual([]);
    await api.ackBatch(batch.slice(1).map((message) => leasedAckOf(message)));
    expect(await consumeRest(queue)).toEqual([]);
  });

  test("a completed message is not taken back by a later failure without a lease", async () => {
    const { queue, batch } = await popped({ retryLimit: 0 });
    await api.ackBatch(batch.map((message) => leasedAckOf(message)));
    await api.ack(ackOf(batch[1]!, "failed", "too late"));
    expect(await consumeRest(queue)).toEqual([]);
  });
});

describe("4.6: the same machine driven by other calls", () => {
  test("transaction, completed: ends the lease with the last message, whatever the order", async () => {
    const { queue, batch } = await popped({});
    const operation = (message: Popped) => ({ type: "ack", ...ackOf(message) });
    expect((await api.transaction([operation(batch[2]!)])).success).toBe(true);
    expect(await api.pop(queue, { batch: 10 })).toEqual([]);
    expect((await api.transaction(batch.slice(0, 2).map(operation))).success).toBe(true);
    expect(await consumeRest(queue)).toEqual([]);
  });

  test.each(["failed", "dlq"])(
    "transaction, %s: dead-letters at once, and the siblings are not lost",
    async (status) => {
      const { queue, batch } = await popped({ retryLimit: 5, leaseTime: 1 });
      const operations = [{ type: "ack", ...ackOf(batch[1]!, status), error: null }];
      expect((await api.transaction(operations)).success).toBe(true);
      expect(await deadOf(queue)).toEqual(["B"]);
      const rest = await until(async () => {
        const found = await consumeRest(queue);
        return found.length > 0 && found;
      });
      expect(rest).toEqual(["A", "C"]);
      expect((await api.deadLetters({ queue }))[0]!.errorMessage).toBe("Unknown error");
    },
  );

  test.each(["retry", "dance"])("transaction, %s: fails as a whole, with nothing done", async (status) => {
    const { queue, batch } = await popped({});
    const answer = await api.transaction([
      { type: "ack", ...ackOf(batch[0]!) },
      { type: "ack", ...ackOf(batch[1]!, status) },
    ]);
    expect(answer.success).toBe(false);
    const results = await api.ackBatch(batch.map((message) => leasedAckOf(message)));
    expect(results.map((result) => result.success)).toEqual([true, true, true]);
    expect(await consumeRest(queue)).toEqual([]);
  });

  test("stream cycle, releasing the lease: everything up to the message is done, the rest comes again", async () => {
    const { queue, batch } = await popped({});
    const query_id = await registerQuery(api, { source_queue: queue });
    const { partitionId: partition_id } = batch[0]!;
    const answer = await cycle(api, { query_id, partition_id, ack: streamAckOf(batch[1]!, { count: 2 }) });
    expect(answer.ack_result).toEqual({ success: true, count: 2, lease_released: true, dlq: false });
    expect(await consumeRest(queue)).toEqual(["C"]);
  });

  test("stream cycle, keeping the lease: the rest stays leased until it expires, then comes in order", async () => {
    const { queue, batch } = await popped({ leaseTime: 1 });
    const query_id = await registerQuery(api, { source_queue: queue });
    const { partitionId: partition_id } = batch[0]!;
    const body = { query_id, partition_id, ack: streamAckOf(batch[0]!), release_lease: false };
    expect((await cycle(api, body)).ack_result).toMatchObject({ success: true, lease_released: false });
    expect((await api.ack(leasedAckOf(batch[2]!, "unknown"))).success).toBe(false);
    const rest = await until(async () => {
      const found = await consumeRest(queue);
      return found.length > 0 && found;
    });
    expect(rest).toEqual(["B", "C"]);
  });

  test("stream cycle, failed: dead-letters with its default text, and the rest comes again", async () => {
    const { queue, batch } = await popped({ retryLimit: 5 });
    const query_id = await registerQuery(api, { source_queue: queue });
    const { partitionId: partition_id } = batch[0]!;
    const ack = streamAckOf(batch[0]!, { status: "failed" });
    expect((await cycle(api, { query_id, partition_id, ack })).ack_result).toMatchObject({ dlq: true });
    expect((await api.deadLetters({ queue })).map(({ data, errorMessage }) => [data, errorMessage])).toEqual([
      ["A", "Streaming cycle reported failure"],
    ]);
    expect(await consumeRest(queue)).toEqual(["B", "C"]);
  });

  test("extend: the deadline moves on, never back, and acks stay good", async () => {
    const { queue, batch } = await popped({ leaseTime: 60 });
    const { leaseId } = batch[0]!;
    const far = (await api.http.post(`/api/v1/lease/${leaseId}/extend`, { seconds: 600 })).json.newExpiresAt;
    const near = (await api.http.post(`/api/v1/lease/${leaseId}/extend`, { seconds: 1 })).json.newExpiresAt;
    expect(near).toBe(far);
    await api.ackBatch(batch.map((message) => leasedAckOf(message)));
    expect(await consumeRest(queue)).toEqual([]);
  });

  test("seek: releases the lease, and what lies behind the new place is neither lost nor delivered", async () => {
    const { queue, batch } = await popped({}, "g");
    await api.ack(leasedAckOf(batch[0]!));
    const seek = { timestamp: "2020-01-01T00:00:00Z" };
    await api.http.post(`/api/v1/consumer-groups/g/queues/${queue}/seek`, seek);
    expect((await api.ack(leasedAckOf(batch[1]!))).error).toBe("Invalid or expired lease");
    expect(await consumeRest(queue, "g")).toEqual(["A", "B", "C"]);
  });

  test("deleting the group: it starts from scratch, others go on", async () => {
    const { queue, batch } = await popped({}, "g");
    await api.pop(queue, { batch: 1, consumerGroup: "h" }).then(([first]) => api.ack(leasedAckOf(first!)));
    await api.ack(leasedAckOf(batch[0]!));
    await api.http.del(`/api/v1/consumer-groups/g/queues/${queue}`);
    expect(await consumeRest(queue, "g")).toEqual(["A", "B", "C"]);
    expect(await consumeRest(queue, "h")).toEqual(["B", "C"]);
  });

  test("deleting the queue: nothing of it comes back, an old ack finds nothing", async () => {
    const { queue, batch } = await popped({});
    await api.http.del(`/api/v1/resources/queues/${queue}`);
    expect((await api.ack(leasedAckOf(batch[0]!))).error).toBe("Message not found");
    await api.pushAll(queue, "p", ["A"]);
    expect(await consumeRest(queue)).toEqual(["A"]);
  });
});
