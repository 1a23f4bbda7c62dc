/**
 * Concurrent producers and consumers in random order: whatever they saw can be explained by the invariants.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type postgres from "postgres";
import { databaseSocket, openDatabase } from "../../support/database.ts";
import { uniqueName } from "../../support/names.ts";
import { Random, runOperations, runSeed } from "../../support/random.ts";
import { startServer, type TestServer } from "../../support/server.ts";
import { act, settle } from "./run.ts";
import { Scene } from "./scene.ts";

const OPERATIONS = 4_000;
const RUN_MS_MAX = 9_000;
setDefaultTimeout(300_000);

const servers: TestServer[] = [];
let sql: postgres.Sql;
beforeAll(async () => {
  const first = await startServer();
  servers.push(first);
  const { folder, port, user, database } = await databaseSocket(first.dataDir);
  const env = { PG_HOST: folder, PG_PORT: String(port), PG_USER: user, PG_DB: database, PG_PASSWORD: "" };
  servers.push(await startServer({ env }));
  sql = await openDatabase(first.dataDir);
});
afterAll(async () => {
  await sql?.end();
  for (const server of servers.toReversed()) await server.stop();
});

describe("concurrent clients", () => {
  const seed = runSeed();
  const operations = runOperations(OPERATIONS);
  const msMax = (RUN_MS_MAX * operations) / OPERATIONS;
  for (const [name, count, run] of [
    ["two workers", 1, 0],
    ["two instances on one database", 2, 1],
  ] as const) {
    test(`${name} (MODEL_SEED=${seed})`, async () => {
      const random = new Random(seed + run);
      const urls = servers.slice(0, count).map((server) => server.url);
      const scene = new Scene(urls, uniqueName("crowd"), operations, msMax);
      await scene.prepare();
      await act(scene, sql, random);
      await settle(scene, sql, random);
      const delivered = scene.history.pops.reduce((sum, { messages }) => sum + messages.length, 0);
      expect(delivered).toBeGreaterThan(scene.history.pushes.length);
      expect(servers.flatMap((server) => server.log).filter((line) => line.includes("sweep_repaired"))).toEqual([]);
    });
  }
});
