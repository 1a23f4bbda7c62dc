import { describe, expect, test } from "bun:test";
import { leasedAckOf, query } from "../support/api.ts";
import { openDatabase } from "../support/database.ts";
import { TIME_MS, UUID, uniqueName } from "../support/names.ts";
import { sharedServer } from "../support/server.ts";
import { useSharedServer } from "../support/shared.ts";

const api = useSharedServer();

// biome-ignore lint/suspicious/noExplicitAny: the shape is what the tests assert.
const get = async (path: string, params: object = {}): Promise<any> => {
  const answer = await api.http.get(`/api/v1/consumer-groups${path}${query(params)}`);
  expect(answer.status).toBe(200);
  return answer.json;
};

/** The elements of one group. */
const elementsOf = async (group: string) => (await get("")).filter((row: { name: string }) => row.name === group);

/** Makes the messages of a partition older. */
async function age(queue: string, partition: string, seconds: number): Promise<void> {
  const { dataDir } = await sharedServer();
  const sql = await openDatabase(dataDir);
  try {
    await sql`
      update queen.segments s set created_at = s.created_at - make_interval(secs => ${seconds})
      from queen.queues q, queen.partitions p
      where q.name = ${queue} and p.queue_id = q.id and p.name = ${partition} and s.queue_id = q.id and s.partition_id = p.id`;
  } finally {
    await sql.end();
  }
}

describe("GET /api/v1/consumer-groups", () => {
  test("has an element for each group and queue, by group and then queue", async () => {
    const group = uniqueName("crew");
    const [one, two] = [uniqueName("a-read"), uniqueName("b-read")];
    await api.pushAll(one, "p", [1, 2, 3]);
    await api.pushAll(one, "q", [1]);
    await api.pushAll(two, "p", [1]);
    const messages = await api.popPartition(one, "p", { consumerGroup: group, batch: 2 });
    await api.ack(leasedAckOf(messages[0]!));
    await api.pop(two, { consumerGroup: group, subscriptionMode: "new" });
    await api.pop(two);
    expect(await elementsOf(group)).toEqual([
      {
        name: group,
        topics: [one],
        queueName: one,
        members: 2,
        partitionsWithLag: 2,
        totalLag: null,
        pendingMessages: 3,
        maxTimeLag: expect.any(Number),
        state: "Stable",
        subscriptionMode: null,
        subscriptionTimestamp: null,
        subscriptionCreatedAt: null,
      },
      {
        name: group,
        topics: [two],
        queueName: two,
        members: 0,
        partitionsWithLag: 0,
        totalLag: null,
        pendingMessages: 0,
        maxTimeLag: 0,
        state: "Dead",
        subscriptionMode: "new",
        subscriptionTimestamp: expect.stringMatching(TIME_MS),
        subscriptionCreatedAt: expect.stringMatching(TIME_MS),
      },
    ]);
    const queueMode = (await elementsOf("__QUEUE_MODE__")).filter(
      (row: { queueName: string }) => row.queueName === two,
    );
    expect(queueMode).toMatchObject([{ members: 1, partitionsWithLag: 1, pendingMessages: 1, state: "Dead" }]);
    await api.pushAll(two, "p", [2]);
    expect((await elementsOf(group))[1]).toMatchObject({ members: 1, partitionsWithLag: 1, pendingMessages: 1 });
  });

  test("is lagging once its oldest message left is over five minutes old", async () => {
    const [group, queue] = [uniqueName("crew"), uniqueName("read")];
    await api.pushAll(queue, "old", [1]);
    await api.pushAll(queue, "new", [1]);
    const [message] = await api.popPartition(queue, "old", { consumerGroup: group });
    expect((await elementsOf(group))[0].state).toBe("Dead");
    await age(queue, "old", 1_000);
    const [element] = await elementsOf(group);
    expect(element.state).toBe("Lagging");
    expect(element.maxTimeLag).toBeGreaterThanOrEqual(1_000);
    expect(element.maxTimeLag).toBeLessThan(1_100);
    await api.ack(leasedAckOf(message!));
    expect((await elementsOf(group))[0]).toMatchObject({ state: "Stable", partitionsWithLag: 1 });
  });

  test("pages", async () => {
    const queue = uniqueName("read");
    await api.pushAll(queue, "p", [1]);
    const groups = Array.from({ length: 5 }, () => uniqueName("crew"));
    for (const consumerGroup of groups) await api.pop(queue, { consumerGroup });
    const all = (await get("")).map((row: { name: string; queueName: string }) => `${row.name} ${row.queueName}`);
    for (const group of groups) expect(all).toContain(`${group} ${queue}`);
    const start = all.indexOf(`${groups[0]} ${queue}`);
    const page = await get("", { limit: 2, offset: start + 1 });
    expect(page.map((row: { name: string; queueName: string }) => `${row.name} ${row.queueName}`)).toEqual(
      all.slice(start + 1, start + 3),
    );
  });

  test("leaves out a group that was forgotten, with its subscription or without", async () => {
    const queue = uniqueName("read");
    await api.pushAll(queue, "p", [1]);
    for (const deleteMetadata of [true, false]) {
      const consumerGroup = uniqueName("crew");
      await api.pop(queue, { consumerGroup, subscriptionMode: "new" });
      expect(await elementsOf(consumerGroup)).toHaveLength(1);
      await api.http.del(`/api/v1/consumer-groups/${consumerGroup}?deleteMetadata=${deleteMetadata}`);
      expect(await elementsOf(consumerGroup)).toEqual([]);
      expect(await get(`/${consumerGroup}`)).toEqual({});
    }
  });
});

describe("GET /api/v1/consumer-groups/:group", () => {
  test("shows where it stands, by queue and partition", async () => {
    const group = uniqueName("crew");
    const [one, two] = [uniqueName("a-read"), uniqueName("b-read")];
    await api.pushAll(one, "p", [1, 2, 3, 4]);
    await api.pushAll(one, "q", [1, 2]);
    await api.pushAll(two, "p", [1]);
    const messages = await api.popPartition(one, "p", { consumerGroup: group, batch: 3 });
    await api.ack(leasedAckOf(messages[0]!));
    await api.ack(leasedAckOf(messages[2]!));
    await api.popPartition(one, "q", { consumerGroup: group, batch: 2, autoAck: true });
    await api.pop(two, { consumerGroup: group, autoAck: true });
    await age(one, "p", 100);
    const answer = await get(`/${group}`);
    expect(Object.keys(answer).sort()).toEqual([one, two].sort());
    expect(answer[one].total).toBe(2);
    const byName = Object.fromEntries(answer[one].partitions.map((row: { partition: string }) => [row.partition, row]));
    expect(byName).toEqual({
      p: {
        partition: "p",
        workerId: messages[0]!.leaseId,
        lastConsumedAt: expect.stringMatching(TIME_MS),
        totalConsumed: 2,
        offsetLag: 2,
        timeLagSeconds: expect.any(Number),
        leaseActive: true,
      },
      q: {
        partition: "q",
        workerId: null,
        lastConsumedAt: expect.stringMatching(TIME_MS),
        totalConsumed: 2,
        offsetLag: 0,
        timeLagSeconds: 0,
        leaseActive: false,
      },
    });
    expect(byName.p.timeLagSeconds).toBeGreaterThanOrEqual(100);
    expect(byName.p.timeLagSeconds).toBeLessThan(200);
    expect(answer[two]).toMatchObject({ total: 1, partitions: [{ partition: "p", offsetLag: 0, totalConsumed: 1 }] });
  });

  test("of an unknown group is empty", async () => {
    expect(await get(`/${uniqueName("nobody")}`)).toEqual({});
  });

  test("pages over partitions without overlap or gap", async () => {
    const [group, queue] = [uniqueName("crew"), uniqueName("read")];
    const names = Array.from({ length: 11 }, (_, index) => `p${index}`);
    await api.push(...names.map((partition) => ({ queue, partition, payload: 1 })));
    await api.pop(queue, { consumerGroup: group });
    const seen: string[] = [];
    for (let offset = 0; offset < 12; offset += 4) {
      const page = (await get(`/${group}`, { limit: 4, offset }))[queue];
      expect(page.total).toBe(11);
      seen.push(...page.partitions.map((row: { partition: string }) => row.partition));
    }
    expect(seen.sort()).toEqual([...names].sort());
    expect(await get(`/${group}`, { limit: 4, offset: 12 })).toEqual({});
  });
});

describe("GET /api/v1/consumer-groups/lagging", () => {
  const lagging = async (queue: string, params: object) =>
    (await get("/lagging", params)).filter((row: { queue_name: string }) => row.queue_name === queue);

  test("lists the partitions that lag by more than the threshold, the largest first", async () => {
    const [group, queue] = [uniqueName("crew"), uniqueName("read")];
    for (const partition of ["a", "b", "c"]) await api.pushAll(queue, partition, [1, 2]);
    const [message] = await api.popPartition(queue, "a", { consumerGroup: group, batch: 1 });
    await age(queue, "a", 5_000);
    await age(queue, "b", 7_200);
    const rows = await lagging(queue, {});
    expect(rows).toEqual([
      {
        consumer_group: group,
        queue_name: queue,
        partition_name: "b",
        partition_id: expect.stringMatching(UUID),
        worker_id: null,
        offset_lag: 2,
        time_lag_seconds: expect.any(Number),
        lag_hours: expect.any(Number),
        oldest_unconsumed_at: expect.stringMatching(TIME_MS),
        last_consumed_at: null,
      },
      expect.objectContaining({ partition_name: "a", offset_lag: 2, worker_id: message!.leaseId }),
    ]);
    expect(rows[1].partition_id).toBe(message!.partitionId);
    expect(rows[0].time_lag_seconds).toBeGreaterThanOrEqual(7_200);
    expect(rows[0].time_lag_seconds).toBeLessThan(7_300);
    expect(rows[0].lag_hours).toBeCloseTo(2, 1);
    expect(await lagging(queue, { minLagSeconds: 6_000 })).toHaveLength(1);
    expect(await lagging(queue, { minLagSeconds: 100_000 })).toEqual([]);
    expect(await lagging(queue, { minLagSeconds: 0 })).toHaveLength(3);
    await api.ack(leasedAckOf(message!));
    expect((await lagging(queue, {}))[1]).toMatchObject({
      offset_lag: 1,
      last_consumed_at: expect.stringMatching(TIME_MS),
    });
    await api.popPartition(queue, "b", { consumerGroup: group, batch: 2, autoAck: true });
    expect((await lagging(queue, {})).map((row: { partition_name: string }) => row.partition_name)).toEqual(["a"]);
  });

  test("pages", async () => {
    const all = await get("/lagging", { minLagSeconds: 0, limit: 10_000 });
    const page = await get("/lagging", { minLagSeconds: 0, limit: 2, offset: 1 });
    const names = (rows: { queue_name: string; partition_id: string; consumer_group: string }[]) =>
      rows.map((row) => `${row.partition_id} ${row.consumer_group}`);
    expect(names(page)).toEqual(names(all.slice(1, 3)));
  });

  test.each(["x", "-1", "1e99", "NaN", "Infinity", "%20"])("minLagSeconds=%s is refused", async (value) => {
    const answer = await api.http.get(`/api/v1/consumer-groups/lagging?minLagSeconds=${value}`);
    expect(answer.status).toBe(400);
    expect(answer.json.error).toContain("minLagSeconds");
  });

  test("a group of that name can still be forgotten, and a long name is refused", async () => {
    expect((await api.http.del("/api/v1/consumer-groups/lagging")).json.success).toBe(true);
    expect((await api.http.get(`/api/v1/consumer-groups/${"x".repeat(256)}`)).status).toBe(400);
  });
});
