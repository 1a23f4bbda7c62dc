/** Who counts as stuck: a thread that stands still while the router looks on, and nobody else. */
import { describe, expect, test } from "bun:test";
import { StuckWatch } from "../../../server/pool/stuck-watch.ts";

/** A watch that is told when to look: five looks without a heartbeat are too many. */
function watched(count = 2) {
  const stuck: [number, number][] = [];
  const watch = new StuckWatch({ count, stuckMs: 5_000, onStuck: (index, silentMs) => stuck.push([index, silentMs]) });
  const counters = new Int32Array(watch.beats);
  const looks = (times: number) => {
    for (let at = 0; at < times; at += 1) watch.look();
  };
  return { watch, stuck, looks, beat: (index: number) => Atomics.add(counters, index, 1) };
}

describe("a worker is stuck", () => {
  test("after as many looks without a heartbeat as make up the limit, and is told of once", () => {
    const { stuck, looks, beat } = watched();
    beat(1);
    looks(1);
    looks(4);
    expect(stuck).toEqual([]);
    looks(1);
    expect(stuck).toEqual([[1, 5_000]]);
    looks(20);
    expect(stuck).toHaveLength(1);
  });

  test("not while it beats now and then, however slowly", () => {
    const { stuck, looks, beat } = watched();
    for (let round = 0; round < 20; round += 1) {
      beat(0);
      looks(5);
    }
    expect(stuck).toEqual([]);
  });

  test("not before it has begun to beat, nor its successor", () => {
    const { watch, stuck, looks, beat } = watched();
    looks(50);
    beat(0);
    looks(3);
    watch.forget(0);
    looks(50);
    expect(stuck).toEqual([]);
    beat(0);
    looks(6);
    expect(stuck).toEqual([[0, 5_000]]);
  });
});
