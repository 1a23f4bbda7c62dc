import { describe, expect, test } from "bun:test";
import { leasedAckOf, type Popped, payloads, popPath, query } from "../support/api.ts";
import { uniqueName } from "../support/names.ts";
import { useSharedServer } from "../support/shared.ts";

const api = useSharedServer();

/** A queue of `count` partitions `p0`, `p1`, ... with `each` messages `<partition>/<n>` in each. */
async function spread(count: number, each: number, options: object = {}): Promise<string> {
  const queue = uniqueName("multi");
  await api.configure(queue, options);
  const names = Array.from({ length: count }, (_, n) => `p${n}`);
  await api.push(
    ...names.flatMap((partition) =>
      Array.from({ length: each }, (_, n) => ({ queue, partition, payload: `${partition}/${n}` })),
    ),
  );
  return queue;
}

const partitionsOf = (messages: readonly Popped[]): string[] => [...new Set(messages.map((one) => one.partition))];

describe("pop over several partitions", () => {
  test("claims one partition unless told otherwise", async () => {
    const queue = await spread(3, 2);
    const answer = await api.http.get(popPath(queue) + query({ batch: 100 }));
    expect(answer.json.partitionsClaimed).toBe(1);
    expect(partitionsOf(answer.json.messages)).toHaveLength(1);
    expect(answer.json.messages).toHaveLength(2);
  });

  test("claims up to `partitions`, under one lease, each in order and contiguous", async () => {
    const queue = await spread(8, 3);
    const answer = await api.http.get(popPath(queue) + query({ batch: 100, partitions: 5 }));
    const messages: Popped[] = answer.json.messages;
    expect(answer.json.partitionsClaimed).toBe(5);
    expect(new Set(messages.map((one) => one.leaseId)).size).toBe(1);
    const expected = partitionsOf(messages).flatMap((name) => [0, 1, 2].map((n) => `${name}/${n}`));
    expect(payloads(messages)).toEqual(expected);
    expect(partitionsOf(messages)).toHaveLength(5);
    expect(answer.json).toMatchObject({
      partition: messages[0]!.partition,
      partitionId: messages[0]!.partitionId,
      leaseId: messages[0]!.leaseId,
    });
  });

  test("caps the messages over all partitions", async () => {
    const queue = await spread(5, 4);
    expect(await api.pop(queue, { batch: 6, partitions: 5 })).toHaveLength(6);
    expect(await api.pop(queue, { batch: 100, partitions: 5, consumerGroup: "g" })).toHaveLength(20);
  });

  test("two consumers never share a partition", async () => {
    const queue = await spread(6, 1);
    const [a, b] = await Promise.all([
      api.pop(queue, { batch: 100, partitions: 3 }),
      api.pop(queue, { batch: 100, partitions: 3 }),
    ]);
    const rest = await api.pop(queue, { batch: 100, partitions: 6 });
    const names = [a, b, rest].flatMap(partitionsOf);
    expect(names.sort()).toEqual(["p0", "p1", "p2", "p3", "p4", "p5"]);
  });

  test("acking one partition frees that partition only", async () => {
    const queue = await spread(3, 2);
    const messages = await api.pop(queue, { batch: 100, partitions: 3 });
    await api.push(...["p0", "p1", "p2"].map((partition) => ({ queue, partition, payload: `${partition}/new` })));
    const ofP1 = messages.filter((one) => one.partition === "p1");
    const results = await api.ackBatch(ofP1.map((one) => leasedAckOf(one)));
    expect(results.at(-1)!.leaseReleased).toBe(true);
    expect(payloads(await api.pop(queue, { batch: 100, partitions: 3 }))).toEqual(["p1/new"]);
    const others = messages.filter((one) => one.partition !== "p1");
    for (const one of others) expect(await api.ack(leasedAckOf(one))).toMatchObject({ success: true });
  });

  test("failing one partition leaves the lease of the others", async () => {
    const queue = await spread(2, 1);
    const messages = await api.pop(queue, { batch: 100, partitions: 2 });
    const [first, second] = messages;
    await api.ack(leasedAckOf(first!, "failed"));
    expect(payloads(await api.pop(queue, { batch: 100, partitions: 2 }))).toEqual([first!.data]);
    expect(await api.ack(leasedAckOf(second!))).toMatchObject({ success: true, leaseReleased: true });
  });

  test("autoAck consumes all claimed partitions", async () => {
    const queue = await spread(4, 2);
    expect(await api.pop(queue, { batch: 100, partitions: 4, autoAck: true })).toHaveLength(8);
    expect(await api.pop(queue, { batch: 100, partitions: 4 })).toEqual([]);
  });

  test.each([["0"], ["-1"], ["x"], [""]])("partitions=%s claims one", async (partitions) => {
    const queue = await spread(2, 1);
    const answer = await api.http.get(`${popPath(queue)}?batch=10&partitions=${partitions}`);
    expect(answer.json.partitionsClaimed).toBe(1);
  });

  test("a partition with nothing deliverable does not use up the claim of another", async () => {
    const queue = uniqueName("multi");
    await api.push(...Array.from({ length: 20 }, (_, n) => ({ queue, partition: `old${n}`, payload: "old" })));
    await api.pop(queue, { consumerGroup: "g", subscriptionMode: "new" });
    await api.push({ queue, partition: "old7", payload: "fresh" });
    expect(payloads(await api.pop(queue, { consumerGroup: "g" }))).toEqual(["fresh"]);
  });

  test("starves no partition: all of 50 are served while some keep filling", async () => {
    const queue = await spread(50, 1);
    const seen = new Set<string>();
    for (let n = 0; n < 200 && seen.size < 50; n++) {
      for (const one of await api.pop(queue, { batch: 5, autoAck: true })) seen.add(one.partition);
      await api.push({ queue, partition: "p0" }, { queue, partition: "p1" });
    }
    expect(seen.size).toBe(50);
  });
});

describe("GET /api/v1/pop by namespace and task", () => {
  test("takes from the queues that match both filters given", async () => {
    const [namespace, task] = [uniqueName("space"), uniqueName("task")];
    const names = { both: uniqueName("f"), space: uniqueName("f"), task: uniqueName("f"), none: uniqueName("f") };
    await api.configure(names.both, {}, { namespace, task });
    await api.configure(names.space, {}, { namespace });
    await api.configure(names.task, {}, { task });
    await api.push(...Object.entries(names).map(([payload, queue]) => ({ queue, payload })));
    const drain = async (filter: object, consumerGroup: string): Promise<unknown[]> => {
      const seen: unknown[] = [];
      for (let n = 0; n < 5; n++) {
        seen.push(...payloads(await api.popFiltered({ ...filter, consumerGroup, batch: 10, autoAck: true })));
      }
      return seen.sort();
    };
    expect(await drain({ namespace, task }, "g1")).toEqual(["both"]);
    expect(await drain({ namespace }, "g2")).toEqual(["both", "space"]);
    expect(await drain({ task }, "g3")).toEqual(["both", "task"]);
  });

  test("answers as a pop of the queue that it found, and its messages can be acked", async () => {
    const [namespace, queue] = [uniqueName("space"), uniqueName("f")];
    await api.configure(queue, {}, { namespace });
    await api.pushAll(queue, "p", [1]);
    const answer = await api.http.get(`/api/v1/pop${query({ namespace })}`);
    expect(answer.json).toMatchObject({ success: true, queue, partition: "p", partitionsClaimed: 1 });
    expect(await api.popFiltered({ namespace })).toEqual([]);
    expect(await api.ack(leasedAckOf(answer.json.messages[0]))).toMatchObject({ success: true, leaseReleased: true });
  });

  test("serves queues in order of priority, highest first, also after a change", async () => {
    const namespace = uniqueName("space");
    const queues = [1, 9, 5, 0, -3].map((priority) => ({ priority, queue: uniqueName("f") }));
    for (const { priority, queue } of queues) {
      await api.configure(queue, { priority }, { namespace });
      await api.push({ queue, partition: "a", payload: priority }, { queue, partition: "b", payload: priority });
    }
    const drain = async (consumerGroup: string): Promise<unknown[]> => {
      const seen: unknown[] = [];
      for (let n = 0; n < 10; n++)
        seen.push(...payloads(await api.popFiltered({ namespace, consumerGroup, autoAck: true })));
      return seen;
    };
    expect(await drain("g")).toEqual([9, 9, 5, 5, 1, 1, 0, 0, -3, -3]);
    await api.configure(queues[4]!.queue, { priority: 100 }, { namespace });
    expect(await drain("h")).toEqual([-3, -3, 9, 9, 5, 5, 1, 1, 0, 0]);
  });

  test("finds a queue only under its newest namespace", async () => {
    const [before, after, queue] = [uniqueName("space"), uniqueName("space"), uniqueName("f")];
    await api.configure(queue, {}, { namespace: before });
    await api.push({ queue, payload: 1 });
    await api.configure(queue, {}, { namespace: after });
    expect(await api.popFiltered({ namespace: before })).toEqual([]);
    expect(await api.popFiltered({ namespace: after })).toHaveLength(1);
  });
});
