import { afterEach, describe, expect, test } from "bun:test";
import type { Answer, Pool, PoolOptions } from "../../../server/pool/pool.ts";
import { until } from "../../support/wait.ts";
import { bodyRequest, echoPool, popRequest } from "./echo-pool.ts";

let running: Pool[] = [];
afterEach(async () => {
  await Promise.all(running.map((pool) => pool.stop(0)));
  running = [];
});

async function startPool(options: Partial<PoolOptions> = {}) {
  const made = echoPool(options);
  running.push(made.pool);
  await made.pool.start();
  return made;
}

function bodyOf(answer: Answer) {
  if (answer.error !== undefined) throw new Error(`Refused: ${answer.error}`);
  return typeof answer.body === "string" ? JSON.parse(answer.body) : answer.body;
}

const push = (text: string) => bodyRequest("push", text);
const totals = (pool: Pool) =>
  pool.state().workers.map((worker) => [worker.requestCount, worker.pollCount, worker.byteCount]);

describe("a pool", () => {
  test("has requests carried out and settles its accounts", async () => {
    const { pool } = await startPool();
    const answers = await Promise.all(Array.from({ length: 100 }, (_, n) => pool.send(push(`{"queue":"q${n}"}`))));
    expect(answers.map((answer) => bodyOf(answer).body)).toEqual(answers.map((_, n) => `{"queue":"q${n}"}`));
    expect(new Set(answers.map((answer) => bodyOf(answer).worker))).toEqual(new Set([0, 1]));
    expect(totals(pool)).toEqual([
      [0, 0, 0],
      [0, 0, 0],
    ]);
  });

  test("posts the requests of one turn together", async () => {
    const { pool } = await startPool({ workerCount: 1 });
    const answers = await Promise.all(Array.from({ length: 20 }, () => pool.send(push("{}"))));
    expect(answers.map((answer) => bodyOf(answer).batchPosition)).toEqual(answers.map((_, n) => n));
  });

  test("transfers a large body away", async () => {
    const { pool } = await startPool();
    const body = new ArrayBuffer(100_000);
    expect(bodyOf(await pool.send(bodyRequest("push", body))).body).toEqual({ bytes: 100_000 });
    expect(body.byteLength).toBe(0);
  });

  test("does not start when a worker cannot, and says why", async () => {
    const { pool } = echoPool({ instanceId: "never-starts" });
    expect(pool.start()).rejects.toThrow("Told not to start");
  });

  test("passes on what a worker logs", async () => {
    const { pool, log } = await startPool();
    await pool.send(push("LOG"));
    expect(log).toContainEqual({ level: "warn", event: "told_to_log", fields: { worker: expect.any(Number), a: 1 } });
  });

  test("passes news on to the other workers only", async () => {
    const { pool } = await startPool({ workerCount: 3 });
    // A batch of 100 without a partition goes to the least loaded worker, so all three are asked.
    const newsOf = async () => {
      const asked = await Promise.all([0, 1, 2].map(() => pool.send(popRequest({ queue: "news", batch: 100 }))));
      return asked.map(bodyOf).map((news) => news.map((message: { kind: string }) => message.kind));
    };
    expect(await newsOf()).toEqual([[], [], []]);
    await pool.send(push("PUSHED CHANGED"));
    await until(async () => (await newsOf()).flat().length === 4);
    const heard = await newsOf();
    expect(heard.toSorted((a, b) => a.length - b.length)).toEqual([[], ["wake", "invalidate"], ["wake", "invalidate"]]);
  });
});

describe("the backlog", () => {
  test("refuses the request past its bound at once, and takes requests again afterwards", async () => {
    const { pool } = await startPool({
      workerCount: 1,
      backlog: { requestsMax: 3, pollsMax: 1, bytesMax: 1_000_000, waitMaxMs: 100 },
    });
    const flying = [1, 2, 3].map(() => pool.send(push("{}")));
    expect(await pool.send(push("{}"))).toMatchObject({ status: 503, retryAfterS: 1 });
    await Promise.all(flying);
    expect(bodyOf(await pool.send(push("{}"))).operation).toBe("push");
  });

  test("counts bytes, but lets one body through whatever its size", async () => {
    const { pool } = await startPool({
      workerCount: 1,
      backlog: { requestsMax: 10, pollsMax: 1, bytesMax: 1_000, waitMaxMs: 100 },
    });
    const first = pool.send(push("x".repeat(2_000)));
    expect(await pool.send(push("x"))).toMatchObject({ status: 503 });
    expect(bodyOf(await first).operation).toBe("push");
    const flying = [pool.send(push("x".repeat(500))), pool.send(push("x".repeat(500)))];
    expect(await pool.send(push("x"))).toMatchObject({ status: 503 });
    await Promise.all(flying);
  });

  test("does not count parked polls as requests", async () => {
    const { pool } = await startPool({
      workerCount: 1,
      backlog: { requestsMax: 1, pollsMax: 5, bytesMax: 1_000, waitMaxMs: 100 },
    });
    const polls = [1, 2, 3, 4, 5].map(() => pool.send(popRequest({ queue: "q", wait: true, timeoutMs: 500 })));
    expect(bodyOf(await pool.send(push("{}"))).operation).toBe("push");
    expect((await Promise.all(polls)).map((answer) => answer.status)).toEqual([204, 204, 204, 204, 204]);
  });

  test("answers a poll past its bound empty, after a pause", async () => {
    const { pool } = await startPool({
      workerCount: 1,
      backlog: { requestsMax: 1, pollsMax: 1, bytesMax: 1_000, waitMaxMs: 100 },
    });
    const parked = pool.send(popRequest({ queue: "q", wait: true, timeoutMs: 400 }));
    const startedAt = performance.now();
    expect((await pool.send(popRequest({ queue: "q", wait: true, timeoutMs: 200 }))).status).toBe(204);
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(195);
    expect((await parked).status).toBe(204);
  });
});

describe("a client that goes away", () => {
  test("has its poll cancelled in the worker", async () => {
    const { pool } = await startPool({ workerCount: 1 });
    const client = new AbortController();
    const poll = pool.send(popRequest({ queue: "q", wait: true, timeoutMs: 60_000 }), client.signal);
    await until(async () => bodyOf(await pool.send(popRequest({ queue: "parked" }))) === 1);
    client.abort();
    expect((await poll).status).toBe(204);
    await until(async () => bodyOf(await pool.send(popRequest({ queue: "parked" }))) === 0);
    expect(bodyOf(await pool.send(popRequest({ queue: "news" })))).toEqual([{ kind: "cancel", count: 1 }]);
    expect(totals(pool)).toEqual([[0, 0, 0]]);
  });

  test("before its request left never reaches a worker", async () => {
    const { pool } = await startPool({ workerCount: 1 });
    const client = new AbortController();
    const poll = pool.send(popRequest({ queue: "q", wait: true }), client.signal);
    client.abort();
    expect((await poll).status).toBe(204);
    expect((await pool.send(popRequest({ queue: "q", wait: true }), client.signal)).status).toBe(204);
    expect(bodyOf(await pool.send(popRequest({ queue: "news" })))).toEqual([]);
  });
});

describe("a worker that dies", () => {
  test("has its requests answered and is replaced under its index; the others never notice", async () => {
    const { pool, log, spawned } = await startPool();
    const queues = ["a", "b", "c", "d", "e", "f"];
    const homes = new Map<string, number>();
    for (const queue of queues) homes.set(queue, bodyOf(await pool.send(popRequest({ queue }))).worker);
    const [victim, survivor] = [0, 1].map((index) => queues.find((queue) => homes.get(queue) === index)!);
    const onVictim = pool.send(popRequest({ queue: victim!, wait: true, timeoutMs: 60_000 }));
    const onSurvivor = pool.send(popRequest({ queue: survivor!, wait: true, timeoutMs: 300 }));
    const hung = pool.send(push(`{"queue":"${victim}","STALL":1}`));
    const safe = pool.send(push(`{"items":[{"queue":"${victim}","transactionId":"STALL"}]}`));
    const fatal = pool.send(push(`{"queue":"${victim}","DIE":1}`));
    expect((await fatal).status).toBe(409);
    expect((await hung).status).toBe(409);
    expect((await safe).status).toBe(500);
    expect((await onVictim).status).toBe(204);
    expect((await onSurvivor).status).toBe(204);
    await until(() => pool.state().workers.every((worker) => worker.state === "ready"));
    expect(spawned).toHaveLength(3);
    expect(pool.state().workers.map((worker) => worker.restartCount)).toEqual([1, 0]);
    expect(pool.state().ready).toBe(true);
    expect(bodyOf(await pool.send(popRequest({ queue: victim! }))).worker).toBe(0);
    expect(log.filter((entry) => entry.event === "worker_died")).toHaveLength(1);
  });

  test("has its parked polls uncounted, and nobody else's", async () => {
    const { pool } = await startPool({ workerCount: 2 });
    const polls = ["a", "b", "c", "d", "e", "f"].map((queue) =>
      pool.send(popRequest({ queue, wait: true, timeoutMs: 60_000 })),
    );
    await until(async () => bodyOf(await pool.send(popRequest({ queue: "parked" }))) === 6);
    const survivors = pool.state().workers[1]!.pollCount;
    expect(survivors).toBeGreaterThan(0);
    let queue = 0;
    while (bodyOf(await pool.send(push(`{"queue":"${queue}"}`))).worker !== 0) queue++;
    await pool.send(push(`{"queue":"${queue}","DIE":1}`));
    expect(bodyOf(await pool.send(popRequest({ queue: "parked" })))).toBe(survivors);
    await pool.stop(1_000);
    expect((await Promise.all(polls)).every((answer) => answer.status === 204)).toBe(true);
  });

  test("of standing still is told apart: what may be repeated gets 503", async () => {
    const { pool, log } = await startPool({ stuckMs: 1_000 });
    let queue = 0;
    while (bodyOf(await pool.send(push(`{"queue":"${queue}"}`))).worker !== 0) queue++;
    const safe = pool.send(push(`{"items":[{"queue":"${queue}","transactionId":"LOOP"}]}`));
    const unsafe = pool.send(push(`{"queue":"${queue}"}`));
    expect(await safe).toMatchObject({ status: 503, retryAfterS: 1 });
    expect((await unsafe).status).toBe(409);
    await until(() => pool.state().workers[0]!.state === "ready", 30_000);
    expect(pool.state().workers.map(({ restartCount, stuckCount }) => [restartCount, stuckCount])).toEqual([
      [1, 1],
      [0, 0],
    ]);
    expect(log.filter(({ event }) => event === "worker_stuck")).toHaveLength(1);
    expect(bodyOf(await pool.send(push(`{"queue":"${queue}"}`))).worker).toBe(0);
  });

  test("again and again rests longer and turns readiness red, while the other worker carries on", async () => {
    const { pool, log } = await startPool();
    let queue = 0;
    while (bodyOf(await pool.send(push(`{"queue":"${queue}"}`))).worker !== 0) queue++;
    for (let death = 1; death <= 3; death++) {
      expect(pool.state().ready).toBe(true);
      await pool.send(push(`{"queue":"${queue}","DIE":1}`));
      if (death < 3) await until(() => pool.state().workers[0]!.state === "ready");
    }
    expect(pool.state().ready).toBe(false);
    expect(pool.state().workers[0]!.state).toBe("resting");
    expect(bodyOf(await pool.send(push(`{"queue":"${queue}"}`))).worker).toBe(1);
    const rests = log.filter((entry) => entry.event === "worker_died").map((entry) => entry.fields.restMs);
    expect(rests).toEqual([0, 100, 200]);
  });

  test("as the only one leaves pushes refused and polls held, not failed", async () => {
    const { pool } = await startPool({ workerCount: 1 });
    await pool.send(push("DIE"));
    expect(await pool.send(push("{}"))).toMatchObject({ status: 503, retryAfterS: 1 });
    expect(pool.state().ready).toBe(false);
    expect((await pool.send(popRequest({ queue: "q", wait: true, timeoutMs: 50 }))).status).toBe(204);
    await until(() => pool.state().ready);
  });
});

describe("stop()", () => {
  test("lets requests finish, answers polls empty, and refuses new ones", async () => {
    const { pool } = await startPool();
    const request = pool.send(push("{}"));
    const poll = pool.send(popRequest({ queue: "q", wait: true, timeoutMs: 60_000 }));
    const stopped = pool.stop(5_000);
    expect(bodyOf(await request).operation).toBe("push");
    expect((await poll).status).toBe(204);
    await stopped;
    expect(await pool.send(push("{}"))).toMatchObject({ status: 503 });
    expect((await pool.send(popRequest({ queue: "q", wait: true }))).status).toBe(204);
  });

  test("ends a worker that does not finish at the deadline, answering in its place", async () => {
    const { pool } = await startPool();
    const request = pool.send(bodyRequest("configure", "STALL"));
    await pool.stop(100);
    expect((await request).status).toBe(500);
  });

  test("may be called twice, and before start()", async () => {
    const { pool } = echoPool();
    await Promise.all([pool.stop(100), pool.stop(100)]);
  });
});
