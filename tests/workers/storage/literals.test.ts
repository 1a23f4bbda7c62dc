import { describe, expect, test } from "bun:test";
import {
  arrayOf,
  booleanArray,
  multirange,
  parseMultirange,
  rangesOf,
  textArray,
} from "../../../workers/storage/literals.ts";
import { Random, runSeed } from "../../support/random.ts";
import { useEngine } from "../support/engine.ts";

const engine = useEngine();

describe("ranges of offsets", () => {
  test.each([
    [[], []],
    [[5], [5, 6]],
    [
      [1, 2, 3],
      [1, 4],
    ],
    [
      [3, 1, 2],
      [1, 4],
    ],
    [
      [1, 1, 1],
      [1, 2],
    ],
    [
      [1, 3, 5],
      [1, 2, 3, 4, 5, 6],
    ],
    [
      [9, 1, 2, 8, 2],
      [1, 3, 8, 10],
    ],
    [[0], [0, 1]],
  ])("of %p are %p", (offsets, expected) => {
    expect(rangesOf(offsets)).toEqual(expected);
  });

  const seed = runSeed();
  test(`hold exactly the offsets, apart and ascending (MODEL_SEED=${seed})`, () => {
    const random = new Random(seed);
    for (let count = 0; count < 2_000; count += 1) {
      const offsets = Array.from({ length: random.int(0, 30) }, () => random.int(0, 40));
      const expected = [...new Set(offsets)].sort((a, b) => a - b);
      const ranges = rangesOf([...offsets]);
      const found: number[] = [];
      for (let at = 0; at < ranges.length; at += 2) {
        if (at > 0) expect(ranges[at]!).toBeGreaterThan(ranges[at - 1]!);
        for (let offset = ranges[at]!; offset < ranges[at + 1]!; offset += 1) found.push(offset);
      }
      expect(found).toEqual(expected);
      expect(parseMultirange(multirange(ranges))).toEqual(ranges);
    }
  });

  test("are read as PostgreSQL prints them", async () => {
    for (const ranges of [[], [0, 1], [1, 4, 7, 9]]) {
      const [row] = await engine.sql`select ${multirange(ranges)}::int8multirange::text as text`;
      expect(parseMultirange(row!.text)).toEqual(ranges);
    }
    expect(parseMultirange(null)).toEqual([]);
  });
});

describe("array literals", () => {
  const TEXTS = ["", "null", "NULL", '"', "\\", '\\\\"', ",", "{", "}", " ", "é\u{1f600}", "a\nb\t", "'", "$1"];

  test("of text come through PostgreSQL as they were, null included", async () => {
    const values = [...TEXTS, null];
    const [row] = await engine.sql`select to_json(${textArray(values)}::text[]) as list`;
    expect(row!.list).toEqual(values);
  });

  test("of numbers, uuids and booleans do, too", async () => {
    const id = "01900000-0000-7000-8000-000000000001";
    const [row] = await engine.sql`
      select to_json(${arrayOf([1, null, -7])}::bigint[]) as numbers, to_json(${arrayOf([id, null])}::uuid[]) as ids,
             to_json(${booleanArray([true, false])}::boolean[]) as flags, cardinality(${arrayOf([])}::integer[]) as none`;
    expect(row).toEqual({ numbers: [1, null, -7], ids: [id, null], flags: [true, false], none: 0 });
  });
});
