import { describe, expect, test } from "bun:test";
import { leasedAckOf, payloads } from "../support/api.ts";
import { TIME_MS, uniqueName } from "../support/names.ts";
import { useSharedServer } from "../support/shared.ts";

const api = useSharedServer();

const groupPath = (group: string): string => `/api/v1/consumer-groups/${encodeURIComponent(group)}`;
const onQueue = (group: string, queue: string): string => `${groupPath(group)}/queues/${encodeURIComponent(queue)}`;

/** A queue with messages 1, 2, 3 in partition `p`, each from a push of its own. */
async function filled(): Promise<{ queue: string; group: string }> {
  const [queue, group] = [uniqueName("group"), uniqueName("g")];
  for (const payload of [1, 2, 3]) await api.push({ queue, partition: "p", payload });
  return { queue, group };
}

const drain = (queue: string, consumerGroup: string) =>
  api.pop(queue, { consumerGroup, batch: 100, partitions: 100, autoAck: true });

describe("DELETE /api/v1/consumer-groups/:group", () => {
  test("forgets the group everywhere: it starts from scratch", async () => {
    const { queue, group } = await filled();
    const other = await filled();
    await drain(queue, group);
    await drain(other.queue, group);
    const answer = await api.http.del(groupPath(group));
    expect(answer.status).toBe(200);
    expect(answer.json).toEqual({ success: true, consumerGroup: group, deletedPartitions: 2, metadataDeleted: true });
    expect(payloads(await drain(queue, group))).toEqual([1, 2, 3]);
    expect(payloads(await drain(other.queue, group))).toEqual([1, 2, 3]);
  });

  test("frees a lease that the group held", async () => {
    const { queue, group } = await filled();
    const [message] = await api.pop(queue, { consumerGroup: group });
    await api.http.del(groupPath(group));
    expect(payloads(await api.pop(queue, { consumerGroup: group, batch: 10 }))).toEqual([1, 2, 3]);
    expect(await api.ack(leasedAckOf(message!))).toMatchObject({ success: false, error: "Invalid or expired lease" });
  });

  test("leaves other groups alone, also on the same queue", async () => {
    const { queue, group } = await filled();
    await drain(queue, "stays");
    await drain(queue, group);
    await api.http.del(groupPath(group));
    expect(await drain(queue, "stays")).toEqual([]);
  });

  test("forgets the subscription too, unless told to keep it", async () => {
    const { queue, group } = await filled();
    const subscribe = { consumerGroup: group, subscriptionMode: "new", batch: 10 };
    await api.pop(queue, subscribe);
    await api.push({ queue, partition: "p", payload: 4 });
    const kept = await api.http.del(`${groupPath(group)}?deleteMetadata=false`);
    expect(kept.json).toMatchObject({ success: true, metadataDeleted: false });
    expect(payloads(await drain(queue, group))).toEqual([4]);
    await api.http.del(groupPath(group));
    expect(payloads(await drain(queue, group))).toEqual([1, 2, 3, 4]);
  });

  test("of an unknown group deletes nothing", async () => {
    const group = uniqueName("nobody");
    const answer = await api.http.del(groupPath(group));
    expect([answer.status, answer.json]).toEqual([
      200,
      { success: true, consumerGroup: group, deletedPartitions: 0, metadataDeleted: true },
    ]);
  });

  test("keeps the messages", async () => {
    const { queue, group } = await filled();
    await drain(queue, group);
    await api.http.del(groupPath(group));
    expect(await drain(queue, uniqueName("fresh"))).toHaveLength(3);
  });
});

describe("DELETE /api/v1/consumer-groups/:group/queues/:queue", () => {
  test("forgets the group on that queue only", async () => {
    const { queue, group } = await filled();
    const other = await filled();
    await drain(queue, group);
    await drain(other.queue, group);
    const answer = await api.http.del(onQueue(group, queue));
    expect(answer.status).toBe(200);
    expect(answer.json).toEqual({
      success: true,
      consumerGroup: group,
      queueName: queue,
      deletedPartitions: 1,
      metadataDeleted: true,
    });
    expect(payloads(await drain(queue, group))).toEqual([1, 2, 3]);
    expect(await drain(other.queue, group)).toEqual([]);
  });

  test("keeps the subscription when told to", async () => {
    const { queue, group } = await filled();
    await api.pop(queue, { consumerGroup: group, subscriptionMode: "new" });
    await api.push({ queue, partition: "p", payload: 4 });
    const answer = await api.http.del(`${onQueue(group, queue)}?deleteMetadata=false`);
    expect(answer.json.metadataDeleted).toBe(false);
    expect(payloads(await drain(queue, group))).toEqual([4]);
  });

  test("of an unknown queue or group deletes nothing", async () => {
    const { queue, group } = await filled();
    for (const path of [onQueue(group, queue), onQueue(group, uniqueName("nobody"))]) {
      expect((await api.http.del(path)).json).toMatchObject({ success: true, deletedPartitions: 0 });
    }
  });
});

describe("POST /api/v1/consumer-groups/:group/subscription", () => {
  test("moves existing subscriptions, which matters where the group has no cursor", async () => {
    const { queue, group } = await filled();
    await api.pop(queue, { consumerGroup: group, subscriptionMode: "new" });
    const subscriptionTimestamp = "2020-01-01T00:00:00.000Z";
    const answer = await api.http.post(`${groupPath(group)}/subscription`, { subscriptionTimestamp });
    expect(answer.status).toBe(200);
    expect(answer.json).toEqual({
      success: true,
      consumerGroup: group,
      newTimestamp: subscriptionTimestamp,
      rowsUpdated: 1,
    });
    await api.http.del(`${onQueue(group, queue)}?deleteMetadata=false`);
    expect(payloads(await drain(queue, group))).toEqual([1, 2, 3]);
  });

  test("into the future hides what is there", async () => {
    const { queue, group } = await filled();
    await api.pop(queue, { consumerGroup: group, subscriptionFrom: "2020-01-01T00:00:00Z" });
    const subscriptionTimestamp = new Date(Date.now() + 3_600_000).toISOString();
    await api.http.post(`${groupPath(group)}/subscription`, { subscriptionTimestamp });
    await api.http.del(`${onQueue(group, queue)}?deleteMetadata=false`);
    expect(await drain(queue, group)).toEqual([]);
  });

  test("never creates one", async () => {
    const { queue, group } = await filled();
    const subscriptionTimestamp = new Date(Date.now() + 3_600_000).toISOString();
    const { json } = await api.http.post(`${groupPath(group)}/subscription`, { subscriptionTimestamp });
    expect(json).toMatchObject({ success: true, rowsUpdated: 0 });
    expect(payloads(await drain(queue, group))).toEqual([1, 2, 3]);
  });
});

describe("POST /api/v1/consumer-groups/:group/queues/:queue/seek", () => {
  const seek = (group: string, queue: string, body: object) => api.http.post(`${onQueue(group, queue)}/seek`, body);

  test("to the end skips what is there, not what comes", async () => {
    const { queue, group } = await filled();
    await api.pop(queue, { consumerGroup: group, autoAck: true });
    const answer = await seek(group, queue, { toEnd: true });
    expect(answer.status).toBe(200);
    expect(answer.json).toEqual({
      success: true,
      consumerGroup: group,
      queueName: queue,
      seekToEnd: true,
      targetTimestamp: null,
      partitionsUpdated: 1,
    });
    expect(await drain(queue, group)).toEqual([]);
    await api.push({ queue, partition: "p", payload: 4 });
    expect(payloads(await drain(queue, group))).toEqual([4]);
  });

  test("to a timestamp resumes with the first message after it, backwards and forwards", async () => {
    const { queue, group } = await filled();
    const messages = await drain(queue, group);
    const answer = await seek(group, queue, { timestamp: messages[0]!.createdAt });
    expect(answer.json).toMatchObject({ success: true, seekToEnd: false, partitionsUpdated: 1 });
    expect(Date.parse(answer.json.targetTimestamp)).toBe(Date.parse(messages[0]!.createdAt));
    expect(payloads(await drain(queue, group))).toEqual([2, 3]);
    await seek(group, queue, { timestamp: "2020-01-01T00:00:00Z" });
    expect(payloads(await drain(queue, group))).toEqual([1, 2, 3]);
    await seek(group, queue, { timestamp: "2020-01-01T00:00:00Z" });
    await seek(group, queue, { timestamp: messages[1]!.createdAt });
    expect(payloads(await drain(queue, group))).toEqual([3]);
  });

  test("releases a lease: the messages come at once, the old lease is void", async () => {
    const { queue, group } = await filled();
    const [message] = await api.pop(queue, { consumerGroup: group });
    await seek(group, queue, { timestamp: "2020-01-01T00:00:00Z" });
    expect(payloads(await api.pop(queue, { consumerGroup: group, batch: 10 }))).toEqual([1, 2, 3]);
    expect(await api.ack(leasedAckOf(message!))).toMatchObject({ success: false, error: "Invalid or expired lease" });
  });

  test("forgets acks that lie beyond its target", async () => {
    const { queue, group } = await filled();
    const batch = await api.pop(queue, { consumerGroup: group, batch: 3 });
    await api.ack(leasedAckOf(batch[2]!));
    await seek(group, queue, { timestamp: "2020-01-01T00:00:00Z" });
    expect(payloads(await drain(queue, group))).toEqual([1, 2, 3]);
  });

  test("takes a group that began with new back to the start of every partition", async () => {
    const { queue, group } = await filled();
    await api.push({ queue, partition: "q", payload: "q1" });
    expect(await api.pop(queue, { consumerGroup: group, subscriptionMode: "new" })).toEqual([]);
    await api.push({ queue, partition: "later", payload: "l1" });
    expect(payloads(await drain(queue, group))).toEqual(["l1"]);
    const answer = await seek(group, queue, { timestamp: "2020-01-01T00:00:00Z" });
    expect(answer.json).toMatchObject({ success: true, partitionsUpdated: 3 });
    expect(
      payloads(await drain(queue, group))
        .map(String)
        .sort(),
    ).toEqual(["1", "2", "3", "l1", "q1"]);
  });

  test("takes a group that began with everything to the end of every partition", async () => {
    const { queue, group } = await filled();
    await api.push({ queue, partition: "q", payload: "q1" });
    await api.popPartition(queue, "p", { consumerGroup: group, autoAck: true });
    await seek(group, queue, { toEnd: true });
    await api.push({ queue, partition: "p", payload: 4 }, { queue, partition: "r", payload: "r1" });
    const rest = payloads(await drain(queue, group))
      .map(String)
      .sort();
    expect(rest.filter((payload) => payload !== "q1")).toEqual(["4", "r1"]);
  });

  test("only touches partitions where the group has state", async () => {
    const { queue, group } = await filled();
    expect((await seek(group, queue, { toEnd: true })).json).toMatchObject({ success: true, partitionsUpdated: 0 });
    expect((await seek(group, uniqueName("nobody"), { toEnd: true })).json).toMatchObject({ partitionsUpdated: 0 });
  });

  test("leaves other groups where they are", async () => {
    const { queue, group } = await filled();
    await api.pop(queue, { consumerGroup: group, autoAck: true });
    await api.pop(queue, { consumerGroup: "bystander", autoAck: true });
    await seek(group, queue, { toEnd: true });
    expect(payloads(await drain(queue, "bystander"))).toEqual([2, 3]);
  });
});

describe("POST /api/v1/consumer-groups/:group/queues/:queue/partitions/:partition/seek", () => {
  const seek = (group: string, queue: string, partition: string) =>
    api.http.postRaw(`${onQueue(group, queue)}/partitions/${partition}/seek`);

  test("moves one cursor to the end", async () => {
    const { queue, group } = await filled();
    await api.push({ queue, partition: "q", payload: "q1" }, { queue, partition: "q", payload: "q2" });
    await api.popPartition(queue, "p", { consumerGroup: group, autoAck: true });
    await api.popPartition(queue, "q", { consumerGroup: group, autoAck: true });
    const answer = await seek(group, queue, "p");
    expect(answer.status).toBe(200);
    expect(answer.json).toEqual({
      success: true,
      consumerGroup: group,
      queueName: queue,
      partitionName: "p",
      updated: true,
      cursorMovedTo: expect.stringMatching(TIME_MS),
    });
    expect(payloads(await drain(queue, group))).toEqual(["q2"]);
  });

  test("updates nothing where the group has no state", async () => {
    const { queue, group } = await filled();
    expect((await seek(group, queue, "p")).json).toMatchObject({ success: true, updated: false });
  });

  test("says that a partition is unknown", async () => {
    const { queue, group } = await filled();
    const answer = await seek(group, queue, "nobody");
    expect([answer.status, answer.json]).toEqual([200, { success: false, error: "Partition not found" }]);
  });
});
