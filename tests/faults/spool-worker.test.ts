/**
 * The worker that owns the spool dies while it spools and while it replays: its successor goes on, and what was answered is
 * delivered once, in the order each producer sent it.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { type Answer, createPool, type Pool, type WorkerRequest } from "../../server/pool/pool.ts";
import { spawnWorker } from "../../server/pool/spawn.ts";
import { bodyRequest, popRequest } from "../server/pool/echo-pool.ts";
import { uniqueName } from "../support/names.ts";
import { Random, runSeed } from "../support/random.ts";
import { until, untilTime } from "../support/wait.ts";
import { makeFolder, removeFolder } from "../workers/spool/support.ts";
import { useEngine } from "../workers/support/engine.ts";

const WORKERS = 2;
const PRODUCERS = 8;
const DEATHS = 3;
const engine = useEngine();
setDefaultTimeout(120_000);
const seed = runSeed();
const random = new Random(seed);

let folder: string;
let pool: Pool;
/** The thread of worker 0. */
let owner: Worker;

beforeAll(async () => {
  folder = makeFolder();
  const spool = { folder, bytesMax: 1e9, fileMessagesMax: 200, batchMessagesMax: 10, retryMs: 20 };
  pool = createPool({
    workerCount: WORKERS,
    settings: (index) => ({ ...engine.context.settings, index, workerCount: WORKERS, connectionsMax: 8, spool }),
    backlog: { requestsMax: 1_000, pollsMax: 1_000, bytesMax: 1e8, waitMaxMs: 100 },
    spawn: () => {
      const worker = spawnWorker();
      worker.addEventListener("message", ({ data }) => {
        if (data.kind === "ready" && data.index === 0) owner = worker;
      });
      return worker;
    },
    log: () => {},
  });
  await pool.start();
});
afterAll(async () => {
  await pool?.stop(10_000);
  removeFolder(folder);
});

function jsonOf(answer: Answer): unknown {
  if (answer.error !== undefined || answer.body === null) return null;
  return JSON.parse(typeof answer.body === "string" ? answer.body : Buffer.from(answer.body).toString());
}

async function maintain(enabled: boolean): Promise<void> {
  const request = { operation: "maintenanceSet", params: {}, body: JSON.stringify({ enabled }) };
  const rest = { id: 0, bodyFormat: "json", answerFormat: "json" };
  await until(
    async () => (await pool.send({ ...rest, ...request } as WorkerRequest)).status === 200,
    30_000,
    "the switch",
  );
}

/** Ends the thread of worker 0, and waits for the next one. */
async function death(): Promise<void> {
  const before = pool.state().workers[0]!.restartCount;
  owner.terminate();
  await until(
    () => {
      const { restartCount, state } = pool.state().workers[0]!;
      return restartCount > before && state === "ready";
    },
    30_000,
    "a new worker",
  );
}

test(`worker 0 dies while it spools and while it replays (MODEL_SEED=${seed})`, async () => {
  const queue = uniqueName("owner");
  const answered = Array.from({ length: PRODUCERS }, (): number[] => []);
  let on = true;
  let buffered = 0;
  const producers = answered.map(async (own, producer) => {
    for (let n = 0; on; n += 1) {
      // The same message again until there is an answer to it.
      const item = { queue, partition: `p${producer % 3}`, payload: [producer, n], transactionId: `${producer}-${n}` };
      for (;;) {
        const answer = await pool.send(bodyRequest("push", JSON.stringify({ items: [item] })));
        if (answer.status === 201) {
          if ((jsonOf(answer) as { status: string }[])[0]!.status === "buffered") buffered += 1;
          break;
        }
        await untilTime(Date.now() + 5);
      }
      own.push(n);
    }
  });
  const load = Promise.all(producers);
  load.catch(() => {});
  await maintain(true);
  for (let deaths = 0; deaths < DEATHS; deaths += 1) {
    const before = buffered;
    await until(() => buffered > before + random.int(20, 300), 30_000, "buffered pushes");
    await death();
  }
  await maintain(false);
  for (let deaths = 0; deaths < DEATHS; deaths += 1) {
    const before = pool.state().instance.pendingMessages;
    await until(() => pool.state().instance.pendingMessages !== before || !pool.state().instance.buffering, 30_000);
    await death();
  }
  await until(() => !pool.state().instance.buffering, 60_000, "the end of buffering");
  on = false;
  await load;

  const delivered = Array.from({ length: PRODUCERS }, (): number[] => []);
  for (;;) {
    const answer = await pool.send(popRequest({ queue, batch: 10_000, partitions: 3, autoAck: true }));
    const value = jsonOf(answer) as { messages: { data: [number, number] }[] } | null;
    if (value === null) break;
    for (const { data } of value.messages) delivered[data[0]]!.push(data[1]);
  }
  expect(delivered).toEqual(answered);
  expect(buffered).toBeGreaterThan(DEATHS * 20);
});
