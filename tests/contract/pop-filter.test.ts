import { describe, expect, test } from "bun:test";
import { leasedAckOf, payloads } from "../support/api.ts";
import { uniqueName } from "../support/names.ts";
import { useSharedServer } from "../support/shared.ts";
import { until } from "../support/wait.ts";

const api = useSharedServer();

/** Queues of one namespace, in this order. */
async function space(...options: object[]): Promise<{ namespace: string; queues: string[] }> {
  const namespace = uniqueName("space");
  const queues = options.map(() => uniqueName("q"));
  for (const [at, queue] of queues.entries()) await api.configure(queue, options[at], { namespace });
  return { namespace, queues };
}

/** Pops one message after another, each in its turn, until nothing comes. */
async function drained(namespace: string, consumerGroup = "g"): Promise<unknown[]> {
  const seen: unknown[] = [];
  for (;;) {
    const [message] = await api.popFiltered({ namespace, consumerGroup });
    if (!message) return seen;
    seen.push(message.data);
  }
}

describe("a pop by namespace", () => {
  test("takes the oldest message first among queues of one priority", async () => {
    const { namespace, queues } = await space({}, {}, {}, {});
    for (const at of [2, 0, 3, 1]) await api.push({ queue: queues[at]!, payload: at });
    expect(await drained(namespace)).toEqual([2, 0, 3, 1]);
  });

  test("counts the age of messages, not of the last release", async () => {
    const { namespace, queues } = await space({}, {});
    await api.push({ queue: queues[0]!, payload: "old" });
    const [old] = await api.pop(queues[0]!, { consumerGroup: "g" });
    await api.push({ queue: queues[1]!, payload: "young" });
    await api.ack({ ...leasedAckOf(old!, "retry"), consumerGroup: "g" });
    expect(await drained(namespace)).toEqual(["old", "young"]);
  });

  test("counts the age of what is left, not of what was consumed", async () => {
    const { namespace, queues } = await space({}, {});
    await api.push({ queue: queues[0]!, payload: "first" });
    await api.push({ queue: queues[1]!, payload: "second" });
    await api.push({ queue: queues[0]!, payload: "third" });
    await api.pop(queues[0]!, { consumerGroup: "g", autoAck: true });
    expect(await drained(namespace)).toEqual(["second", "third"]);
  });

  test("takes a queue for its oldest message, whichever partition that is in", async () => {
    const { namespace, queues } = await space({}, {});
    await api.push({ queue: queues[0]!, partition: "b", payload: "oldest" });
    await api.push({ queue: queues[1]!, payload: "middle" });
    const [oldest] = await api.pop(queues[0]!, { consumerGroup: "g" });
    await api.push({ queue: queues[0]!, partition: "a", payload: "newest" });
    await api.ack({ ...leasedAckOf(oldest!, "retry"), consumerGroup: "g" });
    const [first] = await api.popFiltered({ namespace, consumerGroup: "g" });
    // Which of its partitions comes first is not promised, but it is this queue's turn.
    expect(["oldest", "newest"]).toContain(first!.data);
  });

  test("puts priority before age", async () => {
    const { namespace, queues } = await space({ priority: -1 }, {}, { priority: 7 }, { priority: 7 });
    for (const at of [0, 1, 3, 2]) await api.push({ queue: queues[at]!, payload: at });
    expect(await drained(namespace)).toEqual([3, 2, 1, 0]);
  });

  test("spreads queues whose messages are equally old", async () => {
    const firsts = new Set<unknown>();
    await until(async () => {
      const { namespace, queues } = await space({}, {});
      await api.push(...queues.map((queue, at) => ({ queue, payload: at })));
      const [message] = await api.popFiltered({ namespace });
      firsts.add(message!.data);
      return firsts.size === 2;
    }, 30_000);
  });

  test("passes over what is leased, and what is not due yet", async () => {
    const { namespace, queues } = await space({ priority: 9 }, { priority: 5, delayedProcessing: 600 }, {});
    for (const queue of queues) await api.push({ queue, payload: queues.indexOf(queue) });
    expect(payloads(await api.popFiltered({ namespace }))).toEqual([0]);
    expect(payloads(await api.popFiltered({ namespace }))).toEqual([2]);
    expect(await api.popFiltered({ namespace })).toEqual([]);
  });

  test("gives each of many pops at the same time a message of its own", async () => {
    const { namespace, queues } = await space(...Array.from({ length: 30 }, () => ({})));
    await api.push(...queues.map((queue, at) => ({ queue, payload: at })));
    const pops = await Promise.all(queues.map(() => api.popFiltered({ namespace, wait: true, timeout: 10_000 })));
    const seen = pops.flatMap(payloads).sort((a, b) => Number(a) - Number(b));
    expect(seen).toEqual(queues.map((_, at) => at));
  });

  test("goes through more queues than one look takes", async () => {
    const { namespace, queues } = await space(...Array.from({ length: 130 }, () => ({})));
    await api.push(...queues.map((queue, at) => ({ queue, payload: at })));
    const seen = await drained(namespace, "__QUEUE_MODE__");
    expect(seen.map(Number).sort((a, b) => a - b)).toEqual(queues.map((_, at) => at));
  });

  test("is woken by a push to any of its queues, and by a queue that comes to match", async () => {
    const { namespace, queues } = await space({}, {}, {});
    const waiting = api.popFiltered({ namespace, wait: true, timeout: 20_000 });
    await api.push({ queue: queues[2]!, payload: "pushed" });
    expect(payloads(await waiting)).toEqual(["pushed"]);
    const again = api.popFiltered({ namespace, wait: true, timeout: 20_000 });
    const late = uniqueName("late");
    await api.push({ queue: late, payload: "late" });
    await api.configure(late, {}, { namespace });
    expect(payloads(await again)).toEqual(["late"]);
  });
});

describe("a group that skips history, by namespace", () => {
  const fresh = { consumerGroup: "fresh", subscriptionMode: "new" };

  test("is registered with every queue at once", async () => {
    const { namespace, queues } = await space({}, {}, {});
    for (const queue of queues) await api.push({ queue, payload: "history" });
    expect(await api.popFiltered({ namespace, ...fresh })).toEqual([]);
    for (const queue of queues) await api.push({ queue, payload: queue });
    const seen = [];
    for (const _ of queues) seen.push(...payloads(await api.popFiltered({ namespace, ...fresh })));
    expect(seen).toEqual(queues);
  });

  test("gets everything of a queue that was made after it first asked", async () => {
    const { namespace } = await space({});
    expect(await api.popFiltered({ namespace, ...fresh })).toEqual([]);
    const late = uniqueName("late");
    await api.configure(late, {}, { namespace });
    await api.pushAll(late, "p", [1, 2]);
    expect(payloads(await api.popFiltered({ namespace, ...fresh, batch: 10 }))).toEqual([1, 2]);
  });

  test("gets everything of a queue made while it waits, as the first of its namespace", async () => {
    const namespace = uniqueName("space");
    const waiting = api.popFiltered({ namespace, ...fresh, batch: 10, wait: true, timeout: 20_000 });
    await api.push({ queue: uniqueName("barrier") });
    await api.pushAll(`${namespace}.t`, "p", [1, 2]);
    expect(payloads(await waiting)).toEqual([1, 2]);
  });

  test("starts at its timestamp in every queue", async () => {
    const { namespace, queues } = await space({}, {});
    await api.push({ queue: queues[0]!, payload: "before" });
    const from = new Date(Date.now() + 1).toISOString();
    await until(() => Date.now() > Date.parse(from) + 1);
    await api.push({ queue: queues[1]!, payload: "after" });
    const wish = { namespace, consumerGroup: "since", subscriptionFrom: from };
    expect(payloads(await api.popFiltered(wish))).toEqual(["after"]);
    expect(await api.popFiltered(wish)).toEqual([]);
  });
});
