/**
 * Every option of a queue, under both dialects: set, and its effect seen beside a queue that does not have it. A table, so
 * that an option without a row fails. What each of them does in detail is in options.test.ts and retention.test.ts.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { OPTION_NAMES, type QueueOptionsValue } from "../../schema/wire/admin-requests.ts";
import { Api } from "../support/api.ts";
import { currentDialect, type Delivered, type Dialect, octoberDialect } from "../support/dialects.ts";
import { Http } from "../support/http.ts";
import { uniqueName } from "../support/names.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { until, untilTime } from "../support/wait.ts";

setDefaultTimeout(60_000);

const api = new Api(new Http(""));
let server: TestServer;
beforeAll(async () => {
  server = await startServer({ env: { QUEEN_ENCRYPTION_KEY: "5a".repeat(32) } });
  api.http.url = server.url;
});
afterAll(async () => {
  await server?.stop();
});

const data = (messages: readonly Delivered[]) => messages.map((message) => message.data);

/** A queue with these options. */
async function queueWith(dialect: Dialect, options: object): Promise<string> {
  const queue = uniqueName("table");
  await dialect.configure(queue, options);
  return queue;
}

/** A queue with these options, and messages in one partition. */
async function filled(dialect: Dialect, options: object, payloads: unknown[] = [1]): Promise<string> {
  const queue = await queueWith(dialect, options);
  await dialect.push(queue, "p", payloads);
  return queue;
}

/** Pops until something comes. @returns It, and how long that took since `since`. */
async function comes(dialect: Dialect, queue: string, since: number): Promise<{ messages: Delivered[]; ms: number }> {
  const messages = await until(async () => {
    const got = await dialect.pop(queue, { batch: 10 });
    return got.length > 0 && got;
  }, 15_000);
  return { messages, ms: Date.now() - since };
}

/** Fails a message each time it comes, at most `most` times. @returns How often it came. */
async function attempts(dialect: Dialect, queue: string, most: number): Promise<number> {
  for (let count = 0; count < most; count++) {
    const [message] = await dialect.pop(queue);
    if (!message) return count;
    await message.ack("failed", "boom");
  }
  return most;
}

const deadLetters = async (queue: string) => (await api.deadLetters({ queue })).length;

/** How many messages of a queue are kept, dead or alive: what a group that was never there gets. */
async function kept(queue: string): Promise<number> {
  return (await api.pop(queue, { consumerGroup: uniqueName("look"), batch: 100, partitions: 10, autoAck: true }))
    .length;
}

/** Waits until nothing of a queue is kept. @returns How long it took since `since`. */
async function emptied(queue: string, since: number): Promise<number> {
  await until(async () => (await kept(queue)) === 0, 20_000);
  return Date.now() - since;
}

const isOctober = (dialect: Dialect) => dialect.name === "October 2025";
/** What dead-letters after the limit under either dialect. */
const LIMITED = { dlqAfterMaxRetries: true };

/** What an option does, as a test of one dialect. */
type Effect = (dialect: Dialect) => Promise<void>;

const TABLE: Record<keyof QueueOptionsValue, Effect> = {
  async leaseTime(dialect) {
    const [short, long] = [await filled(dialect, { leaseTime: 2 }), await filled(dialect, { leaseTime: 60 })];
    const since = Date.now();
    for (const queue of [short, long]) expect(await dialect.pop(queue)).toHaveLength(1);
    const { ms } = await comes(dialect, short, since);
    expect(ms).toBeGreaterThanOrEqual(1_990);
    expect(ms).toBeLessThan(15_000);
    expect(await dialect.pop(long)).toEqual([]);
  },

  async retryLimit(dialect) {
    for (const retryLimit of [0, 1, 2]) {
      const queue = await filled(dialect, { ...LIMITED, retryLimit });
      expect([retryLimit, await attempts(dialect, queue, 10)]).toEqual([retryLimit, retryLimit + 1]);
      expect(await deadLetters(queue)).toBe(1);
    }
    const byDefault = await filled(dialect, LIMITED);
    expect(await attempts(dialect, byDefault, 10)).toBe(4);
  },

  async retryDelay(dialect) {
    const [late, soon] = [await filled(dialect, { retryDelay: 2_500 }), await filled(dialect, {})];
    const since = Date.now();
    for (const queue of [soon, late]) await (await dialect.pop(queue))[0]!.ack("failed");
    expect(await dialect.pop(soon)).toHaveLength(1);
    expect(await dialect.pop(late)).toEqual([]);
    expect((await comes(dialect, late, since)).ms).toBeGreaterThanOrEqual(2_400);
  },

  async maxSize(dialect) {
    const [bounded, free] = [await queueWith(dialect, { maxSize: 2 }), await queueWith(dialect, {})];
    expect(await dialect.push(free, "p", [1, 2, 3])).toEqual({ stored: 3, refused: [] });
    expect(await dialect.push(bounded, "p", [1, 2])).toEqual({ stored: 2, refused: [] });
    const { stored, refused } = await dialect.push(bounded, "other", [3]);
    expect(stored).toBe(0);
    expect(refused[0]).toContain(bounded);
    const [message] = await dialect.pop(bounded);
    await message!.ack("completed");
    expect(await dialect.push(bounded, "other", [4])).toEqual({ stored: 1, refused: [] });
  },

  async ttl(dialect) {
    const since = Date.now();
    const [brief, lasting] = [await filled(dialect, { ttl: 3 }), await filled(dialect, {})];
    const [early] = await dialect.pop(brief, { consumerGroup: "early" });
    await untilTime(Date.parse(early!.createdAt) + 3_010);
    expect(await dialect.pop(brief, { consumerGroup: "late" })).toEqual([]);
    expect(await dialect.pop(lasting, { consumerGroup: "late" })).toHaveLength(1);
    await emptied(brief, since);
  },

  async deadLetterQueue(dialect) {
    // Of no consequence under either dialect: what becomes of a message that fails too often is for others to say.
    for (const deadLetterQueue of [true, false]) {
      const dead = await filled(dialect, { ...LIMITED, deadLetterQueue, retryLimit: 1 });
      expect([await attempts(dialect, dead, 6), await deadLetters(dead)]).toEqual([2, 1]);
      const plain = await filled(dialect, { deadLetterQueue, retryLimit: 1 });
      const expected = isOctober(dialect) ? [6, 0] : [2, 1];
      expect([await attempts(dialect, plain, 6), await deadLetters(plain)]).toEqual(expected);
    }
  },

  async dlqAfterMaxRetries(dialect) {
    const on = await filled(dialect, { dlqAfterMaxRetries: true, retryLimit: 1 });
    expect([await attempts(dialect, on, 8), await deadLetters(on)]).toEqual([2, 1]);
    // In October 2025 a message without it is retried for ever; 0.15 dead-letters in any case.
    const off = await filled(dialect, { dlqAfterMaxRetries: false, retryLimit: 1 });
    const expected = isOctober(dialect) ? [8, 0] : [2, 1];
    expect([await attempts(dialect, off, 8), await deadLetters(off)]).toEqual(expected);
  },

  async priority(dialect) {
    const namespace = uniqueName("space");
    for (const priority of [0, 5, -5, 9]) {
      const queue = uniqueName("table");
      await dialect.configure(queue, { priority }, { namespace });
      await dialect.push(queue, "p", [priority]);
    }
    const seen = [];
    for (let n = 0; n < 4; n++) seen.push(...data(await dialect.popFiltered({ namespace })));
    expect(seen).toEqual([9, 5, 0, -5]);
  },

  async delayedProcessing(dialect) {
    const since = Date.now();
    const [later, now] = [await filled(dialect, { delayedProcessing: 3 }), await filled(dialect, {})];
    expect(await dialect.pop(now)).toHaveLength(1);
    expect(await dialect.pop(later)).toEqual([]);
    expect((await comes(dialect, later, since)).ms).toBeGreaterThanOrEqual(3_000);
  },

  async windowBuffer(dialect) {
    const queue = await filled(dialect, { windowBuffer: 2 }, [1]);
    const plain = await filled(dialect, {}, [1]);
    await untilTime(Date.now() + 1_000);
    const last = Date.now();
    await dialect.push(queue, "p", [2]);
    expect(await dialect.pop(plain)).toHaveLength(1);
    const { messages, ms } = await comes(dialect, queue, last);
    expect(data(messages)).toEqual([1, 2]);
    expect(ms).toBeGreaterThanOrEqual(2_000);
  },

  async retentionSeconds(dialect) {
    const since = Date.now();
    const queue = await filled(dialect, { retentionEnabled: true, retentionSeconds: 2 }, [1, 2]);
    const other = await filled(dialect, { retentionEnabled: true, retentionSeconds: 600 }, [1, 2]);
    await (await dialect.pop(queue))[0]!.ack("completed");
    expect(await emptied(queue, since)).toBeGreaterThanOrEqual(2_000);
    expect(await kept(other)).toBe(2);
  },

  async completedRetentionSeconds(dialect) {
    const queue = await queueWith(dialect, { retentionEnabled: true, completedRetentionSeconds: 1 });
    // Each in a request of its own, so that one can go without the other.
    for (const payload of ["done", "open"]) await dialect.push(queue, "p", [payload]);
    await (await dialect.pop(queue))[0]!.ack("completed");
    await until(async () => {
      const answer = await api.pop(queue, { consumerGroup: uniqueName("look"), batch: 10 });
      // A group that only looks must not keep what it looks at.
      await api.http.del(`/api/v1/consumer-groups/${answer[0]!.consumerGroup}`);
      return answer.length === 1 && answer[0]!.data === "open";
    }, 20_000);
    await untilTime(Date.now() + 1_500);
    expect(data(await dialect.pop(queue))).toEqual(["open"]);
  },

  async retentionEnabled(dialect) {
    const limits = { retentionSeconds: 1, completedRetentionSeconds: 1 };
    const since = Date.now();
    const [on, off] = [
      await filled(dialect, { ...limits, retentionEnabled: true }),
      await filled(dialect, { ...limits, retentionEnabled: false }),
    ];
    await emptied(on, since);
    await untilTime(since + 3_000);
    expect(await kept(off)).toBe(1);
  },

  async encryptionEnabled(dialect) {
    const secret = uniqueName("secret");
    for (const encryptionEnabled of [true, false]) {
      const queue = await filled(dialect, { encryptionEnabled }, [{ secret }]);
      const [popped] = await api.pop(queue, { consumerGroup: "look" });
      expect((await api.message(popped!)).isEncrypted).toBe(encryptionEnabled);
      expect(data(await dialect.pop(queue))).toEqual([{ secret }]);
    }
  },

  async maxWaitTimeSeconds(dialect) {
    const since = Date.now();
    const [impatient, patient] = [await filled(dialect, { maxWaitTimeSeconds: 3 }), await filled(dialect, {})];
    const [early] = await dialect.pop(impatient, { consumerGroup: "early" });
    await untilTime(Date.parse(early!.createdAt) + 3_010);
    expect(await dialect.pop(impatient)).toEqual([]);
    expect(await emptied(impatient, since)).toBeGreaterThanOrEqual(3_000);
    expect(await dialect.pop(patient)).toHaveLength(1);
    expect(await deadLetters(impatient)).toBe(0);
  },
};

describe.each([currentDialect(api), octoberDialect(api)])("the dialect of $name", (dialect) => {
  // The waiting is the feature of many; they run side by side so as not to add up.
  test.concurrent.each(Object.entries(TABLE))("%s has its effect", async (_name, effect) => {
    await effect(dialect);
  });
});

test("every option has a row", () => {
  expect(Object.keys(TABLE).sort()).toEqual([...OPTION_NAMES].sort());
});
