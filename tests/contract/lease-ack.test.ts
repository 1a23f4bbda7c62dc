import { describe, expect, test } from "bun:test";
import { ackOf, leasedAckOf, messagePath, type Popped, payloads } from "../support/api.ts";
import { toCbor } from "../support/http.ts";
import { uniqueName } from "../support/names.ts";
import { useSharedServer } from "../support/shared.ts";
import { untilTime } from "../support/wait.ts";

const api = useSharedServer();

const ackPath = (leaseId: string): string => `/api/v1/lease/${leaseId}/ack`;
const leaseAck = async (leaseId: string, body: object = {}) => (await api.http.post(ackPath(leaseId), body)).json;
const leaseOf = (messages: readonly Popped[]): string => messages[0]!.leaseId;

/** A queue with numbers in partition `p`, all of them popped under one lease. */
async function popped(count: number, options: object = {}): Promise<{ queue: string; messages: Popped[] }> {
  const queue = uniqueName("lease-ack");
  await api.configure(queue, options);
  const numbers = Array.from({ length: count }, (_, n) => n);
  await api.pushAll(queue, "p", numbers);
  const messages = await api.pop(queue, { batch: count });
  expect(payloads(messages)).toEqual(numbers);
  return { queue, messages };
}

describe("POST /api/v1/lease/:leaseId/ack", () => {
  test("completes every message of the lease and gives it back", async () => {
    const { queue, messages } = await popped(1000);
    await api.pushAll(queue, "p", [1000]);
    const leaseId = leaseOf(messages);
    const answer = await api.http.post(ackPath(leaseId), {});
    expect(answer.status).toBe(200);
    expect(answer.json).toEqual({ leaseId, success: true, error: null, acknowledged: 1000, partitions: 1, dlq: 0 });
    expect(payloads(await api.pop(queue, { batch: 10 }))).toEqual([1000]);
  });

  test("completes every partition of the lease, and nothing of another", async () => {
    const queue = uniqueName("lease-ack");
    await api.push(...["a", "b", "c", "d"].map((partition) => ({ queue, partition, payload: partition })));
    const first = await api.pop(queue, { batch: 3, partitions: 3 });
    const second = await api.pop(queue, { batch: 9, partitions: 9 });
    expect([first.length, second.length]).toEqual([3, 1]);
    expect(await leaseAck(leaseOf(first))).toMatchObject({ success: true, acknowledged: 3, partitions: 3 });
    expect(await api.pop(queue, { batch: 9, partitions: 9 })).toEqual([]);
    expect(await api.ack(leasedAckOf(second[0]!, "retry"))).toMatchObject({ success: true, leaseReleased: true });
    expect(payloads(await api.pop(queue, { batch: 9, partitions: 9 }))).toEqual(payloads(second));
  });

  const bodies: [what: string, raw: string | undefined][] = [
    ["{}", "{}"],
    ["no body", undefined],
    ["an empty body", ""],
    ["[]", "[]"],
    ["nulls", '{"status":null,"error":null,"consumerGroup":null}'],
    ["the success of older clients", '{"status":"success"}'],
  ];
  test.each(bodies)("takes %s as completed", async (_what, raw) => {
    const { queue, messages } = await popped(2);
    const answer = await api.http.postRaw(ackPath(leaseOf(messages)), raw, { "content-type": "application/json" });
    expect(answer.json).toMatchObject({ success: true, acknowledged: 2 });
    expect(await api.pop(queue)).toEqual([]);
  });

  test("speaks CBOR", async () => {
    for (const path of ["", "/binary"]) {
      const { queue, messages } = await popped(3);
      const answer =
        path === ""
          ? await api.http.postCbor(ackPath(leaseOf(messages)), { status: "completed" })
          : await api.http.postRaw(`${ackPath(leaseOf(messages))}/binary`, toCbor({}));
      expect(answer.headers.get("content-type")).toStartWith("application/cbor");
      expect(answer.json).toMatchObject({ success: true, acknowledged: 3, partitions: 1, dlq: 0 });
      expect(await api.pop(queue)).toEqual([]);
    }
  });

  test("takes the id in capitals", async () => {
    const { queue, messages } = await popped(1);
    expect(await leaseAck(leaseOf(messages).toUpperCase())).toMatchObject({ success: true, acknowledged: 1 });
    expect(await api.pop(queue)).toEqual([]);
  });

  test("counts only what was still open, and keeps acks out of order", async () => {
    const { messages } = await popped(10);
    await api.ackBatch([messages[0]!, messages[4]!, messages[9]!].map((message) => leasedAckOf(message)));
    expect(await leaseAck(leaseOf(messages))).toMatchObject({ success: true, acknowledged: 7, partitions: 1 });
  });

  test("messages acknowledged beyond the lease stay so", async () => {
    const queue = uniqueName("lease-ack");
    await api.pushAll(queue, "p", [0, 1, 2, 3, 4]);
    const all = await api.pop(queue, { batch: 5 });
    await api.ackBatch([leasedAckOf(all[3]!), leasedAckOf(all[0]!, "retry")]);
    const messages = await api.pop(queue, { batch: 2 });
    expect(payloads(messages)).toEqual([0, 1]);
    expect(await leaseAck(leaseOf(messages))).toMatchObject({ success: true, acknowledged: 2 });
    expect(payloads(await api.pop(queue, { batch: 9 }))).toEqual([2, 4]);
  });

  test("a deleted message does not count", async () => {
    const { queue, messages } = await popped(3);
    await api.http.del(messagePath(messages[1]!));
    expect(await leaseAck(leaseOf(messages))).toMatchObject({ success: true, acknowledged: 2 });
    expect(await api.pop(queue, { batch: 9 })).toEqual([]);
  });

  test.each([
    ["under the lease itself", false],
    ["before the lease", true],
  ])("a message dead-lettered %s and reopened during it is not completed by it", async (_when, before) => {
    const { queue, messages } = await popped(5);
    let held = messages;
    await api.ackBatch([leasedAckOf(messages[2]!, "dlq"), ...(before ? [leasedAckOf(messages[0]!, "retry")] : [])]);
    if (before) held = await api.pop(queue, { batch: 5 });
    expect(payloads(held)).toEqual(before ? [0, 1, 3, 4] : [0, 1, 2, 3, 4]);
    for (let again = 0; again < 2; again++) await api.http.post(`${messagePath(messages[2]!)}/retry`, {});
    expect(await leaseAck(leaseOf(held))).toMatchObject({ success: true, acknowledged: 4, partitions: 1 });
    const [reopened, ...rest] = await api.pop(queue, { batch: 9 });
    expect([reopened!.data, rest]).toEqual([2, []]);
    expect(await leaseAck(reopened!.leaseId)).toMatchObject({ success: true, acknowledged: 1 });
    expect(await api.pop(queue, { batch: 9 })).toEqual([]);
  });

  test("a message before the lease that is reopened during it stays open", async () => {
    const { queue, messages } = await popped(3);
    await api.ackBatch([leasedAckOf(messages[0]!, "dlq"), leasedAckOf(messages[1]!, "retry")]);
    const held = await api.pop(queue, { batch: 9 });
    expect(payloads(held)).toEqual([1, 2]);
    await api.http.post(`${messagePath(messages[0]!)}/retry`, {});
    expect(await leaseAck(leaseOf(held))).toMatchObject({ success: true, acknowledged: 2 });
    expect(payloads(await api.pop(queue, { batch: 9 }))).toEqual([0]);
  });

  test("a push or a poll that waits goes on at once", async () => {
    const { queue, messages } = await popped(2);
    await api.pushAll(queue, "p", ["next"]);
    const waiting = api.pop(queue, { wait: true, timeout: 20_000 });
    await api.push({ queue: uniqueName("barrier") });
    const started = performance.now();
    await leaseAck(leaseOf(messages));
    expect(payloads(await waiting)).toEqual(["next"]);
    expect(performance.now() - started).toBeLessThan(900);
  });

  test("concurrent answers of one lease: exactly one succeeds", async () => {
    const { messages } = await popped(20);
    const answers = await Promise.all(Array.from({ length: 8 }, () => leaseAck(leaseOf(messages))));
    expect(answers.filter((answer) => answer.success)).toHaveLength(1);
    expect(answers.reduce((sum, answer) => sum + answer.acknowledged, 0)).toBe(20);
  });

  test("many leases at once", async () => {
    const queue = uniqueName("lease-ack");
    const items = Array.from({ length: 200 }, (_, n) => ({ queue, partition: `p${n}`, payload: n }));
    await api.push(...items);
    const leases = (await Promise.all(items.map(() => api.pop(queue)))).flat();
    expect(new Set(leases.map((message) => message.leaseId)).size).toBe(200);
    const answers = await Promise.all(leases.map((message) => leaseAck(message.leaseId)));
    expect(answers.every((answer) => answer.success && answer.acknowledged === 1)).toBe(true);
    expect(await api.pop(queue, { batch: 9, partitions: 9 })).toEqual([]);
  });
});

describe("a lease that failed", () => {
  test("counts one attempt for each open message, then dead-letters them", async () => {
    const { queue, messages } = await popped(3, { retryLimit: 1 });
    await api.ack(leasedAckOf(messages[1]!));
    expect(await leaseAck(leaseOf(messages), { status: "failed", error: "boom" })).toMatchObject({
      success: true,
      acknowledged: 2,
      dlq: 0,
    });
    const again = await api.pop(queue, { batch: 9 });
    expect(payloads(again)).toEqual([0, 2]);
    expect(await leaseAck(leaseOf(again), { status: "failed", error: "bang" })).toMatchObject({
      acknowledged: 2,
      dlq: 2,
    });
    expect(await api.pop(queue, { batch: 9 })).toEqual([]);
    const dead = await api.deadLetters({ queue });
    expect(dead.map(({ data, errorMessage, retryCount }) => [data, errorMessage, retryCount]).sort()).toEqual([
      [0, "bang", 1],
      [2, "bang", 1],
    ]);
  });

  test("does what a batch of failed acks does", async () => {
    const outcomes: unknown[] = [];
    for (const whole of [true, false]) {
      const { queue } = await popped(4, { retryLimit: 2, leaseTime: 1 });
      await untilTime(Date.now() + 1_100);
      const attempts: unknown[] = [];
      for (let attempt = 0; attempt < 4; attempt++) {
        const messages = await api.pop(queue, { batch: 9 });
        attempts.push(payloads(messages));
        if (messages.length === 0) continue;
        if (attempt === 1) await api.ack(leasedAckOf(messages[2]!));
        const open = messages.filter((_, index) => attempt !== 1 || index !== 2);
        if (whole) await leaseAck(leaseOf(messages), { status: "failed" });
        else await api.ackBatch(open.map((message) => leasedAckOf(message, "failed")));
      }
      const dead = await api.deadLetters({ queue });
      outcomes.push([
        attempts,
        dead.map(({ data, errorMessage, retryCount }) => [data, errorMessage, retryCount]).sort(),
      ]);
    }
    expect(outcomes[0]).toEqual(outcomes[1]);
    expect(outcomes[0]).toEqual([
      [[0, 1, 2, 3], [0, 1, 2, 3], [0, 1, 3], []],
      [0, 1, 3].map((data) => [data, "Retries exhausted", 2]),
    ]);
  });

  test("a completed attempt clears the counts of failed ones", async () => {
    const { queue, messages } = await popped(2, { retryLimit: 1 });
    await leaseAck(leaseOf(messages), { status: "failed" });
    await leaseAck(leaseOf(await api.pop(queue, { batch: 9 })));
    await api.http.post(`/api/v1/consumer-groups/__QUEUE_MODE__/queues/${queue}/seek`, {
      timestamp: "2020-01-01T00:00:00Z",
    });
    const again = await api.pop(queue, { batch: 9 });
    expect(payloads(again)).toEqual([0, 1]);
    expect(await leaseAck(leaseOf(again), { status: "failed" })).toMatchObject({ acknowledged: 2, dlq: 0 });
  });

  test("retry gives it back without counting, dlq dead-letters at once", async () => {
    const { queue, messages } = await popped(2, { retryLimit: 0 });
    expect(await leaseAck(leaseOf(messages), { status: "retry" })).toMatchObject({
      success: true,
      acknowledged: 2,
      dlq: 0,
    });
    const again = await api.pop(queue, { batch: 9 });
    expect(payloads(again)).toEqual([0, 1]);
    expect(await leaseAck(leaseOf(again), { status: "dlq", error: "e" })).toMatchObject({ acknowledged: 2, dlq: 2 });
    expect(await api.deadLetters({ queue })).toHaveLength(2);
    expect(await api.pop(queue)).toEqual([]);
  });

  test("waits for the retry delay", async () => {
    const { queue, messages } = await popped(1, { retryDelay: 60_000 });
    await leaseAck(leaseOf(messages), { status: "failed" });
    expect(await api.pop(queue)).toEqual([]);
  });
});

describe("a lease that is not held", () => {
  const lost = { success: false, acknowledged: 0, partitions: 0, dlq: 0 };

  test.each([
    ["an unknown id", () => crypto.randomUUID()],
    ["no UUID", () => "no-uuid"],
  ])("%s is not found", async (_what, id) => {
    const leaseId = id();
    const answer = await api.http.post(ackPath(leaseId), {});
    expect(answer.status).toBe(200);
    expect(answer.json).toEqual({ leaseId, error: "Lease not found", ...lost });
  });

  test("one that was given back is not found, and nothing changes", async () => {
    const { queue, messages } = await popped(1);
    await api.pushAll(queue, "p", ["next"]);
    await leaseAck(leaseOf(messages));
    const [next] = await api.pop(queue);
    for (const status of ["completed", "failed", "retry"]) {
      expect(await leaseAck(leaseOf(messages), { status })).toMatchObject({ error: "Lease not found", ...lost });
    }
    expect(await api.ack(leasedAckOf(next!))).toMatchObject({ success: true });
  });

  test("one that expired is refused, also when somebody else has the messages since", async () => {
    const { queue, messages } = await popped(2, { leaseTime: 1 });
    await untilTime(Date.now() + 1_100);
    expect(await leaseAck(leaseOf(messages))).toMatchObject({ error: "Invalid or expired lease", ...lost });
    const taken = await api.pop(queue, { batch: 9 });
    expect(payloads(taken)).toEqual([0, 1]);
    expect((await leaseAck(leaseOf(messages))).success).toBe(false);
    expect(await leaseAck(leaseOf(taken))).toMatchObject({ success: true, acknowledged: 2 });
  });

  test("another group's is refused; its own is not", async () => {
    const queue = uniqueName("lease-ack");
    await api.pushAll(queue, "p", [1]);
    const [message] = await api.pop(queue, { consumerGroup: "own" });
    for (const consumerGroup of ["other", "__QUEUE_MODE__"]) {
      const answer = await leaseAck(message!.leaseId, { consumerGroup });
      expect(answer).toMatchObject({ error: "Invalid or expired lease", ...lost });
    }
    expect(await leaseAck(message!.leaseId, { consumerGroup: "own" })).toMatchObject({
      success: true,
      acknowledged: 1,
    });
  });

  test("a partition given back on its own is left alone", async () => {
    const queue = uniqueName("lease-ack");
    await api.push({ queue, partition: "a", payload: 1 }, { queue, partition: "b", payload: 2 });
    const messages = await api.pop(queue, { batch: 2, partitions: 2 });
    await api.ack(leasedAckOf(messages[0]!, "retry"));
    const [other] = await api.pop(queue);
    expect(other!.data).toBe(messages[0]!.data);
    expect(await leaseAck(leaseOf(messages))).toMatchObject({ success: true, acknowledged: 1, partitions: 1 });
    expect(await api.ack(leasedAckOf(other!))).toMatchObject({ success: true });
  });

  test("the lease of a queue that was deleted is not found", async () => {
    const { queue, messages } = await popped(1);
    await api.http.del(`/api/v1/resources/queues/${queue}`);
    expect((await leaseAck(leaseOf(messages))).error).toBe("Lease not found");
    expect((await leaseAck(leaseOf(messages), { consumerGroup: "g" })).success).toBe(false);
  });

  test("a seek voids it", async () => {
    const { queue, messages } = await popped(2);
    await api.http.post(`/api/v1/consumer-groups/__QUEUE_MODE__/queues/${queue}/seek`, {
      timestamp: "2020-01-01T00:00:00Z",
    });
    expect((await leaseAck(leaseOf(messages))).success).toBe(false);
    expect(payloads(await api.pop(queue, { batch: 9 }))).toEqual([0, 1]);
  });

  test("an unknown status is an error", async () => {
    const { messages } = await popped(1);
    const answer = await api.http.post(ackPath(leaseOf(messages)), { status: "done" });
    expect([answer.status, answer.json.error]).toEqual([400, expect.stringContaining("status")]);
    expect(await api.ack(ackOf(messages[0]!))).toMatchObject({ success: true });
  });
});
