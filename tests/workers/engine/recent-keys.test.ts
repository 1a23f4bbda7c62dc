import { describe, expect, test } from "bun:test";
import { Buffer } from "node:buffer";
import { writeUuid } from "../../../schema/wire/ids.ts";
import { RecentKeys } from "../../../workers/engine/recent-keys.ts";

/** The n-th of ids that grow. */
const id = (n: number) => `01900000-0000-7000-8000-${n.toString(16).padStart(12, "0")}`;

function keyOf(text: string): string {
  const bytes = Buffer.alloc(16);
  writeUuid(text, bytes, 0);
  return bytes.toString("latin1");
}

/** A segment with these ids at an offset. */
function segment(firstOffset: number, numbers: number[], txHighBefore: number | null, epoch = 0) {
  const ids = numbers.map(id).sort();
  return {
    ...{ firstOffset, messageCount: numbers.length, epoch, idBase: `base ${firstOffset}` },
    ...{ min: ids[0] ?? null, max: ids.at(-1) ?? null, txHighBefore: txHighBefore === null ? null : id(txHighBefore) },
    keys: Buffer.concat(numbers.map((n) => Buffer.from(keyOf(id(n)), "latin1"))),
  };
}

const find = (recent: RecentKeys, n: number) => {
  const known = recent.covering("p", id(n));
  return known && RecentKeys.find(known, id(n), keyOf(id(n)));
};

describe("recent keys", () => {
  test("know nothing at first", () => {
    expect(new RecentKeys().covering("p", id(1))).toBeNull();
  });

  test("find what was appended, wherever it stands in its segment", () => {
    const recent = new RecentKeys();
    recent.appended("p", segment(0, [5, 3, 9], null));
    expect(find(recent, 3)).toEqual({ idBase: "base 0", index: 1 });
    expect(find(recent, 9)).toEqual({ idBase: "base 0", index: 2 });
    expect(find(recent, 4)).toBeNull();
    expect(find(recent, 100)).toBeNull();
  });

  test("cover only ids above what the partition held before", () => {
    const recent = new RecentKeys();
    recent.appended("p", segment(10, [20, 30], 15));
    expect(recent.covering("p", id(15))).toBeNull();
    expect(recent.covering("p", id(3))).toBeNull();
    expect(recent.covering("p", id(16))).toMatchObject({ head: 12, epoch: 0 });
    expect(recent.covering("other", id(16))).toBeNull();
    // Without time-ordered ids there is nothing to cover.
    expect(recent.covering("p", null)).toMatchObject({ head: 12 });
  });

  test("go on while nobody else moves the head, and start anew when somebody did", () => {
    const recent = new RecentKeys();
    recent.appended("p", segment(0, [1], null));
    recent.appended("p", segment(1, [2, 3], 1));
    expect(find(recent, 1)).toEqual({ idBase: "base 0", index: 0 });
    expect(recent.covering("p", id(9))).toMatchObject({ head: 3 });
    recent.appended("p", segment(7, [8], 6));
    expect(find(recent, 1)).toBeNull();
    expect(recent.covering("p", id(6))).toBeNull();
    expect(recent.covering("p", id(7))).toMatchObject({ head: 8, floor: id(6) });
  });

  test("start anew when messages were taken away", () => {
    const recent = new RecentKeys();
    recent.appended("p", segment(0, [1], null));
    recent.appended("p", segment(1, [2], 1, 1));
    expect(find(recent, 1)).toBeNull();
    expect(recent.covering("p", id(2))).toMatchObject({ epoch: 1, floor: id(1) });
  });

  test("forget the oldest of many segments, and say so", () => {
    const recent = new RecentKeys();
    for (let n = 0; n < 20; n += 1) recent.appended("p", segment(n, [n + 1], n === 0 ? null : n));
    expect(recent.covering("p", id(1))).toBeNull();
    const known = recent.covering("p", id(20))!;
    expect(known.head).toBe(20);
    expect(known.floor! >= id(5)).toBe(true);
    expect(find(recent, 20)).toEqual({ idBase: "base 19", index: 0 });
    // Whatever they still cover they still find.
    for (let n = 1; n <= 20; n += 1) if (recent.covering("p", id(n))) expect(find(recent, n)).not.toBeNull();
  });

  test("segments without time-ordered ids move the head and add nothing", () => {
    const recent = new RecentKeys();
    recent.appended("p", segment(0, [1], null));
    recent.appended("p", { ...segment(1, [], 1), messageCount: 4 });
    expect(recent.covering("p", id(1))).toMatchObject({ head: 5 });
    expect(find(recent, 1)).toEqual({ idBase: "base 0", index: 0 });
  });

  test("stay bounded over very many partitions", () => {
    const recent = new RecentKeys();
    for (let n = 0; n < 25_000; n += 1) recent.appended(`p${n}`, segment(0, [1], null));
    let kept = 0;
    for (let n = 0; n < 25_000; n += 1) if (recent.covering(`p${n}`, id(1))) kept += 1;
    expect(kept).toBeLessThanOrEqual(20_000);
    expect(recent.covering("p24999", id(1))).not.toBeNull();
  });
});
