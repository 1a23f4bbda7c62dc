import { describe, expect, test } from "bun:test";
import { payloads, popPath, query } from "../support/api.ts";
import { uniqueName } from "../support/names.ts";
import { openRaw } from "../support/raw.ts";
import { useSharedServer } from "../support/shared.ts";
import { until } from "../support/wait.ts";

const api = useSharedServer();

/** Round trips to the database behind requests already sent, so that those have been looked at. */
async function letItPark(): Promise<void> {
  for (let n = 0; n < 10; n++) await api.push({ queue: "park-barrier" });
}

const LONG = { wait: true, timeout: 20_000 };

describe("long poll", () => {
  const pops: [what: string, pop: (queue: string) => Promise<unknown[]>][] = [
    ["the queue", async (queue) => payloads(await api.pop(queue, LONG))],
    ["the partition", async (queue) => payloads(await api.popPartition(queue, "p", LONG))],
    ["the namespace", async (queue) => payloads(await api.popFiltered({ ...LONG, namespace: queue }))],
    ["a group of its own", async (queue) => payloads(await api.pop(queue, { ...LONG, consumerGroup: "g" }))],
    ["autoAck", async (queue) => payloads(await api.pop(queue, { ...LONG, autoAck: true }))],
    [
      "a new subscription",
      async (queue) => payloads(await api.pop(queue, { ...LONG, consumerGroup: "n", subscriptionMode: "new" })),
    ],
  ];
  test.each(pops)("by %s is woken by a push to a known queue", async (_what, pop) => {
    const queue = uniqueName("wait");
    await api.configure(queue, {}, { namespace: queue });
    const waiting = pop(queue);
    await letItPark();
    const pushed = performance.now();
    await api.push({ queue, partition: "p", payload: "wake" });
    expect(await waiting).toEqual(["wake"]);
    expect(performance.now() - pushed).toBeLessThan(5_000);
  });

  test.each(pops.filter(([what]) => what !== "the namespace"))(
    "by %s is woken by a push that creates the queue",
    async (_what, pop) => {
      const queue = uniqueName("wait");
      const waiting = pop(queue);
      await letItPark();
      const pushed = performance.now();
      await api.push({ queue, partition: "p", payload: "wake" });
      expect(await waiting).toEqual(["wake"]);
      expect(performance.now() - pushed).toBeLessThan(5_000);
    },
  );

  test("answers at once when messages are there", async () => {
    const queue = uniqueName("wait");
    await api.pushAll(queue, "p", [1]);
    const started = performance.now();
    expect(payloads(await api.pop(queue, LONG))).toEqual([1]);
    expect(performance.now() - started).toBeLessThan(2_000);
  });

  test("wakes in far less than a poll interval: median of 30 round trips under 100 ms", async () => {
    const queue = uniqueName("wait");
    await api.configure(queue);
    const times: number[] = [];
    for (let n = 0; n < 30; n++) {
      const waiting = api.pop(queue, { ...LONG, autoAck: true });
      await api.push({ queue: "park-barrier" });
      const pushed = performance.now();
      await api.push({ queue, payload: n });
      expect(payloads(await waiting)).toEqual([n]);
      times.push(performance.now() - pushed);
    }
    expect(times.sort((a, b) => a - b)[15]!).toBeLessThan(100);
  });

  test("is woken by a transaction that pushes", async () => {
    const queue = uniqueName("wait");
    await api.configure(queue);
    const waiting = api.pop(queue, LONG);
    await letItPark();
    await api.transaction([{ type: "push", items: [{ queue, payload: "tx" }] }]);
    expect(payloads(await waiting)).toEqual(["tx"]);
  });

  test.each([
    ["completed", 2],
    ["failed", 1],
    ["retry", 1],
    ["dlq", 2],
  ])("is woken by an ack that releases the partition (%s)", async (status, next) => {
    const queue = uniqueName("wait");
    await api.pushAll(queue, "p", [1, 2]);
    const [message] = await api.pop(queue);
    const waiting = api.pop(queue, LONG);
    await letItPark();
    const acked = performance.now();
    const { transactionId, partitionId, leaseId } = message!;
    await api.ack({ transactionId, partitionId, leaseId, status });
    expect(payloads(await waiting)).toEqual([next]);
    expect(performance.now() - acked).toBeLessThan(5_000);
  });

  test("twenty waiting consumers each get one of twenty partitions", async () => {
    const queue = uniqueName("wait");
    await api.configure(queue);
    const waiting = Array.from({ length: 20 }, () => api.pop(queue, LONG));
    await letItPark();
    await api.push(...Array.from({ length: 20 }, (_, n) => ({ queue, partition: `p${n}`, payload: n })));
    const seen = (await Promise.all(waiting)).flatMap(payloads) as number[];
    expect(seen.sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, n) => n));
  });

  test("takes no lease for a client that went away", async () => {
    const queue = uniqueName("wait");
    await api.configure(queue);
    const gone = await Promise.all(
      Array.from({ length: 5 }, () => openRaw(api.http.url, `GET ${popPath(queue)}${query(LONG)} HTTP/1.1`)),
    );
    await letItPark();
    for (const { socket } of gone) socket.destroy();
    await letItPark();
    await api.push({ queue, payload: "kept" });
    const popped = await until(async () => {
      const messages = await api.pop(queue);
      return messages.length > 0 && messages;
    });
    expect(payloads(popped)).toEqual(["kept"]);
  });

  test("takes wait=1 as true and any other word as false", async () => {
    const queue = uniqueName("wait");
    const timed = async (wait: string): Promise<number> => {
      const started = performance.now();
      expect((await api.http.get(`${popPath(queue)}?wait=${wait}&timeout=300`)).status).toBe(204);
      return performance.now() - started;
    };
    expect(await timed("1")).toBeGreaterThanOrEqual(295);
    for (const word of ["false", "0", "yes", ""]) expect(await timed(word)).toBeLessThan(295);
  });

  test("takes timeout=0 as no wait", async () => {
    const started = performance.now();
    expect((await api.http.get(`${popPath(uniqueName("wait"))}?wait=true&timeout=0`)).status).toBe(204);
    expect(performance.now() - started).toBeLessThan(1_000);
  });
});
