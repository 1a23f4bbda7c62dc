import { describe, expect, test } from "bun:test";
import { Restarts } from "../../../workers/engine/restarts.ts";

describe("restarts of other instances", () => {
  test("an instance that comes back after it was missed counts, once", () => {
    const restarts = new Restarts();
    restarts.seen("1", "a", 0);
    restarts.seen("1", "a", 5);
    restarts.lost("1", 5);
    expect(restarts.count).toBe(0);
    restarts.seen("2", "a", 30);
    restarts.seen("2", "a", 35);
    expect(restarts.count).toBe(1);
    restarts.seen("3", "a", 40);
    expect(restarts.count).toBe(1);
  });

  test("one that was back before it was missed counts when it is", () => {
    const restarts = new Restarts();
    restarts.seen("1", "a", 0);
    restarts.seen("2", "a", 7);
    expect(restarts.count).toBe(0);
    restarts.lost("1", 5);
    expect(restarts.count).toBe(1);
  });

  test("two of one name side by side are no restart, nor is one of another name", () => {
    const restarts = new Restarts();
    restarts.seen("1", "a", 0);
    restarts.seen("2", "a", 1);
    restarts.lost("1", 50);
    restarts.seen("3", "b", 60);
    expect(restarts.count).toBe(0);
    restarts.lost("unknown", 70);
    expect(restarts.count).toBe(0);
  });
});
