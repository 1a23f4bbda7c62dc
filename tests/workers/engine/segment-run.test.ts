import { expect, test } from "bun:test";
import { SegmentRun } from "../../../workers/engine/segment-run.ts";
import { seededRandom } from "../../bench/load/payloads.ts";

const segment = (firstOffset: number, messageCount: number) => ({ firstOffset, messageCount });

test("a run finds the segment that holds an offset, also inside it, and nothing in gaps", () => {
  const run = new SegmentRun<ReturnType<typeof segment>>();
  const [early, late] = [segment(10, 5), segment(20, 1)];
  expect([run.add(late), run.add(early), run.add(segment(10, 5))]).toEqual([true, true, false]);
  expect([9, 10, 14, 15, 20, 21].map((offset) => run.holding(offset))).toEqual([null, early, early, null, late, null]);
  run.delete(15);
  run.delete(10);
  expect([run.size, run.holding(12), run.holding(20)]).toEqual([1, null, late]);
  run.delete(20);
  expect([run.size, run.holding(20)]).toEqual([0, null]);
  expect(run.add(early)).toBe(true);
  expect(run.holding(10)).toBe(early);
});

test("a run is what a plain list would be, in any order of additions and deletions", () => {
  const seed = Date.now() % 1_000_000;
  console.log(`seed ${seed}`);
  const random = seededRandom(seed);
  const run = new SegmentRun<ReturnType<typeof segment>>();
  const plain = new Map<number, ReturnType<typeof segment>>();
  let largest = 0;
  for (let step = 0; step < 20_000; step++) {
    // Mostly as a log: at the end, and away from the front.
    const anywhere = 3 * Math.floor(random() * step);
    if (random() < 0.53) {
      const added = segment(random() < 0.8 ? 3 * step : anywhere, 1 + Math.floor(random() * 3));
      expect(run.add(added)).toBe(!plain.has(added.firstOffset));
      if (!plain.has(added.firstOffset)) plain.set(added.firstOffset, added);
    } else {
      const known = [...plain.keys()];
      const goes = random() < 0.7 ? Math.min(...known) : (known[Math.floor(random() * known.length)] ?? anywhere);
      run.delete(goes);
      plain.delete(goes);
    }
    largest = Math.max(largest, plain.size);
    expect(run.size).toBe(plain.size);
    const asked = (random() < 0.5 ? 3 * step : anywhere) + Math.floor(random() * 3);
    const wanted = [...plain.values()].find(
      (one) => one.firstOffset <= asked && asked < one.firstOffset + one.messageCount,
    );
    expect(run.holding(asked)).toBe(wanted ?? null);
  }
  expect(largest).toBeGreaterThan(100);
});
