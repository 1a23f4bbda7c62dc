/**
 * Every scenario of the bench, tiny and with its checks on: counts, order within each partition, no duplicates. They
 * share one server.
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Bench } from "./bench.ts";
import { allScenarios } from "./scenarios/all.ts";

const SEED = 20_261_123;

describe(`bench scenarios, seed ${SEED}`, () => {
  let bench: Bench;

  beforeAll(async () => {
    console.log(`bench scenarios: seed ${SEED}`);
    bench = await Bench.start({ size: "tiny", seconds: 5, seed: SEED });
  }, 60_000);

  afterAll(async () => {
    await bench.stop();
  }, 60_000);

  for (const scenario of allScenarios) {
    test(`${scenario.name}: ${scenario.about}`, async () => {
      const rows = await scenario.run(bench);
      expect(rows.length).toBeGreaterThan(0);
      for (const row of rows) {
        expect(row.scenario).toBe(scenario.name);
        if (scenario.name !== "parked") expect(row.messagesPerSecond).toBeGreaterThan(0);
        if (scenario.name === "plan") expect(row.note).not.toMatch(/^[1-9]\d* duplicates/);
      }
    }, 120_000);
  }
});
