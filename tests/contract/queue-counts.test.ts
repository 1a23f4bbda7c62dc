import { describe, expect, test } from "bun:test";
import { leasedAckOf, messagePath } from "../support/api.ts";
import { TIME_MS, UUID, uniqueName } from "../support/names.ts";
import { useSharedServer } from "../support/shared.ts";
import { byName, Stock, six } from "../support/stock.ts";
import { until } from "../support/wait.ts";

const api = useSharedServer();
const stock = new Stock(api);

describe("GET /api/v1/resources/queues/:queue", () => {
  test("has every field of the contract", async () => {
    const { queue, namespace, task } = await stock.queue();
    await api.pushAll(queue, "c-42", [1]);
    await api.pushAll(queue, "c-42", [2]);
    const answer = await stock.get(`resources/queues/${queue}`);
    byName(answer.partitions);
    expect(answer).toEqual({
      id: expect.stringMatching(UUID),
      name: queue,
      namespace,
      task,
      createdAt: expect.stringMatching(TIME_MS),
      partitions: [
        {
          id: expect.stringMatching(UUID),
          name: "Default",
          createdAt: expect.stringMatching(TIME_MS),
          stats: six(0, 0, 0, 0, 0),
          oldestMessage: null,
          newestMessage: null,
        },
        {
          id: expect.stringMatching(UUID),
          name: "c-42",
          createdAt: expect.stringMatching(TIME_MS),
          stats: six(2, 2, 0, 0, 0),
          oldestMessage: expect.stringMatching(TIME_MS),
          newestMessage: expect.stringMatching(TIME_MS),
        },
      ],
      totals: six(2, 2, 0, 0, 0),
      partitionCount: 2,
      pagination: { limit: 1000, offset: 0 },
    });
    const [, { id, oldestMessage, newestMessage }] = answer.partitions;
    const [first, last] = await api.popPartition(queue, "c-42", { batch: 2 });
    expect(first!.partitionId).toBe(id);
    expect(first!.createdAt.slice(0, 23)).toBe(oldestMessage.slice(0, 23));
    expect(last!.createdAt.slice(0, 23)).toBe(newestMessage.slice(0, 23));
  });

  test("of an unknown queue is an error in a 200", async () => {
    expect(await stock.get(`resources/queues/${uniqueName("none")}`)).toEqual({ error: "Queue not found" });
    expect(await stock.get(`status/queues/${uniqueName("none")}`)).toEqual({ error: "Queue not found" });
  });

  test("follows messages from push over lease, partial acks, dead letters and deletion to completion", async () => {
    const { queue } = await stock.queue();
    const counts = () => stock.countsOf(queue, "p");
    await api.pushAll(queue, "p", [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(await counts()).toEqual(six(10, 10, 0, 0, 0));
    const messages = await api.popPartition(queue, "p", { batch: 6 });
    expect(await counts()).toEqual(six(10, 4, 6, 0, 0));
    await api.ack(leasedAckOf(messages[0]!));
    expect(await counts()).toEqual(six(10, 4, 5, 1, 0));
    // Out of turn: the cursor does not move, the counts do.
    await api.ack(leasedAckOf(messages[3]!));
    expect(await counts()).toEqual(six(10, 4, 4, 2, 0));
    await api.ack(leasedAckOf(messages[1]!, "dlq", "bad"));
    expect(await counts()).toEqual(six(10, 4, 3, 2, 1));
    // One that is handed out, one that waits, one that is completed, and the dead one.
    for (const index of [2, 8, 0, 1]) {
      const transactionId = String(index);
      await api.http.del(messagePath({ partitionId: messages[0]!.partitionId, transactionId }));
    }
    expect(await counts()).toEqual(six(6, 3, 2, 1, 0));
    await api.ack(leasedAckOf(messages[4]!));
    await api.ack(leasedAckOf(messages[5]!));
    expect(await counts()).toEqual(six(6, 3, 0, 3, 0));
    expect((await api.popPartition(queue, "p", { batch: 10, autoAck: true })).length).toBe(3);
    expect(await counts()).toEqual(six(6, 0, 0, 6, 0));
    expect((await stock.get(`resources/queues/${queue}`)).totals).toEqual(six(6, 0, 0, 6, 0));
  });

  test("a failure gives back what waits; an expired lease processes nothing", async () => {
    const { queue, namespace, task } = await stock.queue();
    await api.configure(queue, { leaseTime: 1, retryLimit: 3 }, { namespace, task });
    await api.pushAll(queue, "p", [0, 1, 2]);
    const [first] = await api.popPartition(queue, "p", { batch: 2 });
    await api.ack(leasedAckOf(first!, "failed", "again"));
    expect(await stock.countsOf(queue, "p")).toEqual(six(3, 3, 0, 0, 0));
    await api.popPartition(queue, "p", { batch: 2 });
    expect(await stock.countsOf(queue, "p")).toEqual(six(3, 1, 2, 0, 0));
    const expired = async () => (await stock.countsOf(queue, "p")).processing === 0;
    await until(expired, 5_000, "the end of the lease");
    expect(await stock.countsOf(queue, "p")).toEqual(six(3, 3, 0, 0, 0));
  });

  test("of several groups the largest value of each count holds, partition by partition", async () => {
    const { queue } = await stock.queue();
    await api.pushAll(queue, "a", [0, 1, 2, 3, 4]);
    await api.pushAll(queue, "b", [0, 1]);
    const ahead = await api.popPartition(queue, "a", { consumerGroup: "ahead", batch: 4 });
    await api.ackBatch(
      ahead.map((message) => leasedAckOf(message)),
      "ahead",
    );
    const behind = await api.popPartition(queue, "a", { consumerGroup: "behind", batch: 2 });
    await api.ack(leasedAckOf(behind[0]!, "dlq", "bad"));
    // ahead: 1 waits, 4 completed. behind: 4 wait, 1 of them handed out, 1 dead. On b both have 2.
    expect(await stock.countsOf(queue, "a")).toEqual(six(5, 3, 1, 4, 1));
    expect(await stock.countsOf(queue, "b")).toEqual(six(2, 2, 0, 0, 0));
    expect((await stock.get(`resources/queues/${queue}`)).totals).toEqual(six(7, 5, 1, 4, 1));
    // A subscription to what is new leaves nothing over that was there before.
    expect(await api.pop(queue, { consumerGroup: "new", subscriptionMode: "new" })).toEqual([]);
    expect(await stock.countsOf(queue, "b")).toEqual(six(2, 2, 0, 2, 0));
    await api.pushAll(queue, "b", [2]);
    expect(await stock.countsOf(queue, "b")).toEqual(six(3, 3, 0, 2, 0));
  });

  test("moving a group counts what it has to consume again", async () => {
    const { queue } = await stock.queue();
    await api.pushAll(queue, "p", [0, 1, 2]);
    await api.popPartition(queue, "p", { consumerGroup: "g", batch: 3, autoAck: true });
    expect(await stock.countsOf(queue, "p")).toEqual(six(3, 0, 0, 3, 0));
    const seek = `/api/v1/consumer-groups/g/queues/${queue}/seek`;
    await api.http.post(seek, { timestamp: "2020-01-01T00:00:00Z" });
    expect(await stock.countsOf(queue, "p")).toEqual(six(3, 3, 0, 0, 0));
    await api.http.post(seek, { toEnd: true });
    expect(await stock.countsOf(queue, "p")).toEqual(six(3, 0, 0, 3, 0));
    await api.http.del("/api/v1/consumer-groups/g");
    expect(await stock.countsOf(queue, "p")).toEqual(six(3, 3, 0, 0, 0));
    await api.http.del(`/api/v1/queues/${queue}/clear`);
    expect(await stock.countsOf(queue, "p")).toEqual(six(0, 0, 0, 0, 0));
  });

  test("pages through partitions without overlap or gap, with totals of all", async () => {
    const { queue } = await stock.queue();
    const names = Array.from({ length: 25 }, (_, index) => `p${index}`);
    await api.push(...names.map((partition) => ({ queue, partition, payload: 1 })));
    for (const path of ["resources", "status"]) {
      const seen: string[] = [];
      for (let offset = 0; offset < 30; offset += 7) {
        const page = await stock.get(`${path}/queues/${queue}`, { limit: 7, offset });
        expect(page.pagination).toEqual({ limit: 7, offset });
        expect(page.partitionCount).toBe(26);
        expect(page.totals.total).toBe(25);
        seen.push(...page.partitions.map((row: { name: string }) => row.name));
      }
      expect(seen.sort()).toEqual([...names, "Default"].sort());
    }
  });
});
