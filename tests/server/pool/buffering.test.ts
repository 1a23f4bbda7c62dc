/**
 * What the pool does with what worker 0 says about the instance: pushes go to its spool, pops are answered empty.
 */
import { afterEach, describe, expect, test } from "bun:test";
import type { Answer, Pool } from "../../../server/pool/pool.ts";
import { until } from "../../support/wait.ts";
import { bodyRequest, echoPool, popRequest } from "./echo-pool.ts";

let running: Pool[] = [];
afterEach(async () => {
  await Promise.all(running.map((pool) => pool.stop(0)));
  running = [];
});

async function startPool() {
  const made = echoPool({ workerCount: 3 });
  running.push(made.pool);
  await made.pool.start();
  return made;
}

/** Has worker 0 say how the instance stands. */
async function say(pool: Pool, state: object): Promise<void> {
  // `configure` goes to the least loaded worker: the first, when nothing is under way.
  await pool.send(bodyRequest("configure", `STATE${JSON.stringify(state)}`));
}

function workerOf(answer: Answer): number {
  if (answer.error !== undefined) throw new Error(`Refused: ${answer.error}`);
  return JSON.parse(answer.body as string).worker;
}

const pushes = (pool: Pool, operation: "push" | "transaction" | "ack" = "push") =>
  Promise.all(
    Array.from({ length: 30 }, (_, n) => pool.send(bodyRequest(operation, `{"queue":"q${n}","partitionId":"${n}"}`))),
  );

describe("buffering", () => {
  test("whatever may push goes to worker 0 while the instance buffers, and spreads again after", async () => {
    const { pool } = await startPool();
    const all = new Set([0, 1, 2]);
    expect(new Set((await pushes(pool)).map(workerOf))).toEqual(all);
    await say(pool, { buffering: true });
    expect(pool.state().instance.buffering).toBe(true);
    expect(new Set((await pushes(pool)).map(workerOf))).toEqual(new Set([0]));
    expect(new Set((await pushes(pool, "transaction")).map(workerOf))).toEqual(new Set([0]));
    expect(new Set((await pushes(pool, "ack")).map(workerOf))).toEqual(all);
    await say(pool, { buffering: false });
    expect(new Set((await pushes(pool)).map(workerOf))).toEqual(all);
  });

  test("what worker 0 says is in force before the answer that it gives next", async () => {
    const { pool } = await startPool();
    const said = pool.send(bodyRequest("configure", 'STATE{"buffering":true}'));
    const after = said.then(() => pushes(pool));
    expect(new Set((await after).map(workerOf))).toEqual(new Set([0]));
  });

  test("while worker 0 is being replaced nobody else takes a push; what it said last holds", async () => {
    const { pool, spawned } = await startPool();
    await say(pool, { buffering: true });
    // Two deaths in a row, so that the second one is followed by a pause.
    await pool.send(bodyRequest("push", "DIE"));
    await until(() => pool.state().workers[0]!.state === "ready");
    await pool.send(bodyRequest("push", "DIE"));
    expect(pool.state().workers[0]!.state).not.toBe("ready");
    expect(await pool.send(bodyRequest("push", "{}"))).toMatchObject({ status: 503, retryAfterS: 1 });
    await until(() => pool.state().workers[0]!.state === "ready");
    expect(workerOf(await pool.send(bodyRequest("push", "{}")))).toBe(0);
    expect(spawned.length).toBeGreaterThan(3);
  });

  test("a push that a worker could not store is answered as it prepared once worker 0 has it, and not else", async () => {
    const { pool } = await startPool();
    const answers = await Promise.all(
      Array.from({ length: 9 }, (_, n) => pool.send(bodyRequest("push", `{"queue":"q${n}"} DIVERT`))),
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]));
    const bodies = answers.map((answer) => (answer.error === undefined ? answer.body : answer.error));
    expect(new Set(bodies)).toEqual(new Set(['"diverted by 0"', '"diverted by 1"', '"diverted by 2"']));
    expect((await pool.send(bodyRequest("push", "DIVERT FULL"))).status).toBe(503);
    expect(pool.state().workers.map(({ requestCount, byteCount }) => [requestCount, byteCount])).toEqual([
      [0, 0],
      [0, 0],
      [0, 0],
    ]);
  });
});

describe("pop maintenance", () => {
  test("parked pops are answered at once, and further ones without a worker, until it ends", async () => {
    const { pool } = await startPool();
    const parked = [1, 2, 3].map((n) => pool.send(popRequest({ queue: `q${n}`, wait: true, timeoutMs: 60_000 })));
    await until(() => pool.state().workers.reduce((sum, { pollCount }) => sum + pollCount, 0) === 3);
    await say(pool, { popMaintenance: true });
    expect((await Promise.all(parked)).map(({ status }) => status)).toEqual([204, 204, 204]);
    expect((await pool.send(popRequest({ queue: "q", wait: true, timeoutMs: 60_000 }))).status).toBe(204);
    expect((await pool.send(popRequest({ queue: "q" }))).status).toBe(204);
    // Nothing stays parked in the workers either.
    await until(() => pool.state().workers.every(({ pollCount }) => pollCount === 0));
    await say(pool, { popMaintenance: false });
    const answer = await pool.send(popRequest({ queue: "parked" }));
    expect(answer.error === undefined && answer.body).toBe("0");
  });
});
