/**
 * Workers that fail.
 *
 * @module
 */
import { openDatabase } from "../../support/database.ts";
import { until } from "../../support/wait.ts";
import type { Blow, Fault, Form, Ground } from "../campaign/fault.ts";
import { type OwnGround, openOwnGround } from "../campaign/grounds.ts";
import type { Order } from "../sabotage/protocol.ts";
import { Saboteur } from "../sabotage/saboteur.ts";

const WORKERS = 2;
const NOTICED_MS_MAX = 60_000;
/** How long a worker stands still until it is replaced, in these tests. */
const STUCK_MS = 1_500;

interface SabotagedGround extends OwnGround {
  saboteur: Saboteur;
}

async function openSabotaged(env: Record<string, string> = {}): Promise<SabotagedGround> {
  const saboteur = new Saboteur();
  const ground = await openOwnGround(saboteur.options({ NUM_WORKERS: String(WORKERS), ...env }));
  const close = async () => {
    await ground.close();
    saboteur.close();
  };
  return { ...ground, saboteur, close };
}

interface WorkerHealth {
  status: string;
  restarts: number;
}

async function health(ground: Ground): Promise<WorkerHealth[]> {
  return (await (await fetch(`${ground.servers[0]!.url}/health`)).json()).workers;
}

/** Has a worker fail, and waits until it was replaced. */
async function fell(ground: Ground, blow: Blow, order: (worker: number) => Order): Promise<void> {
  const worker = blow.random.int(0, WORKERS - 1);
  // One that died several times in a row rests before it starts again.
  const ready = async () => (await health(ground))[worker]!.status === "ready";
  await until(ready, NOTICED_MS_MAX, "a worker that can fail");
  const before = (await health(ground))[worker]!.restarts;
  blow.healed();
  await (ground as SabotagedGround).saboteur.order(order(worker));
  await until(
    async () => (await health(ground))[worker]!.restarts > before,
    NOTICED_MS_MAX,
    "the worker's replacement",
  );
}

/** Connections of workers that are gone must not stay open: what they hold is held for good. */
async function connectionsLeft(ground: Ground): Promise<string[]> {
  const sql = await openDatabase(ground.servers[0]!.dataDir);
  try {
    const [row] = await sql<{ held: number }[]>`
      select count(*)::int as held from pg_stat_activity
      where state = 'idle in transaction' and state_change < now() - interval '10 s'`;
    return row!.held > 0 ? [`${row!.held} transactions of dead workers are open`] : [];
  } finally {
    await sql.end();
  }
}

function workerFault(name: string, what: string, short: number, order: (worker: number) => Order): Fault {
  return {
    name,
    what,
    times: { short, long: 40 },
    open: () => openSabotaged({ WORKER_STUCK_MS: String(STUCK_MS) }),
    inject: (ground, blow) => fell(ground, blow, order),
    inspect: connectionsLeft,
  };
}

const thrown = workerFault("worker-throws", "a worker throws an error that nobody catches", 2, (worker) => ({
  kind: "throw",
  worker,
}));

const rejected = workerFault("worker-rejects", "a worker has a rejection that nobody catches", 1, (worker) => ({
  kind: "reject",
  worker,
}));

const stuck = workerFault(
  "worker-stuck",
  `a worker's event loop stands still; noticed after ${STUCK_MS} ms`,
  2,
  (worker) => ({
    kind: "loop",
    worker,
    ms: 3_600_000,
  }),
);

/** No worker may be replaced because it is busy for a while, or because all stood still together. */
function falseAlarm(
  name: string,
  what: string,
  order: (ground: SabotagedGround, blow: Blow, form: Form) => Promise<void>,
): Fault {
  return {
    name,
    what,
    times: { short: 1, long: 20 },
    open: () => openSabotaged({ WORKER_STUCK_MS: String(STUCK_MS) }),
    inject: (ground, blow) => order(ground as SabotagedGround, blow, blow.form),
    inspect: async (ground) => {
      const counts = (await health(ground)).map(({ restarts }) => restarts);
      return counts.some((count) => count > 0)
        ? [`workers were replaced without need: ${counts.join(", ")} times`]
        : [];
    },
  };
}

const busy = falseAlarm(
  "worker-busy",
  "a worker computes for half of the time after which it counts as stuck",
  async (ground, { random }) => {
    await ground.saboteur.order({ kind: "loop", worker: random.int(0, WORKERS - 1), ms: STUCK_MS / 2 });
  },
);

const stopped = falseAlarm(
  "process-stopped",
  "the whole server is stopped (SIGSTOP) for longer than a worker may stand still",
  async (ground, blow, form) => {
    const { pid } = ground.servers[0]!;
    process.kill(pid, "SIGSTOP");
    await new Promise((resolve) => setTimeout(resolve, form === "short" ? STUCK_MS + 500 : 4 * STUCK_MS));
    process.kill(pid, "SIGCONT");
    blow.healed();
  },
);

/** See the module comment. */
export const WORKER_FAULTS: readonly Fault[] = [thrown, rejected, stuck, busy, stopped];
