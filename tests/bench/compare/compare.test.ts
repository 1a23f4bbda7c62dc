/** The comparison of two revisions: its arithmetic, and one tiny run of it. */

import { afterAll, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Row } from "../scenario.ts";
import { allScenarios } from "../scenarios/all.ts";
import { compare } from "./compare.ts";
import { median, ratiosOf, ratioText } from "./ratios.ts";
import { checkOut, type Source, workingTree } from "./revision.ts";

function row(messagesPerSecond: number, workers: number): Row {
  return {
    scenario: "made-up",
    label: "made up",
    messagesPerSecond,
    p50Ms: 2,
    p99Ms: 4,
    cpuUs: { router: 1, workers, helpers: 0, postgres: 2, load: 5 },
    othersCores: 0.3,
    diskBytesPerMessage: null,
    limit: null,
    aim: "",
    met: null,
    note: "",
    parameters: {},
  };
}

describe("ratios", () => {
  const rounds = [
    { base: row(100, 1), candidate: row(150, 1) },
    { base: row(100, 2), candidate: row(300, 1) },
    { base: row(400, 1), candidate: row(400, 1) },
  ];
  const ratios = new Map(ratiosOf(rounds).map((ratio) => [ratio.what, ratio]));

  test("are candidate over base with their spread", () => {
    expect(ratios.get("rate")).toEqual({ what: "rate", median: 1.5, min: 1, max: 3, above: 2, below: 0, share: null });
    expect(ratios.get("cpu workers")).toMatchObject({ median: 1, min: 0.5, max: 1 });
  });

  test("of processor time say what share of the base they are about; the load is no part of it", () => {
    expect(ratios.get("cpu router")?.share).toBe(0.25);
    expect(ratios.get("cpu postgres")?.share).toBe(0.5);
    expect(ratios.get("cpu server+db")?.share).toBe(1);
    expect(ratios.has("cpu load")).toBe(false);
  });

  test("leave out what was not measured", () => {
    expect(ratios.has("disk")).toBe(false);
    expect(ratios.has("cpu helpers")).toBe(false);
  });

  test("are written with the rounds that agree", () => {
    const text = ratioText([{ base: row(100, 2), candidate: row(150, 1) }]);
    expect(text).toContain("cores busy with other programs: base 0.3 (0.3..0.3), candidate 0.3 (0.3..0.3)");
    expect(text).toMatch(/rate +1\.500 +1\.500\.\.1\.500 +1 more/);
    expect(text).toMatch(/cpu workers +0\.500 +0\.500\.\.0\.500 +40 % +1 less/);
    expect(text).toMatch(/cpu router +1\.000 +1\.000\.\.1\.000 +20 %$/m);
  });

  test("have a median between two middle ones", () => {
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(median([9])).toBe(9);
  });
});

describe("a revision", () => {
  let head: Source | null = null;

  afterAll(async () => {
    await head?.remove();
  });

  test("that git does not know is refused", async () => {
    await expect(checkOut("no-such-revision")).rejects.toThrow("git rev-parse failed");
  });

  test("is compared with the tree, each on a server of its own", async () => {
    head = await checkOut("HEAD");
    expect(existsSync(join(head.root, "server/main.ts"))).toBe(true);
    const scenario = allScenarios.find(({ name }) => name === "push-latency")!;
    const options = { size: "tiny" as const, seconds: 5, seed: 1 };
    const rows = await compare(scenario, { base: head, candidate: workingTree, rounds: 2, fresh: false, options });
    expect(rows.length).toBe(1);
    expect(rows[0]!.length).toBe(2);
    const found = ratiosOf(rows[0]!).map(({ what }) => what);
    expect(found).toContain("rate");
    if (process.platform === "linux") expect(found).toContain("cpu server+db");
    await head.remove();
    expect(existsSync(head.root)).toBe(false);
  }, 90_000);
});
