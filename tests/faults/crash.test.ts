/**
 * The server is killed under load, at random moments, again and again: what it had answered holds, and what clients saw
 * before, between and after the crashes can be explained by the invariants.
 */
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { dawdle, forgetLeases, work } from "../model/concurrent/consumer.ts";
import { produce, revive } from "../model/concurrent/producer.ts";
import { settle } from "../model/concurrent/run.ts";
import { Scene } from "../model/concurrent/scene.ts";
import { databaseSocket, openDatabase } from "../support/database.ts";
import { uniqueName } from "../support/names.ts";
import { Random, runSeed } from "../support/random.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { until, untilTime } from "../support/wait.ts";

/** Who dies how often: the server, the server and its database with it, or the database under a server that lives. */
const VICTIMS = { server: 8, both: 3, database: 1 };
type Victim = keyof typeof VICTIMS;
/** Load between a start and the next crash, in milliseconds. */
const LOAD_MS = { min: 20, max: 900 };
const GROUPS = { work, slow: dawdle, loose: forgetLeases };
setDefaultTimeout(300_000);

let server: TestServer;
afterAll(async () => {
  await server?.stop();
});

/** Kills a victim and waits until the server is gone; one that outlives its database buffers pushes until it ends by itself. */
async function crash(victim: Victim): Promise<void> {
  const { pid } = await databaseSocket(server.dataDir);
  if (victim !== "database") process.kill(server.pid, "SIGKILL");
  if (victim !== "server") process.kill(pid, "SIGKILL");
  await server.exited;
  await server.stop(true);
}

describe("kill -9", () => {
  const seed = runSeed();
  const victims = (Object.keys(VICTIMS) as Victim[]).flatMap((victim) => Array<Victim>(VICTIMS[victim]).fill(victim));
  test(`loses nothing that was answered, ${victims.length} times (MODEL_SEED=${seed})`, async () => {
    const random = new Random(seed);
    server = await startServer();
    const scene = new Scene([server.url], uniqueName("crash"), Number.POSITIVE_INFINITY, 200_000);
    await scene.prepare();
    const actors = Promise.all([
      ...[1, 2, 3].map(() => produce(scene, random.fork())),
      revive(scene, random.fork()),
      ...Object.entries(GROUPS).flatMap(([group, act]) => [1, 2].map(() => act(scene, random.fork(), group))),
    ]);
    // Whoever fails meanwhile is heard at the end.
    actors.catch(() => {});
    for (const victim of random.shuffled(victims)) {
      await untilTime(Date.now() + random.int(LOAD_MS.min, LOAD_MS.max));
      let started = (): void => {};
      scene.up = new Promise<void>((resolve) => (started = resolve));
      const start = performance.now();
      await crash(victim);
      server = await startServer({ dataDir: server.dataDir });
      if (victim !== "server") scene.history.outages.push({ start, end: performance.now() });
      for (const { http } of scene.apis) http.url = server.url;
      started();
    }
    scene.finish();
    await actors;
    const pending = async () => (await scene.apis[0]!.http.get("/api/v1/status/buffers")).json.pending;
    await until(async () => (await pending()) === 0, 30_000, "buffered messages are stored");

    const sql = await openDatabase(server.dataDir);
    try {
      await settle(scene, sql, random, Object.keys(GROUPS));
    } finally {
      await sql.end();
    }
    const answered = scene.history.pushes.filter((push) => push.outcome !== "unknown").length;
    expect(answered).toBeGreaterThan(victims.length);
  });
});
