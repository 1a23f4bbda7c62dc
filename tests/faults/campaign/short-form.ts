/**
 * Faults as tests: the short form, which CI runs.
 *
 * @module
 */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { runSeed } from "../../support/random.ts";
import { runCampaign } from "./campaign.ts";
import type { Fault } from "./fault.ts";

const TEST_MS_MAX = 300_000;

/** Makes a test of each fault. To be called at the top level of a test file. */
export function testFaults(title: string, faults: readonly Fault[]): void {
  setDefaultTimeout(TEST_MS_MAX);
  const seed = runSeed();
  describe(title, () => {
    for (const fault of faults.filter(({ times }) => times.short > 0)) {
      test(`${fault.what} (MODEL_SEED=${seed})`, async () => {
        const reason = (await fault.unable?.()) ?? null;
        if (reason !== null) {
          console.info(`${fault.name} is not tried here: ${reason}`);
          return;
        }
        const { violations, files, messages } = await runCampaign({ fault, form: "short", seed });
        expect({ violations: violations.slice(0, 12), files }).toEqual({ violations: [], files: [] });
        expect(messages).toBeGreaterThan(0);
      });
    }
  });
}
