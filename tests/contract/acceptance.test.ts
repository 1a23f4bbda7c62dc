/**
 * What the test suites of the published clients expect of a server, point by point (wire contract, section 23). Over HTTP
 * alone. Authentication, maintenance and restarts need servers of their own: acceptance-servers.test.ts.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { ackOperation, consumeAll, consumeBatches } from "../support/acceptance.ts";
import { Api, leasedAckOf, payloads } from "../support/api.ts";
import { Http } from "../support/http.ts";
import { uniqueName, uuidV7 } from "../support/names.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { until, untilTime } from "../support/wait.ts";

setDefaultTimeout(60_000);

const api = new Api(new Http(""));
let server: TestServer;
beforeAll(async () => {
  const env = { QUEEN_ENCRYPTION_KEY: "a1".repeat(32), RETENTION_INTERVAL: "2000", EVICTION_INTERVAL: "2000" };
  server = await startServer({ env });
  api.http.url = server.url;
});
afterAll(async () => {
  await server?.stop();
});

const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, n) => from + n);

async function made(options: object = {}): Promise<string> {
  const queue = uniqueName("accept");
  await api.configure(queue, options);
  return queue;
}

const OPTIONS = {
  leaseTime: 17,
  retryLimit: 7,
  retryDelay: 123,
  maxSize: 999,
  ttl: 4_321,
  deadLetterQueue: true,
  dlqAfterMaxRetries: true,
  priority: 6,
  delayedProcessing: 3,
  windowBuffer: 4,
  retentionSeconds: 500,
  completedRetentionSeconds: 400,
  retentionEnabled: true,
  encryptionEnabled: true,
  maxWaitTimeSeconds: 300,
};
const DEFAULTS = {
  leaseTime: 300,
  retryLimit: 3,
  retryDelay: 1000,
  maxSize: 0,
  ttl: 3600,
  deadLetterQueue: false,
  dlqAfterMaxRetries: false,
  priority: 0,
  delayedProcessing: 0,
  windowBuffer: 0,
  retentionSeconds: 0,
  completedRetentionSeconds: 0,
  retentionEnabled: false,
  encryptionEnabled: false,
  maxWaitTimeSeconds: 0,
};

// Many points are about time; they run side by side so as not to add up.
describe.concurrent("acceptance", () => {
  test("1: configure echoes every option", async () => {
    const queue = uniqueName("accept");
    expect(await api.configure(queue, OPTIONS)).toMatchObject({ configured: true, queue, options: OPTIONS });
    expect((await api.configure(queue, {})).options).toEqual(DEFAULTS);
  });

  test("2: the same transaction id is stored once a partition, also among many at the same time", async () => {
    const queue = await made();
    const item = (partition: string, transactionId: string) => ({ queue, partition, transactionId, payload: 1 });
    const [first] = await api.push(item("a", "t"));
    const [second] = await api.push(item("a", "t"));
    expect([first!.status, second!.status]).toEqual(["queued", "duplicate"]);
    expect(second!.message_id).toBe(first!.message_id);
    expect((await api.push(item("b", "t")))[0]!.status).toBe("queued");
    for (const id of ["same", uuidV7()]) {
      const pushes = await Promise.all(numbers(40).map(() => api.push(item("c", id))));
      const statuses = pushes.flat().map((result) => result.status);
      expect(statuses.filter((status) => status === "queued")).toHaveLength(1);
      expect(statuses.filter((status) => status === "duplicate")).toHaveLength(39);
    }
    expect(await api.popPartition(queue, "c", { batch: 100 })).toHaveLength(2);
  });

  test("3: payloads come back equal, encrypted or not", async () => {
    const large = { text: "x".repeat(1_500_000), list: numbers(1_000) };
    const values = [null, {}, { a: { b: [1, { c: "d" }] } }, "", '🐝 ünïcödé 漢字 \\ " \n', [], 0, false, large];
    for (const encryptionEnabled of [false, true]) {
      const queue = await made({ encryptionEnabled });
      for (const payload of values) await api.push({ queue, payload });
      await api.push({ queue });
      expect(await consumeAll(api, queue, { batch: 100 })).toEqual([...values, null]);
    }
  });

  test("4: a pop right after the push has the message", async () => {
    for (const queue of [await made(), uniqueName("accept")]) {
      for (const n of numbers(20)) {
        await api.push({ queue, partition: `p${n}`, payload: n });
        expect(payloads(await api.pop(queue, { wait: false, autoAck: true }))).toEqual([n]);
      }
    }
  });

  test("5: a long poll ends soon after a push, or empty after its time and not before", async () => {
    const queue = await made();
    const started = performance.now();
    expect(await api.pop(queue, { wait: true, timeout: 1_500 })).toEqual([]);
    expect(performance.now() - started).toBeGreaterThanOrEqual(1_490);
    expect(performance.now() - started).toBeLessThan(6_000);
    const waiting = api.pop(queue, { wait: true, timeout: 30_000 });
    await untilTime(Date.now() + 500);
    const pushed = performance.now();
    await api.push({ queue, payload: "there" });
    expect(payloads(await waiting)).toEqual(["there"]);
    expect(performance.now() - pushed).toBeLessThan(5_000);
  });

  test("6: the order within a partition is that of the pushes, through batches and redeliveries", async () => {
    const queue = await made({ retryLimit: 5 });
    for (const n of numbers(60)) await api.push({ queue, partition: "p", payload: n });
    const seen: unknown[] = [];
    let failures = 0;
    await consumeBatches(api, queue, { batch: 7 }, (messages) => {
      if (failures < 3 && seen.length >= 14 * failures) {
        failures += 1;
        throw new Error("once more");
      }
      seen.push(...payloads(messages));
    });
    expect(failures).toBe(3);
    expect(seen).toEqual(numbers(60));
  });

  test("7: a leased partition gives nothing; the same messages come after expiry, the next ones after acks", async () => {
    const queue = await made({ leaseTime: 3 });
    await api.pushAll(queue, "p", numbers(4));
    const leasedAt = Date.now();
    const first = await api.pop(queue, { batch: 2 });
    expect(payloads(first)).toEqual([0, 1]);
    expect(await api.pop(queue, { batch: 2 })).toEqual([]);
    const again = await api.pop(queue, { batch: 2, wait: true, timeout: 10_000 });
    expect(payloads(again)).toEqual([0, 1]);
    expect(Date.now() - leasedAt).toBeGreaterThanOrEqual(2_900);
    await api.ackBatch(again.map((message) => leasedAckOf(message)));
    expect(payloads(await api.pop(queue, { batch: 2 }))).toEqual([2, 3]);
  });

  test.each([["delayedProcessing"], ["windowBuffer"]])("8: %s holds messages back for its time", async (option) => {
    const queue = await made({ [option]: 3 });
    const pushedAt = Date.now();
    await api.pushAll(queue, "p", [1, 2]);
    expect(await api.pop(queue, { batch: 10 })).toEqual([]);
    expect(payloads(await api.pop(queue, { batch: 10, wait: true, timeout: 10_000 }))).toEqual([1, 2]);
    expect(Date.now() - pushedAt).toBeGreaterThanOrEqual(3_000);
  });

  test("9: failing batches are retried, then dead-lettered with their text", async () => {
    const retried = await made({ retryLimit: 3 });
    await api.pushAll(retried, "p", numbers(100));
    let calls = 0;
    const handled = await consumeBatches(api, retried, { batch: 100 }, () => {
      calls += 1;
      if (calls < 3) throw new Error("not yet");
    });
    expect([handled, await api.deadLetters({ queue: retried })]).toEqual([3, []]);
    for (const [retryLimit, attempts] of [
      [1, 2],
      [2, 3],
    ] as const) {
      const queue = await made({ retryLimit });
      await api.push({ queue, payload: { poison: true } });
      expect(
        await consumeBatches(api, queue, { batch: 1 }, () => {
          throw new Error("cannot be handled");
        }),
      ).toBe(attempts);
      const dead = await api.deadLetters({ queue });
      expect(dead).toMatchObject([{ data: { poison: true } }]);
      expect(dead[0]!.errorMessage).toContain("cannot be handled");
    }
  });

  test("10: groups are independent, new skips history, a timestamp starts there", async () => {
    const queue = await made();
    await api.pushAll(queue, "p", [1, 2]);
    const between = new Date().toISOString();
    await until(() => Date.now() > Date.parse(between) + 2);
    await api.pushAll(queue, "p", [3]);
    const fresh = { consumerGroup: "fresh", subscriptionMode: "new" };
    expect(await consumeAll(api, queue, fresh)).toEqual([]);
    await api.pushAll(queue, "p", [4]);
    expect(await consumeAll(api, queue, fresh)).toEqual([4]);
    expect(await consumeAll(api, queue, { consumerGroup: "since", subscriptionFrom: between })).toEqual([3, 4]);
    for (const consumerGroup of ["one", "two"])
      expect(await consumeAll(api, queue, { consumerGroup })).toEqual([1, 2, 3, 4]);
    expect(await consumeAll(api, queue)).toEqual([1, 2, 3, 4]);
  });

  test("11: with autoAck there is nothing to acknowledge and nothing comes again", async () => {
    const queue = await made({ leaseTime: 1 });
    await api.pushAll(queue, "p", [1, 2]);
    const messages = await api.pop(queue, { batch: 2, autoAck: true });
    expect(payloads(messages)).toEqual([1, 2]);
    expect(messages[0]!.leaseId).toBe("");
    await untilTime(Date.now() + 1_500);
    expect(await api.pop(queue)).toEqual([]);
  });

  test("12: transactions are all or nothing", async () => {
    const [queue, next, other] = [await made({ retryLimit: 0 }), await made(), await made()];
    await api.push(...["a", "b"].flatMap((partition) => [1, 2].map((n) => ({ queue, partition, payload: n }))));
    const messages = await api.pop(queue, { batch: 10, partitions: 2 });
    const push = (to: string) => ({ type: "push", items: [{ queue: to, payload: to }] });
    const broken = { ...ackOperation(messages[0]!), transactionId: "nobody" };
    const failed = await api.transaction([push(next), ackOperation(messages[0]!), broken]);
    expect(failed).toMatchObject({ success: false, error: expect.stringContaining("Message not found") });
    expect(await api.pop(next)).toEqual([]);
    const done = [push(next), push(other), ...messages.map((message) => ackOperation(message))];
    expect(await api.transaction(done)).toMatchObject({ success: true });
    expect([payloads(await api.pop(next)), payloads(await api.pop(other))]).toEqual([[next], [other]]);
    // Both partitions are free again.
    await api.push({ queue, partition: "a", payload: 3 }, { queue, partition: "b", payload: 3 });
    const after = await api.pop(queue, { batch: 10, partitions: 2 });
    expect(payloads(after)).toEqual([3, 3]);
    await api.transaction([ackOperation(after[0]!, "failed"), ackOperation(after[1]!)]);
    expect(await api.deadLetters({ queue })).toMatchObject([{ partition: after[0]!.partition, data: 3 }]);
    expect(await api.pop(queue)).toEqual([]);
  });

  test("13: one lease over several partitions", async () => {
    const queue = await made({ leaseTime: 4 });
    const partitions = ["a", "b", "c", "d", "e"];
    await api.push(...partitions.flatMap((partition) => [1, 2, 3].map((n) => ({ queue, partition, payload: n }))));
    const capped = await api.pop(queue, { consumerGroup: "capped", batch: 4, partitions: 5 });
    expect(capped).toHaveLength(4);
    const messages = await api.pop(queue, { batch: 100, partitions: 3 });
    const claimed = Map.groupBy(messages, (message) => message.partition);
    expect([messages.length, claimed.size]).toEqual([9, 3]);
    expect(new Set(messages.map((message) => message.leaseId)).size).toBe(1);
    for (const part of claimed.values()) expect(payloads(part)).toEqual([1, 2, 3]);
    const extended = await api.http.post(`/api/v1/lease/${messages[0]!.leaseId}/extend`, { seconds: 30 });
    expect(extended.json.success).toBe(true);
    await untilTime(Date.now() + 4_200);
    for (const partition of claimed.keys()) expect(await api.popPartition(queue, partition)).toEqual([]);
    const [freed, ...held] = claimed.keys();
    await api.push(...partitions.map((partition) => ({ queue, partition, payload: 4 })));
    await api.ackBatch(claimed.get(freed!)!.map((message) => leasedAckOf(message)));
    expect(payloads(await api.popPartition(queue, freed!, { batch: 10 }))).toEqual([4]);
    for (const partition of held) expect(await api.popPartition(queue, partition)).toEqual([]);
  });

  test("14: renewals keep a lease of two seconds alive for as long as the handler runs", async () => {
    const queue = await made({ leaseTime: 2 });
    await api.push({ queue, payload: 1 });
    const [message] = await api.pop(queue);
    const end = Date.now() + 5_000;
    while (Date.now() < end) {
      const renewed = await api.http.post(`/api/v1/lease/${message!.leaseId}/extend`, { seconds: 2 });
      expect(renewed.json.success).toBe(true);
      expect(await api.pop(queue)).toEqual([]);
      await untilTime(Date.now() + 400);
    }
    expect(await api.ack(leasedAckOf(message!))).toMatchObject({ success: true, leaseReleased: true });
    await untilTime(Date.now() + 2_200);
    expect(await api.pop(queue)).toEqual([]);
  });

  test("15: seek, deleting a group and changing its subscription take effect on the next pop", async () => {
    const queue = await made();
    const consumerGroup = uniqueName("group");
    const group = `/api/v1/consumer-groups/${consumerGroup}`;
    await api.pushAll(queue, "p", [1, 2, 3]);
    const pop = () => api.pop(queue, { consumerGroup, batch: 10 });
    expect(payloads(await api.pop(queue, { consumerGroup, batch: 1 }))).toEqual([1]);
    await api.http.post(`${group}/queues/${queue}/seek`, { toEnd: true });
    expect(await pop()).toEqual([]);
    await api.http.post(`${group}/queues/${queue}/seek`, { timestamp: "2020-01-01T00:00:00Z" });
    expect(payloads(await pop())).toEqual([1, 2, 3]);
    await api.http.del(group);
    expect(payloads(await pop())).toEqual([1, 2, 3]);

    const fresh = { consumerGroup: `${consumerGroup}-new`, subscriptionMode: "new" };
    expect(await api.pop(queue, fresh)).toEqual([]);
    const moved = await api.http.post(`/api/v1/consumer-groups/${fresh.consumerGroup}/subscription`, {
      subscriptionTimestamp: "2020-01-01T00:00:00.000Z",
    });
    expect(moved.json.success).toBe(true);
    expect(payloads(await api.pop(queue, { ...fresh, batch: 10 }))).toEqual([1, 2, 3]);
  });

  test.each([[{ retentionEnabled: true, retentionSeconds: 10 }], [{ maxWaitTimeSeconds: 10 }]])(
    "16: a hundred unconsumed messages are gone after 15 seconds with %j",
    async (options) => {
      const queue = await made(options);
      const pushed = await api.pushAll(queue, "p", numbers(100));
      const pushedAt = Date.now();
      const { partition_id: partitionId, transaction_id: transactionId } = pushed[99]!;
      const last = { partitionId: partitionId!, transactionId };
      await untilTime(pushedAt + 8_000);
      expect((await api.message(last)).error).toBeUndefined();
      await untilTime(pushedAt + 15_000);
      expect((await api.message(last)).error).toBe("Message not found");
      expect(await api.pop(queue, { batch: 100, consumerGroup: "late" })).toEqual([]);
      expect(await api.pop(queue, { batch: 100 })).toEqual([]);
      const { json } = await api.http.get(`/api/v1/resources/queues/${queue}`);
      expect(json.totals.total).toBe(0);
    },
  );

  test("19: a malformed trace id is refused, and an empty push is an empty list", async () => {
    const queue = uniqueName("accept");
    const answer = await api.http.post("/api/v1/push", { items: [{ queue, payload: 1, traceId: "not-a-uuid" }] });
    expect(answer.status).toBe(400);
    expect(answer.json.error).toContain("traceId");
    expect(await api.pop(queue)).toEqual([]);
    const empty = await api.http.post("/api/v1/push", { items: [] });
    expect([empty.status, empty.json]).toEqual([201, []]);
  });

  test.each([["new"], ["timestamp"]])(
    "20: a subscription of mode %s over 5000 partitions sees exactly the later messages",
    async (mode) => {
      const queue = await made();
      const push = (payload: string) =>
        api.push(...numbers(5_000).map((n) => ({ queue, partition: `p${n}`, payload })));
      await push("history");
      const from = new Date().toISOString();
      await until(() => Date.now() > Date.parse(from) + 2);
      const start = mode === "new" ? { subscriptionMode: "new" } : { subscriptionFrom: from };
      const wish = { consumerGroup: "late", batch: 1_000, partitions: 1_000, autoAck: true, ...start };
      const started = performance.now();
      expect(await api.pop(queue, wish)).toEqual([]);
      expect(performance.now() - started).toBeLessThan(10_000);
      await push("later");
      const seen: unknown[] = [];
      for (;;) {
        const messages = await api.pop(queue, wish);
        if (messages.length === 0) break;
        seen.push(...payloads(messages));
      }
      expect(seen).toHaveLength(5_000);
      expect(new Set(seen)).toEqual(new Set(["later"]));
    },
  );
});
