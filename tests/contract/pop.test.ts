import { describe, expect, test } from "bun:test";
import { payloads, popPath, query } from "../support/api.ts";
import { TIME_US, UUID, UUID_V7, uniqueName, uuidV7 } from "../support/names.ts";
import { useSharedServer } from "../support/shared.ts";
import { untilTime } from "../support/wait.ts";

const api = useSharedServer();

describe("GET /api/v1/pop/queue/:queue", () => {
  test("answers messages with every field of the contract and no other", async () => {
    const queue = uniqueName("pop");
    const traceId = uuidV7();
    const [pushed] = await api.push({ queue, partition: "c-42", payload: { n: 1 }, transactionId: "t-1", traceId });
    const answer = await api.http.get(popPath(queue));
    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-type")).toStartWith("application/json");
    const { leaseId } = answer.json;
    expect(leaseId).toMatch(UUID);
    const place = { partition: "c-42", partitionId: pushed!.partition_id!, leaseId, consumerGroup: "__QUEUE_MODE__" };
    expect(answer.json).toEqual({
      success: true,
      queue,
      ...place,
      partitionsClaimed: 1,
      messages: [
        {
          id: pushed!.message_id,
          transactionId: "t-1",
          traceId,
          data: { n: 1 },
          producerSub: null,
          createdAt: expect.stringMatching(TIME_US),
          ...place,
        },
      ],
    });
    expect(answer.json.messages[0].id).toMatch(UUID_V7);
  });

  test("stamps createdAt with the time of the push", async () => {
    const queue = uniqueName("pop");
    const before = Date.now();
    await api.push({ queue });
    const after = Date.now();
    const created = Date.parse((await api.pop(queue))[0]!.createdAt);
    expect(created).toBeGreaterThanOrEqual(before - 1);
    expect(created).toBeLessThanOrEqual(after + 1);
  });

  test("sees a push that was answered before it started, a hundred times", async () => {
    const queue = uniqueName("pop");
    for (let n = 0; n < 100; n++) {
      await api.push({ queue, partition: `p${n % 7}`, payload: n });
      expect(payloads(await api.pop(queue, { autoAck: true }))).toEqual([n]);
    }
  });

  test("takes one message unless batch says more, and no more than batch", async () => {
    const queue = uniqueName("pop");
    await api.pushAll(queue, "p", [1, 2, 3, 4, 5]);
    expect(payloads(await api.pop(queue, { consumerGroup: "one" }))).toEqual([1]);
    expect(payloads(await api.pop(queue, { consumerGroup: "four", batch: 4 }))).toEqual([1, 2, 3, 4]);
    expect(payloads(await api.pop(queue, { consumerGroup: "all", batch: 100_000 }))).toEqual([1, 2, 3, 4, 5]);
  });

  test.each([["0"], ["-5"], ["x"], [""], ["99999999999999999999"], ["1e3"], ["2.5"]])(
    "batch=%s still answers a message",
    async (batch) => {
      const queue = uniqueName("pop");
      await api.pushAll(queue, "p", [1]);
      const answer = await api.http.get(`${popPath(queue, "p")}?batch=${batch}`);
      expect(answer.status).toBe(200);
      expect(answer.json.messages).toHaveLength(1);
    },
  );

  test("gives each group every message", async () => {
    const queue = uniqueName("pop");
    await api.pushAll(queue, "p", ["a", "b"]);
    for (const consumerGroup of ["g1", "g2", undefined]) {
      const popped = await api.pop(queue, { batch: 10, consumerGroup });
      expect(payloads(popped)).toEqual(["a", "b"]);
      expect(popped[0]!.consumerGroup).toBe(consumerGroup ?? "__QUEUE_MODE__");
    }
  });

  test("hides a leased partition from its group until the acks, then goes on with the next", async () => {
    const queue = uniqueName("pop");
    await api.pushAll(queue, "p", [1, 2, 3, 4]);
    const first = await api.pop(queue, { batch: 2 });
    expect(payloads(first)).toEqual([1, 2]);
    expect(await api.pop(queue, { batch: 2 })).toEqual([]);
    for (const { transactionId, partitionId, leaseId } of first) await api.ack({ transactionId, partitionId, leaseId });
    expect(payloads(await api.pop(queue, { batch: 10 }))).toEqual([3, 4]);
  });

  test("redelivers in order under a new lease after the lease expired, not before", async () => {
    const queue = uniqueName("pop");
    await api.configure(queue, { leaseTime: 1 });
    await api.pushAll(queue, "p", [1, 2]);
    const before = Date.now();
    const first = await api.pop(queue, { batch: 2 });
    const again = await api.pop(queue, { batch: 2, wait: true, timeout: 10_000 });
    expect(Date.now() - before).toBeGreaterThanOrEqual(1000);
    expect(payloads(again)).toEqual([1, 2]);
    expect(again[0]!.leaseId).not.toBe(first[0]!.leaseId);
  });

  test("does not count an expiry as a retry", async () => {
    const queue = uniqueName("pop");
    await api.configure(queue, { leaseTime: 1, retryLimit: 0 });
    await api.pushAll(queue, "p", [1]);
    const { createdAt } = (await api.pop(queue))[0]!;
    await untilTime(Date.parse(createdAt) + 1000);
    expect(payloads(await api.pop(queue, { wait: true, timeout: 5_000 }))).toEqual([1]);
    expect(await api.deadLetters({ queue })).toEqual([]);
  });

  test("consumes at once with autoAck, without a lease", async () => {
    const queue = uniqueName("pop");
    await api.pushAll(queue, "p", [1, 2, 3]);
    const answer = await api.http.get(popPath(queue) + query({ batch: 2, autoAck: true }));
    expect(answer.json.leaseId).toBe("");
    expect(answer.json.messages.map((message: { leaseId: string }) => message.leaseId)).toEqual(["", ""]);
    expect(payloads(await api.pop(queue, { batch: 10, autoAck: true }))).toEqual([3]);
    expect(await api.pop(queue, { batch: 10 })).toEqual([]);
  });

  test("never delivers one message twice to racing consumers", async () => {
    const queue = uniqueName("pop");
    const items = Array.from({ length: 200 }, (_, n) => ({ queue, partition: `p${n % 10}`, payload: n }));
    await api.push(...items);
    const consume = async (): Promise<unknown[]> => {
      const seen: unknown[] = [];
      for (let popped = await api.pop(queue, { batch: 7, autoAck: true }); popped.length > 0; ) {
        seen.push(...payloads(popped));
        popped = await api.pop(queue, { batch: 7, autoAck: true });
      }
      return seen;
    };
    const seen = (await Promise.all(Array.from({ length: 8 }, consume))).flat();
    seen.push(...(await consume()));
    expect(seen.length).toBe(new Set(seen).size);
    expect(new Set(seen)).toEqual(new Set(items.map((item) => item.payload)));
  });

  test("percent-decodes names in the path", async () => {
    const queue = `${uniqueName("pop")} a/b?ä%`;
    await api.push({ queue, partition: "x/y z", payload: 1 });
    expect(await api.popPartition(queue, "x/y z", { consumerGroup: "g" })).toHaveLength(1);
    const [message] = await api.pop(queue);
    expect(message).toMatchObject({ partition: "x/y z", data: 1 });
  });

  test("keeps partitions apart: one leased partition does not hide another", async () => {
    const queue = uniqueName("pop");
    await api.push({ queue, partition: "a", payload: "a" }, { queue, partition: "b", payload: "b" });
    const both = [...(await api.pop(queue)), ...(await api.pop(queue))];
    expect(payloads(both).sort()).toEqual(["a", "b"]);
    expect(await api.pop(queue)).toEqual([]);
  });
});

describe("GET /api/v1/pop/queue/:queue/partition/:partition", () => {
  test("takes only from that partition", async () => {
    const queue = uniqueName("pop");
    await api.push({ queue, partition: "a", payload: "a" }, { queue, partition: "b", payload: "b" });
    expect(payloads(await api.popPartition(queue, "b", { batch: 10 }))).toEqual(["b"]);
    expect(await api.popPartition(queue, "b", { batch: 10 })).toEqual([]);
    expect(payloads(await api.popPartition(queue, "a", { batch: 10 }))).toEqual(["a"]);
  });

  test("finds the default partition by its name", async () => {
    const queue = uniqueName("pop");
    await api.push({ queue, payload: 1 });
    expect(payloads(await api.popPartition(queue, "Default"))).toEqual([1]);
  });

  test("shares its lease with pops of the whole queue", async () => {
    const queue = uniqueName("pop");
    await api.pushAll(queue, "a", [1, 2]);
    await api.popPartition(queue, "a");
    expect(await api.pop(queue)).toEqual([]);
  });
});
