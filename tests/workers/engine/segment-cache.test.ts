import { describe, expect, test } from "bun:test";
import { KeyRing, packBody } from "../../../schema/wire/segment.ts";
import { Segment } from "../../../workers/engine/segment.ts";
import { SegmentCache } from "../../../workers/engine/segment-cache.ts";

const COUNT = 100;
const RING = new KeyRing([]);
const plain = Buffer.alloc(20_000, "a compressible text ");

function segmentAt(firstOffset: number, withBody: boolean, body = plain): Segment {
  const facts = {
    partitionId: 1,
    firstOffset,
    messageCount: COUNT,
    createdAt: "",
    idBase: "",
    keys: Buffer.alloc(16 * COUNT),
  };
  return new Segment(facts, packBody(body, "json", null), RING, withBody ? body : null);
}

const held = (segment: Segment): boolean => segment.bodyBytes > 0;

describe("the cache of segments", () => {
  test("counts what it keeps, unpacked bodies once they exist", () => {
    const cache = new SegmentCache(1_000_000);
    const segment = segmentAt(0, false);
    cache.put(1, segment);
    const packed = cache.bytes;
    expect(packed).toBeLessThan(5_000);
    expect(segment.body).toEqual(plain);
    expect(cache.bytes).toBe(packed + plain.length);
    expect(segment.body).toEqual(plain);
    expect(cache.bytes).toBe(packed + plain.length);
  });

  test("forgets unpacked bodies first, the least recently used ones, and makes them again", () => {
    const cache = new SegmentCache(100_000);
    const segments = [0, 1].map((n) => segmentAt(n * COUNT, true));
    for (const segment of segments) cache.put(1, segment);
    expect(segments.map(held)).toEqual([true, true]);
    expect(segments[0]!.body).toHaveLength(plain.length);
    const third = segmentAt(2 * COUNT, true);
    cache.put(1, third);
    expect([...segments, third].map(held)).toEqual([true, false, true]);
    expect(cache.find(1, 1, 0, 3 * COUNT)).toEqual([...segments, third]);
    expect(segments[1]!.body).toEqual(plain);
    expect([...segments, third].map(held)).toEqual([false, true, true]);
  });

  test("stays within its bound whatever comes, and keeps the latest", () => {
    const cache = new SegmentCache(60_000);
    for (let n = 0; n < 500; n++) {
      const segment = segmentAt(n * COUNT, n % 2 === 0);
      cache.put(1, segment);
      if (n % 3 === 0) expect(segment.body).toEqual(plain);
      expect(cache.bytes).toBeLessThanOrEqual(60_000);
    }
    expect(cache.find(1, 1, 499 * COUNT, 500 * COUNT)).toHaveLength(1);
    expect(cache.find(1, 1, 0, COUNT)).toBeNull();
  });

  test("a segment that was forgotten is no longer counted when it is used", () => {
    const cache = new SegmentCache(60_000);
    const old = segmentAt(0, false);
    cache.put(1, old);
    for (let n = 1; n < 100; n++) cache.put(1, segmentAt(n * COUNT, false));
    const before = cache.bytes;
    expect(old.body).toEqual(plain);
    expect(cache.bytes).toBe(before);
  });

  test("with a bound of 0 it keeps nothing", () => {
    const cache = new SegmentCache(0);
    cache.put(1, segmentAt(0, true));
    expect([cache.bytes, cache.find(1, 1, 0, 1)]).toEqual([0, null]);
  });

  test("a body that is stored as it is counts once", () => {
    const cache = new SegmentCache(1_000_000);
    const body = Buffer.alloc(100, "x");
    const segment = segmentAt(0, false, body);
    cache.put(1, segment);
    const before = cache.bytes;
    expect(segment.body).toEqual(body);
    expect(cache.bytes).toBe(before);
  });
});
