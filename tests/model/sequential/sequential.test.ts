/**
 * One client, every operation in random order: after each one the store holds exactly what the reference holds.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type postgres from "postgres";
import { openDatabase } from "../../support/database.ts";
import { uniqueName } from "../../support/names.ts";
import { Random, runOperations, runSeed } from "../../support/random.ts";
import { sharedServer } from "../../support/server.ts";
import { useSharedServer } from "../../support/shared.ts";
import * as decisions from "./decisions.ts";
import * as deliveries from "./deliveries.ts";
import { compareWorld, createWorld, type World } from "./world.ts";

const WEIGHTS = {
  push: 22,
  popAny: 18,
  popOne: 10,
  transaction: 5,
  ackBatch: 22,
  ackOne: 10,
  ackLease: 8,
  expire: 4,
  extend: 2,
  seek: 1.5,
  seekPartition: 0.7,
  message: 6,
  clear: 0.7,
  forget: 0.5,
  recreate: 0.2,
};
const OPERATIONS: Record<keyof typeof WEIGHTS, (world: World) => Promise<void>> = { ...deliveries, ...decisions };

const api = useSharedServer();
let sql: postgres.Sql;
beforeAll(async () => {
  sql = await openDatabase((await sharedServer()).dataDir);
});
afterAll(async () => {
  await sql.end();
});

describe("one client", () => {
  const seed = runSeed();
  for (const run of [0, 1, 2]) {
    test(`agrees with the reference after every operation (MODEL_SEED=${seed} run ${run})`, async () => {
      const random = new Random(seed + run);
      const world = await createWorld(api, sql, random, uniqueName("model"));
      const done: string[] = [];
      for (let count = 0; count < runOperations(600); count += 1) {
        const name = random.weighted(WEIGHTS);
        done.push(name);
        try {
          await OPERATIONS[name](world);
          await compareWorld(world);
        } catch (error) {
          throw new Error(`MODEL_SEED=${seed} run ${run}, operation ${count}: ${done.slice(-8).join(" ")}`, {
            cause: error,
          });
        }
      }
      expect(new Set(done).size).toBeGreaterThan(10);
    });
  }
});
