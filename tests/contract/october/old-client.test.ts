/**
 * The `Queen` class of October 2025 at work, on what its own regression tests were about.
 */
import { beforeAll, describe, expect, test } from "bun:test";
import { uniqueName } from "../../support/names.ts";
import { OCTOBER, type OctoberMessage } from "../../support/october.ts";
import { OldQueen, type TakeOptions } from "../../support/old-queen.ts";
import { useSharedServer } from "../../support/shared.ts";

const api = useSharedServer();
let client: OldQueen;
beforeAll(() => {
  client = new OldQueen(api.http.url + OCTOBER);
});

async function all(address: string, options: TakeOptions = {}): Promise<OctoberMessage[]> {
  const messages: OctoberMessage[] = [];
  for await (const message of client.take(address, options)) messages.push(message);
  return messages;
}

const numbers = (count: number) => Array.from({ length: count }, (_, n) => ({ n }));
const taken = (messages: readonly OctoberMessage[]) => messages.map(({ data }) => (data as { n: number }).n);

describe("core", () => {
  test("a push into a queue that was not configured fails at once", async () => {
    const startedAt = performance.now();
    await expect(client.push(uniqueName("old"), { n: 1 })).rejects.toThrow("does not exist");
    expect(performance.now() - startedAt).toBeLessThan(900);
  });

  test("push, take and ack, singly, in order, until three empty answers", async () => {
    const queue = uniqueName("old");
    expect(await client.queue(queue, { leaseTime: 30 })).toMatchObject({ configured: true });
    await client.push(queue, numbers(5));
    const seen: number[] = [];
    for await (const message of client.take(queue)) {
      seen.push((message.data as { n: number }).n);
      expect(message.payload).toEqual(message.data);
      expect(await client.ack(message)).toMatchObject({ status: "completed" });
    }
    expect(seen).toEqual([0, 1, 2, 3, 4]);
    expect(await client.queueDelete(queue)).toMatchObject({ deleted: true, existed: true });
  });

  test("a batch with statuses of its own: only what failed comes again", async () => {
    const queue = uniqueName("old");
    await client.queue(queue);
    await client.push(queue, numbers(4));
    for await (const batch of client.takeBatch(queue, { batch: 4, limit: 4 })) {
      const { processed } = await client.ack(
        batch.map((message, at) => (at === 2 ? { ...message, _status: "failed", _error: "no" } : message)),
      );
      expect(processed).toBe(4);
    }
    expect((await all(queue, { batch: 4, limit: 1 })).map((m) => [m.data, m.retryCount])).toEqual([[{ n: 2 }, 1]]);
  });

  test("a message held back is not there, then it is", async () => {
    const queue = uniqueName("old");
    await client.queue(queue, { delayedProcessing: 2 });
    const pushedAt = Date.now();
    await client.push(queue, { n: 1 });
    expect(await all(queue)).toEqual([]);
    const [message] = await all(queue, { wait: true, timeout: 10_000, limit: 1 });
    expect(message!.data).toEqual({ n: 1 });
    expect(Date.now() - pushedAt).toBeGreaterThanOrEqual(1_900);
  });
});

describe("partitions", () => {
  test("ten consumers on one partition get 999 messages once each, in order", async () => {
    const queue = uniqueName("old");
    await client.queue(queue);
    await client.push(`${queue}/p`, numbers(999));
    const seen: number[] = [];
    await Promise.all(
      Array.from({ length: 10 }, async () => {
        for await (const batch of client.takeBatch(`${queue}/p`, {
          batch: 50,
          wait: true,
          timeout: 500,
          idleTimeout: 1_000,
        })) {
          seen.push(...taken(batch));
          await client.ack(batch);
        }
      }),
    );
    expect(seen).toEqual(numbers(999).map(({ n }) => n));
  });

  test("the default partition named stands for any", async () => {
    const queue = uniqueName("old");
    await client.queue(queue);
    await client.push(`${queue}/other`, { n: 7 });
    expect(taken(await all(`${queue}/Default`, { limit: 1 }))).toEqual([7]);
  });

  test("a lease keeps a partition from the group, not from another group", async () => {
    const queue = uniqueName("old");
    await client.queue(queue);
    await client.push(`${queue}/p`, numbers(2));
    expect(taken(await all(`${queue}/p@a`, { limit: 1 }))).toEqual([0]);
    expect(await all(`${queue}/p@a`)).toEqual([]);
    expect(taken(await all(`${queue}/p@b`, { limit: 2, batch: 2 }))).toEqual([0, 1]);
  });
});

describe("consumption modes", () => {
  test("six messages, four consumed in queue mode: a new group still gets six", async () => {
    const queue = uniqueName("old");
    await client.queue(queue);
    await client.push(queue, numbers(6));
    for await (const batch of client.takeBatch(queue, { batch: 4, limit: 4 })) await client.ack(batch);
    expect(taken(await all(`${queue}@bus`, { batch: 10 }))).toEqual([0, 1, 2, 3, 4, 5]);
    expect(taken(await all(queue, { batch: 10, limit: 2 }))).toEqual([4, 5]);
  });

  test("a group that subscribes to the new skips what was there", async () => {
    const queue = uniqueName("old");
    await client.queue(queue);
    await client.push(queue, { n: 1 });
    const late = { subscriptionMode: "new", wait: true, timeout: 10_000, limit: 1 };
    expect(await all(`${queue}@late`, { subscriptionMode: "new" })).toEqual([]);
    await client.push(queue, { n: 2 });
    expect(taken(await all(`${queue}@late`, late))).toEqual([2]);
  });

  test("namespace and task, with a group of their own", async () => {
    const [namespace, task] = [uniqueName("space"), uniqueName("task")];
    const [one, two] = [uniqueName("old"), uniqueName("old")];
    await client.queue(one, { priority: 1 }, { namespace, task });
    await client.queue(two, { priority: 100 }, { namespace });
    await client.push(one, { n: 1 });
    await client.push(two, { n: 2 });
    expect(taken(await all(`namespace:${namespace}@g`, { limit: 2 }))).toEqual([2, 1]);
    expect(taken(await all(`namespace:${namespace}/task:${task}`, { limit: 1 }))).toEqual([1]);
  });
});

describe("failures", () => {
  test("two retries and dead letters on: three deliveries, then a dead letter", async () => {
    const queue = uniqueName("old");
    await client.queue(queue, { retryLimit: 2, dlqAfterMaxRetries: true });
    await client.push(queue, { n: 1 });
    const statuses: string[] = [];
    for await (const message of client.take(queue)) {
      const { status } = await client.ack(message, false, { error: "always" });
      statuses.push(status);
    }
    expect(statuses).toEqual(["failed", "failed", "dead_letter"]);
  });

  test("an id that was pushed before is stored once", async () => {
    const queue = uniqueName("old");
    await client.queue(queue);
    const item = { _payload: { n: 1 }, _transactionId: `id of ${queue}` };
    const first = await client.push(queue, [item]);
    const again = await client.push(queue, [item]);
    expect(again.messages[0]).toEqual({ ...first.messages[0], traceId: undefined, status: "duplicate" });
    expect(await all(queue, { batch: 9 })).toHaveLength(1);
  });

  test("null, empty and large payloads, and ten producers at once", async () => {
    const queue = uniqueName("old");
    await client.queue(queue);
    const odd = [null, "", {}, [], { text: "ü".repeat(700_000) }];
    await client.push(`${queue}/odd`, odd);
    expect((await all(`${queue}/odd`, { batch: 9, limit: 5 })).map((m) => m.payload)).toEqual(odd);
    await Promise.all(Array.from({ length: 10 }, () => client.push(`${queue}/many`, numbers(100))));
    expect(await all(`${queue}/many`, { batch: 1_000, limit: 1_000 })).toHaveLength(1_000);
  });
});
