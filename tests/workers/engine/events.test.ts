import { describe, expect, test } from "bun:test";
import { Audience, addBatch, cutBatch } from "../../../workers/engine/audience.ts";
import { Events, emptyBatch } from "../../../workers/engine/events.ts";
import type { DashboardEvent, EventBatch } from "../../../workers/protocol/events.ts";
import { until } from "../../support/wait.ts";

function watched(): { events: Events; batches: EventBatch[] } {
  const batches: EventBatch[] = [];
  const events = new Events("w-0", (batch) => batches.push(batch));
  events.listening = true;
  return { events, batches };
}

function sum(batches: readonly EventBatch[]): EventBatch {
  const total = emptyBatch();
  for (const batch of batches) addBatch(total, batch);
  return total;
}

describe("Events", () => {
  test("gathers what happens, and sends it as one batch", async () => {
    const { events, batches } = watched();
    events.pushed("q", "p", 2, (index) => `t${index}`);
    events.completed("t0");
    events.failed("t1", "e".repeat(2_000));
    events.configured("q", "Default");
    events.processing("q", [{ partition: "p", transactionId: "t0" }], 1);
    await until(() => batches.length > 0);
    expect(batches).toHaveLength(1);
    const { created, completed, dropped, events: told } = batches[0]!;
    expect([created, completed, dropped]).toEqual([2, 1, 0]);
    expect(told.map(({ event }) => event)).toEqual([
      "message.pushed",
      "message.pushed",
      "message.completed",
      "message.failed",
      "queue.created",
      "message.processing",
    ]);
    expect((told[3]!.data.error as string).length).toBe(500);
    expect(told[5]!.data).toMatchObject({ workerId: "w-0" });
  });

  test("tells a bounded number, and counts the rest", async () => {
    const { events, batches } = watched();
    events.pushed("q", "p", 100_000, (index) => String(index));
    for (let n = 0; n < 10; n += 1) events.completed("x");
    await until(() => batches.length > 0);
    const total = sum(batches);
    expect(total.events.length).toBeLessThanOrEqual(400);
    expect(total.events.length + total.dropped).toBe(100_010);
    expect([total.created, total.completed]).toEqual([100_000, 10]);
  });

  test("makes nothing while nobody listens", async () => {
    const { events, batches } = watched();
    events.listening = false;
    expect(events.room).toBe(0);
    let asked = 0;
    events.pushed("q", "p", 5, () => String(asked++));
    events.configured("q", "p");
    events.listening = true;
    events.configured("q", "p");
    await until(() => batches.length > 0);
    expect(asked).toBe(0);
    expect(sum(batches).events).toHaveLength(1);
  });
});

describe("Audience", () => {
  test("says when somebody begins and ends to watch elsewhere, whoever it is", () => {
    const changes: boolean[] = [];
    const audience = new Audience((elsewhere) => changes.push(elsewhere));
    audience.note("a", false);
    audience.note("a", true);
    audience.note("b", true);
    audience.note("a", true);
    audience.note("a", false);
    expect(audience.elsewhere).toBe(true);
    audience.note("b", false);
    expect(changes).toEqual([true, false]);
  });

  test("forgets an instance that died watching", () => {
    const changes: boolean[] = [];
    const audience = new Audience((elsewhere) => changes.push(elsewhere));
    audience.note("a", true);
    audience.expire(Date.now() - 1_000);
    expect(audience.elsewhere).toBe(true);
    audience.expire(Date.now() + 1_000);
    expect(changes).toEqual([true, false]);
  });
});

describe("cutBatch()", () => {
  const event = (bytes: number): DashboardEvent => ({
    event: "message.pushed",
    data: { queue: "ü".repeat(bytes / 2) },
    timestamp: new Date().toISOString(),
  });

  test("makes parts that fit a notification, whose sum is the batch", () => {
    const batch = { events: Array.from({ length: 50 }, () => event(1_000)), dropped: 3, created: 7, completed: 5 };
    const parts = cutBatch(batch);
    for (const part of parts) expect(Buffer.byteLength(JSON.stringify(part))).toBeLessThan(7_900);
    expect(parts.length).toBeGreaterThan(1);
    expect(sum(parts)).toEqual(batch);
  });

  test("counts what is beyond so many parts, and what fits none, as dropped", () => {
    const batch = { ...emptyBatch(), events: [event(9_000), ...Array.from({ length: 500 }, () => event(1_000))] };
    const parts = cutBatch(batch);
    expect(parts).toHaveLength(10);
    const total = sum(parts);
    expect(total.events.length + total.dropped).toBe(501);
    expect(total.events.length).toBeGreaterThan(50);
    for (const part of parts) expect(Buffer.byteLength(JSON.stringify(part))).toBeLessThan(7_900);
  });
});
