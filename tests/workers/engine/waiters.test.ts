import { afterEach, describe, expect, test } from "bun:test";
import { PARTITION_UNKNOWN, type WaitedFor, Waiters } from "../../../workers/engine/waiters.ts";
import { PARKED_SLOTS } from "../../../workers/protocol.ts";

const WORKERS = 3;
const FLOOR_MS = 20;
const LONG_MS = 60_000;

type Look = (waited: WaitedFor[]) => Promise<{ pair: number; wait_ms: number }[]>;
const opened: Waiters[] = [];

function open(
  look: Look = async () => [],
  index = 0,
  shared = new SharedArrayBuffer(PARKED_SLOTS * WORKERS * 4),
): Waiters {
  const waiters = new Waiters(shared, index, FLOOR_MS, look);
  opened.push(waiters);
  return waiters;
}

afterEach(() => {
  for (const waiters of opened.splice(0)) {
    waiters.wakeAll();
    waiters.stop();
  }
});

/** Parks, and notes when it is woken. */
function park(waiters: Waiters, queueIds: number[], more: { partitionId?: number; group?: number; ms?: number } = {}) {
  const groupIds = queueIds.map(() => more.group ?? 1);
  const state = { woken: false, stop: () => {}, done: Promise.resolve() };
  const since = waiters.sequence(queueIds);
  const waiter = { queueIds, groupIds, partitionId: more.partitionId ?? null };
  const parked = waiters.park(waiter, Date.now() + (more.ms ?? LONG_MS), since);
  state.stop = parked.stop;
  state.done = parked.done.then(() => {
    state.woken = true;
  });
  return state;
}

/** Lets everything that was resolved be noticed. */
const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

describe("parked pops", () => {
  test("are woken by their queue, and by no other", async () => {
    const waiters = open();
    const [a, b, both] = [park(waiters, [1]), park(waiters, [2]), park(waiters, [1, 2])];
    expect(waiters.count).toBe(4);
    waiters.wake([1], null);
    await settle();
    expect([a.woken, b.woken, both.woken]).toEqual([true, false, true]);
    expect(waiters.count).toBe(1);
  });

  test("of a partition are woken by pushes to it, or to one that is not known yet", async () => {
    const waiters = open();
    const seven = park(waiters, [1], { partitionId: 7 });
    const unknown = park(waiters, [1], { partitionId: PARTITION_UNKNOWN });
    waiters.wake([1], [8, 9]);
    await settle();
    expect([seven.woken, unknown.woken]).toEqual([false, true]);
    waiters.wake([1], [7]);
    await settle();
    expect(seven.woken).toBe(true);
  });

  test("are woken a few at a time, and each that finds something wakes the next of its group", async () => {
    const waiters = open();
    const many = Array.from({ length: 20 }, () => park(waiters, [1]));
    const other = park(waiters, [1], { group: 2 });
    waiters.wake([1], null);
    await settle();
    const woken = () => many.filter((state) => state.woken).length;
    expect(woken()).toBe(8);
    expect(other.woken).toBe(true);
    for (let next = 9; next <= 20; next += 1) {
      waiters.pass(1, 1, false);
      await settle();
      expect(woken()).toBe(next);
    }
  });

  test("are woken one for each partition that was announced, and one more when somebody left something behind", async () => {
    const waiters = open();
    const many = Array.from({ length: 20 }, () => park(waiters, [1]));
    const woken = () => many.filter((state) => state.woken).length;
    waiters.wake([1], [7, 8]);
    await settle();
    expect(woken()).toBe(2);
    waiters.pass(1, 1, false);
    await settle();
    expect(woken()).toBe(2);
    waiters.pass(1, 1, true);
    await settle();
    expect(woken()).toBe(3);
  });

  test("are woken for all of many announced partitions, until one finds nothing", async () => {
    const waiters = open();
    const many = Array.from({ length: 20 }, () => park(waiters, [1]));
    const woken = () => many.filter((state) => state.woken).length;
    waiters.wake(
      [1],
      Array.from({ length: 10 }, (_, id) => id),
    );
    await settle();
    expect(woken()).toBe(8);
    for (const expected of [9, 10, 10]) {
      waiters.pass(1, 1, false);
      await settle();
      expect(woken()).toBe(expected);
    }
    waiters.wake([1], null);
    await settle();
    expect(woken()).toBe(18);
    waiters.foundNothing(1, 1);
    waiters.pass(1, 1, false);
    await settle();
    expect(woken()).toBe(18);
  });

  test("vouch for their queue and group being empty, but not beside other instances", async () => {
    const shared = new SharedArrayBuffer(PARKED_SLOTS * WORKERS * 4);
    const [first, second] = [open(undefined, 0, shared), open(undefined, 1, shared)];
    expect(second.isKnownEmpty(1, 1)).toBe(false);
    park(second, [1]);
    park(second, [2], { partitionId: 7 });
    // One that waits for many queues may have looked at some of them only.
    park(second, [3, 4]);
    expect([second.isKnownEmpty(3, 1), second.isKnownEmpty(4, 1)]).toEqual([false, false]);
    const known = () => [second.isKnownEmpty(1, 1), second.isKnownEmpty(1, 2), second.isKnownEmpty(2, 1)];
    expect(known()).toEqual([true, false, false]);
    first.enterAll(true);
    expect(known()).toEqual([false, false, false]);
    first.enterAll(false);
    second.wake([1], [3]);
    expect(known()).toEqual([false, false, false]);
  });

  test("end at their deadline, or when they are stopped", async () => {
    const waiters = open();
    const soon = park(waiters, [1], { ms: 5 });
    const stopped = park(waiters, [1]);
    stopped.stop();
    await soon.done;
    await stopped.done;
    expect(waiters.count).toBe(0);
  });

  test("do not park when they were woken between their last try and parking", async () => {
    const waiters = open();
    const since = waiters.sequence([1]);
    waiters.wake([1], null);
    const { done } = waiters.park({ queueIds: [1], groupIds: [1], partitionId: null }, Date.now() + LONG_MS, since);
    await done;
    expect(waiters.count).toBe(0);
  });
});

describe("other workers", () => {
  test("see who waits for a queue, until it leaves", () => {
    const shared = new SharedArrayBuffer(PARKED_SLOTS * WORKERS * 4);
    const [a, b] = [open(undefined, 0, shared), open(undefined, 1, shared)];
    a.enter([5]);
    a.enter([5]);
    expect(b.waitedForElsewhere(5)).toBe(true);
    expect(a.waitedForElsewhere(5)).toBe(false);
    a.leave([5]);
    expect(b.waitedForElsewhere(5)).toBe(true);
    a.leave([5]);
    expect(b.waitedForElsewhere(5)).toBe(false);
    b.enterAll(true);
    expect([a.waitedForElsewhere(9), b.waitedForElsewhere(9)]).toEqual([true, false]);
    b.enterAll(false);
    expect(a.waitedForElsewhere(9)).toBe(false);
  });
});

describe("the floor", () => {
  test("asks once for all that wait, and wakes what is due", async () => {
    const asked: WaitedFor[][] = [];
    const waiters = open(async (waited) => {
      asked.push(waited);
      return waited.flatMap(({ queueId }, pair) => (queueId === 1 ? [{ pair, wait_ms: -3 }] : []));
    });
    const [due, same, later] = [park(waiters, [1]), park(waiters, [1]), park(waiters, [2])];
    await Promise.all([due.done, same.done]);
    expect(later.woken).toBe(false);
    expect(asked[0]).toEqual([
      { queueId: 1, groupId: 1, partitionId: null },
      { queueId: 2, groupId: 1, partitionId: null },
    ]);
  });

  test("wakes at the moment something becomes due, not at the next look", async () => {
    let looks = 0;
    const waiters = open(async () => {
      looks += 1;
      return looks === 1 ? [{ pair: 0, wait_ms: FLOOR_MS / 2 }] : [];
    });
    await park(waiters, [1]).done;
    expect(looks).toBeLessThanOrEqual(2);
  });

  test("looks again after the store was away", async () => {
    let looks = 0;
    const waiters = open(async (waited) => {
      looks += 1;
      if (looks < 3) throw new Error("away");
      return waited.map((_, pair) => ({ pair, wait_ms: 0 }));
    });
    await park(waiters, [1], { partitionId: 4 }).done;
    expect(looks).toBe(3);
  });
});
