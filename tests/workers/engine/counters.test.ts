import { describe, expect, test } from "bun:test";
import { countAck, countDelivery, instantMs } from "../../../workers/engine/count-work.ts";
import { Counters } from "../../../workers/engine/counters.ts";
import type { Segment } from "../../../workers/engine/segment.ts";
import { LoopLag } from "../../../workers/loop-lag.ts";
import { LaneMeter, metered } from "../../../workers/storage/lanes.ts";
import { until } from "../../support/wait.ts";
import { useEngine } from "../support/engine.ts";

const engine = useEngine();

function segment(firstOffset: number, messageCount: number, ageMs: number): Segment {
  const createdAt = new Date(Date.now() - ageMs).toISOString().replace("Z", "000Z");
  return { firstOffset, messageCount, createdAt } as Segment;
}

describe("counters", () => {
  test("a request counts once for the worker and once for each queue it concerns", () => {
    const counters = new Counters();
    counters.requested("pushRequests", [1, 2, 1]);
    counters.requested("pushRequests", [2]);
    counters.requested("pushRequests", []);
    const { counts, queues } = counters.take([]);
    expect(counts.pushRequests).toBe(3);
    expect(queues.map(({ queueId, pushRequests }) => [queueId, pushRequests])).toEqual([
      [1, 1],
      [2, 2],
    ]);
    expect(counters.take([])).toMatchObject({ counts: { pushRequests: 0 }, queues: [] });
  });

  test("parked pops show although nothing else happened", () => {
    expect(new Counters().take([[9, 4]]).queues).toMatchObject([{ queueId: 9, parked: 4 }]);
  });

  test("a delivery counts the messages of the claim that are not skipped, weighed by the age of their segments", () => {
    const counters = new Counters();
    const row = { first_offset: 5, end_offset: 25, skip: "{[6,8),[24,30)}" };
    countDelivery(counters, { queueId: 1, autoAck: false }, row, [segment(0, 10, 1_000), segment(10, 20, 100)]);
    const { counts, queues } = counters.take([]);
    // 5, 8, 9 of the first segment; 10 to 23 of the second.
    expect(counts.popMessages).toBe(17);
    expect(counts.autoAcked).toBe(0);
    expect(counts.lagMaxMs).toBeGreaterThanOrEqual(1_000);
    expect(counts.lagSumMs).toBeGreaterThanOrEqual(3 * 1_000 + 14 * 100);
    expect(counts.lagSumMs).toBeLessThan(3 * 1_000 + 14 * 100 + 17 * 500);
    expect(queues[0]).toMatchObject({ queueId: 1, popMessages: 17, lagCount: 17 });
  });

  test("acknowledgements count by what was said and whether it could be recorded", () => {
    const counters = new Counters();
    const items = ["completed", "success", "failed", "retry", "completed", "completed"].map((status) => ({ status }));
    const results = items.map((_, index) => ({ success: index !== 4, dlq: index === 2 }));
    const bundle = { partition: { queue: { id: 3 } }, indexes: [0, 1, 2, 3, 4] };
    countAck(counters, [bundle], items, results);
    const { counts, queues } = counters.take([]);
    expect(queues[0]).toMatchObject({ ackRequests: 1, ackSuccess: 2, ackFailed: 3, deadLetters: 1 });
    expect(counts).toMatchObject({ ackRequests: 1, ackSuccess: 2, ackFailed: 4, deadLetters: 1 });
  });
});

test.each([
  "2026-05-16T10:00:00.123456Z",
  "2026-05-16T23:59:59.999999Z",
  "2028-02-29T00:00:00.000000Z",
  "1999-12-31T07:08:09.010000Z",
])("instantMs(%s) is what Date.parse says", (text) => {
  expect(instantMs(text)).toBe(Date.parse(`${text.slice(0, 23)}Z`));
});

test("lateness of an event loop shows in the reading after it", async () => {
  const lag = new LoopLag();
  lag.start();
  try {
    const end = performance.now() + 500;
    while (performance.now() < end);
    const reading = await until(() => {
      const taken = lag.take();
      return taken.maxMs > 0 && taken;
    });
    expect(reading.maxMs).toBeGreaterThan(100);
    expect(reading.sumMs).toBeGreaterThanOrEqual(reading.maxMs);
  } finally {
    lag.stop();
  }
});

describe("a metered lane", () => {
  test("knows what is under way, what waits, and what failed", async () => {
    const meter = new LaneMeter(1);
    const sql = metered(engine.sql, meter);
    const slow = sql`select pg_sleep(0.2), ${1}::integer as one`;
    const second = sql`select ${2}::integer as two`;
    const both = Promise.all([slow, second]);
    await until(() => meter.underWay === 2);
    expect([meter.inUse, meter.waiting]).toEqual([1, 1]);
    await both;
    expect([meter.underWay, meter.inUse, meter.waiting]).toEqual([0, 0, 0]);
    await expect(Promise.resolve(sql`select 1 / ${0}::integer as nothing`)).rejects.toThrow("division by zero");
    expect([meter.underWay, meter.errors]).toEqual([0, 1]);
  });

  test("does not count fragments, nor what a transaction's own code throws", async () => {
    const meter = new LaneMeter(1);
    const sql = metered(engine.sql, meter);
    const condition = sql`where ${true}`;
    expect(meter.underWay).toBe(0);
    const [row] = await sql`select ${3}::integer as three ${condition}`;
    expect(row!.three).toBe(3);
    const changedItsMind = sql.begin(async (inner) => {
      await inner`select 1`;
      expect(meter.underWay).toBe(1);
      throw new Error("changed my mind");
    });
    await expect(changedItsMind).rejects.toThrow("changed my mind");
    const failing = sql.begin((inner) => inner`select ${"x"}::text::integer as number`);
    await expect(failing).rejects.toThrow("invalid input syntax");
    expect([meter.underWay, meter.errors]).toEqual([0, 1]);
  });
});
