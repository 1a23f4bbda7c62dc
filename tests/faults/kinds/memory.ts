/**
 * A server that runs out of memory. What the runtime does then depends on what asks for it: a buffer that cannot be had is an
 * error, which ends a worker; small objects that cannot be had end the process.
 *
 * @module
 */
import process from "node:process";
import type { TestServer } from "../../support/server.ts";
import { until } from "../../support/wait.ts";
import type { Blow, Fault, Ground } from "../campaign/fault.ts";
import { openSharedGround, type SharedGround } from "../campaign/grounds.ts";
import type { Order } from "../sabotage/protocol.ts";
import { Saboteur } from "../sabotage/saboteur.ts";

/** Address space of the server, in KiB: so that the machine is not brought down. */
const LIMIT_KB = 3_000_000;
const ENDED_MS_MAX = 30_000;
const HEALTH_MS_MAX = 1_000;
const LIVE_MS_MAX = 10_000;
const WORKERS = 2;

interface LimitedGround extends SharedGround {
  saboteur: Saboteur;
}

async function openLimited(): Promise<LimitedGround> {
  const saboteur = new Saboteur();
  const { command, env } = saboteur.options({ NUM_WORKERS: String(WORKERS) });
  const limited = ["sh", "-c", `ulimit -v ${LIMIT_KB}; exec "$@"`, "sh", ...command!] as const;
  const ground = await openSharedGround(1, { env: env!, command: limited as unknown as [string, ...string[]] });
  const close = async () => {
    await ground.close();
    saboteur.close();
  };
  return { ...ground, saboteur, close };
}

/** @returns How often workers were replaced; null when the server does not say in time. */
async function restarts(ground: Ground): Promise<number | null> {
  const asked = (async () => {
    const { workers } = await (await fetch(`${ground.servers[0]!.url}/health`)).json();
    return workers.reduce((sum: number, worker: { restarts: number }) => sum + worker.restarts, 0);
  })().catch(() => null);
  // A process that is dying may leave connections open that nobody answers, and aborting them may have nobody to tell.
  return await Promise.race([asked, new Promise<null>((resolve) => setTimeout(resolve, HEALTH_MS_MAX, null))]);
}

/** What a supervisor does: asks until it is told, or has waited too long. */
async function isLive(server: TestServer): Promise<boolean> {
  const asked = fetch(`${server.url}/health/live`).then(
    ({ ok }) => ok,
    () => false,
  );
  return await Promise.race([asked, new Promise<false>((resolve) => setTimeout(resolve, LIVE_MS_MAX, false))]);
}

async function starve(ground: Ground, blow: Blow, kind: "eat-buffers" | "eat-objects"): Promise<void> {
  const { saboteur, restart } = ground as LimitedGround;
  const order: Order = { kind, worker: blow.random.int(0, WORKERS - 1) };
  const before = (await restarts(ground)) ?? 0;
  let gone = false;
  const server = ground.servers[0]!;
  server.exited.then(() => (gone = true));
  await saboteur.order(order);
  const isOver = async () => gone || ((await restarts(ground)) ?? before) > before;
  await until(isOver, ENDED_MS_MAX, "an end").catch(() => {});
  blow.healed();
  // A process without memory may also hang, with or without a new worker: whoever looks after it (`/health/live`) then ends it.
  if (!gone && !(await isLive(server))) {
    process.kill(server.pid, "SIGKILL");
    await server.exited;
    blow.healed();
  }
  if (!gone) return;
  blow.pause();
  await server.stop(true);
  await restart(0);
}

function memoryFault(name: string, what: string, kind: "eat-buffers" | "eat-objects"): Fault {
  return {
    name,
    what,
    // Takes gigabytes: not for CI.
    times: { short: 0, long: 20 },
    unable: () => (process.platform === "linux" ? null : "the limit on memory is set as Linux does"),
    open: openLimited,
    inject: (ground, blow) => starve(ground, blow, kind),
  };
}

/** See the module comment. */
export const MEMORY_FAULTS: readonly Fault[] = [
  memoryFault("out-of-memory-buffers", "a worker takes large buffers until there is no memory", "eat-buffers"),
  memoryFault("out-of-memory-objects", "a worker takes small objects until there is no memory", "eat-objects"),
];
