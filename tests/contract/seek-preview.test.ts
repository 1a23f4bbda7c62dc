import { expect, test } from "bun:test";
import { leasedAckOf, query } from "../support/api.ts";
import { uniqueName } from "../support/names.ts";
import { useSharedServer } from "../support/shared.ts";

const api = useSharedServer();
const path = (group: string, queue: string) => `/api/v1/consumer-groups/${group}/queues/${queue}/seek`;

/** What a seek would do, and what it then did to the counts of the group. */
async function preview(group: string, queue: string, where: { toEnd?: boolean; timestamp?: string }) {
  const answer = await api.http.get(path(group, queue) + query(where));
  expect(answer.status).toBe(200);
  return answer.json;
}
async function pendingOf(group: string, queue: string): Promise<number> {
  const list: { name: string; queueName: string; pendingMessages: number }[] = (
    await api.http.get("/api/v1/consumer-groups")
  ).json;
  return list.find((row) => row.name === group && row.queueName === queue)!.pendingMessages;
}

test("counts what would be skipped and replayed, message by message, and changes nothing", async () => {
  const [queue, group] = [uniqueName("preview"), uniqueName("g")];
  await api.pushAll(queue, "a", [1, 2, 3, 4]);
  await api.pushAll(queue, "b", [1, 2, 3]);
  const got = await api.popPartition(queue, "a", { consumerGroup: group, batch: 10 });
  // The second of a is done with, out of order; then all of b.
  await api.ack(leasedAckOf(got[1]!));
  await api.popPartition(queue, "b", { consumerGroup: group, batch: 10, autoAck: true });
  const end = await preview(group, queue, { toEnd: true });
  expect(end).toEqual({
    consumerGroup: group,
    queueName: queue,
    seekToEnd: true,
    targetTimestamp: null,
    partitions: 2,
    skipped: 3,
    replayed: 0,
    pending: 0,
  });
  const start = await preview(group, queue, { timestamp: "2020-01-01T00:00:00Z" });
  expect(start).toMatchObject({ partitions: 2, skipped: 0, replayed: 4, pending: 7, seekToEnd: false });
  expect(await pendingOf(group, queue)).toBe(3);
  const done = await api.http.post(path(group, queue), { timestamp: "2020-01-01T00:00:00Z" });
  expect(done.json.partitionsUpdated).toBe(start.partitions);
  expect(await pendingOf(group, queue)).toBe(start.pending);
  expect(await preview(group, queue, { toEnd: true })).toMatchObject({ skipped: 7, replayed: 0 });
});

test("counts no message that was deleted", async () => {
  const [queue, group] = [uniqueName("preview"), uniqueName("g")];
  const pushed = await api.pushAll(queue, "a", [1, 2, 3, 4]);
  await api.pop(queue, { consumerGroup: group, batch: 1, autoAck: true });
  for (const at of [0, 2]) {
    const { partition_id, transaction_id } = pushed[at]!;
    await api.http.del(`/api/v1/messages/${partition_id}/${transaction_id}`);
  }
  expect(await preview(group, queue, { toEnd: true })).toMatchObject({ skipped: 2, replayed: 0 });
  expect(await preview(group, queue, { timestamp: "2020-01-01T00:00:00Z" })).toMatchObject({ replayed: 0, pending: 2 });
});

test("an unknown queue or group has nothing to be moved", async () => {
  const queue = uniqueName("preview");
  const nothing = { partitions: 0, skipped: 0, replayed: 0, pending: 0 };
  expect(await preview("nobody", queue, { toEnd: true })).toMatchObject(nothing);
  await api.pushAll(queue, "a", [1]);
  expect(await preview("nobody", queue, { toEnd: true })).toMatchObject(nothing);
});

test.each([
  ["", "Must specify either 'toEnd=true' or 'timestamp'"],
  ["?toEnd=false", "Must specify either 'toEnd=true' or 'timestamp'"],
  ["?timestamp=soon", 'timestamp is not a timestamp in ISO 8601: "soon"'],
])("refuses %p", async (text, error) => {
  const answer = await api.http.get(path("g", uniqueName("preview")) + text);
  expect(answer.status).toBe(400);
  expect(answer.json).toEqual({ error });
});
