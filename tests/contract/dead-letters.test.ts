import { describe, expect, test } from "bun:test";
import { leasedAckOf, query } from "../support/api.ts";
import { TIME_MS, UUID, uniqueName } from "../support/names.ts";
import { useSharedServer } from "../support/shared.ts";

const api = useSharedServer();

/** Pushes the payloads to a partition and dead-letters each, one after another. @returns their delivered messages. */
async function deadLetter(queue: string, partition: string, values: unknown[], consumerGroup?: string) {
  await api.push(...values.map((payload) => ({ queue, partition, payload })));
  const messages = await api.popPartition(queue, partition, { batch: values.length, consumerGroup });
  for (const message of messages) await api.ack(leasedAckOf(message, "dlq", `bad ${message.data}`));
  return messages;
}

const list = async (params: object) => (await api.http.get(`/api/v1/dlq${query(params)}`)).json;

describe("GET /api/v1/dlq", () => {
  test("lists a dead letter with every field, a total and its page", async () => {
    const queue = uniqueName("dead");
    const [message] = await deadLetter(queue, "c-42", [{ n: 1 }], "g");
    const answer = await api.http.get(`/api/v1/dlq${query({ queue })}`);
    expect(answer.status).toBe(200);
    expect(answer.json).toEqual({
      messages: [
        {
          id: message!.id,
          transactionId: message!.transactionId,
          partitionId: expect.stringMatching(UUID),
          queue,
          partition: "c-42",
          consumerGroup: "g",
          errorMessage: "bad [object Object]",
          retryCount: 0,
          data: { n: 1 },
          producerSub: null,
          createdAt: expect.stringMatching(TIME_MS),
          failedAt: expect.stringMatching(TIME_MS),
        },
      ],
      total: 1,
      pagination: { limit: 100, offset: 0 },
    });
    const letter = answer.json.messages[0];
    expect(Date.parse(letter.failedAt)).toBeGreaterThanOrEqual(Date.parse(letter.createdAt));
    expect(letter.createdAt.slice(0, 23)).toBe(message!.createdAt.slice(0, 23));
  });

  test("is empty, not an error, for a queue without dead letters and for an unknown one", async () => {
    const queue = uniqueName("dead");
    expect(await list({ queue })).toEqual({ messages: [], total: 0, pagination: { limit: 100, offset: 0 } });
  });

  test("shows the latest failure first, and pages", async () => {
    const queue = uniqueName("dead");
    await deadLetter(queue, "p", [1, 2, 3, 4, 5]);
    const page = async (params: object) => {
      const { messages, total, pagination } = await list({ queue, ...params });
      return { data: messages.map((letter: { data: unknown }) => letter.data), total, pagination };
    };
    expect(await page({})).toMatchObject({ data: [5, 4, 3, 2, 1], total: 5 });
    expect(await page({ limit: 2 })).toEqual({ data: [5, 4], total: 5, pagination: { limit: 2, offset: 0 } });
    expect(await page({ limit: 2, offset: 2 })).toEqual({
      data: [3, 2],
      total: 5,
      pagination: { limit: 2, offset: 2 },
    });
    expect(await page({ limit: 2, offset: 4 })).toMatchObject({ data: [1], total: 5 });
    expect(await page({ limit: 2, offset: 9 })).toMatchObject({ data: [], total: 5 });
  });

  test("filters by partition, group and time of failure, with a total to match", async () => {
    const queue = uniqueName("dead");
    await deadLetter(queue, "a", ["a1"]);
    await deadLetter(queue, "c", ["c1"], "g");
    await deadLetter(queue, "b", ["b1"]);
    const find = async (params: object) => {
      const { messages, total } = await list({ queue, ...params });
      expect(total).toBe(messages.length);
      return messages.map((letter: { data: unknown }) => letter.data).sort();
    };
    const { messages } = await list({ queue });
    const failed = (data: string): string =>
      messages.find((letter: { data: unknown }) => letter.data === data).failedAt;
    expect(await find({ partition: "a" })).toEqual(["a1"]);
    expect(await find({ consumerGroup: "g" })).toEqual(["c1"]);
    expect(await find({ partition: "b" })).toEqual(["b1"]);
    expect(await find({ partition: "none" })).toEqual([]);
    expect(await find({ consumerGroup: "__QUEUE_MODE__" })).toEqual(["a1", "b1"]);
    expect(await find({ consumerGroup: "none" })).toEqual([]);
    expect(await find({ from: failed("b1"), partition: "b" })).toEqual(["b1"]);
    expect(await find({ to: new Date(Date.parse(failed("a1")) + 1).toISOString(), partition: "a" })).toEqual(["a1"]);
    expect(await find({ from: new Date(Date.now() + 60_000).toISOString() })).toEqual([]);
    expect(await find({ to: new Date(Date.now() - 3_600_000).toISOString() })).toEqual([]);
    expect(await find({ from: new Date(Date.now() - 3_600_000).toISOString() })).toContain("a1");
  });

  test.each([["limit=x"], ["limit=-1"], ["offset=-1"], ["offset=x"], ["limit=1e9"], ["limit=99999999999999999999"]])(
    "%s is no server error",
    async (params) => {
      const queue = uniqueName("dead");
      expect((await api.http.get(`/api/v1/dlq?queue=${queue}&${params}`)).status).toBeLessThan(500);
    },
  );

  test("keeps payloads as they were sent", async () => {
    const queue = uniqueName("dead");
    const json = '{"z":12345678901234567890,"a":[1.0,"\\u0000"]}';
    await api.http.postRaw("/api/v1/push", `{"items":[{"queue":"${queue}","payload":${json}}]}`);
    const [message] = await api.pop(queue);
    await api.ack(leasedAckOf(message!, "dlq"));
    expect((await api.http.get(`/api/v1/dlq?queue=${queue}`)).text).toContain(`"data":${json}`);
  });

  test("has one entry per message and group", async () => {
    const queue = uniqueName("dead");
    await api.push({ queue, partition: "p", payload: 1 });
    for (const consumerGroup of ["a", "b"]) {
      const [message] = await api.pop(queue, { consumerGroup });
      await api.ack(leasedAckOf(message!, "dlq", consumerGroup));
      await api.ack({ ...leasedAckOf(message!, "dlq", "again"), leaseId: undefined });
    }
    const { messages, total } = await list({ queue });
    expect(total).toBe(2);
    expect(messages.map((letter: { consumerGroup: string }) => letter.consumerGroup).sort()).toEqual(["a", "b"]);
  });
});
