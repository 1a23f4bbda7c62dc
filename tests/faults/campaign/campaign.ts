/**
 * A campaign: one fault, injected again and again under load at random moments of a printed seed. After each injection the
 * servers have to recover, which is timed; after every few of them the load ends, all groups drain the queue, and the checks
 * of `tests/model/history` have to explain all that the clients saw, from before the first injection to the end.
 *
 * @module
 */

import { settled } from "../../model/concurrent/run.ts";
import { Scene } from "../../model/concurrent/scene.ts";
import { writeHistory } from "../../model/history/file.ts";
import { timed } from "../../model/history/history.ts";
import { uniqueName } from "../../support/names.ts";
import { Random } from "../../support/random.ts";
import { until, untilTime } from "../../support/wait.ts";
import type { Fault, Form, Ground } from "./fault.ts";
import { LOAD_GROUPS, load } from "./load.ts";
import { recovered } from "./recovery.ts";

/** A history is checked after so many injections: the checks take longer than in proportion to its length. */
const INJECTIONS_PER_HISTORY = 4;
const LOAD_MS = [50, 900] as const;
/** A server that has not recovered by then has not recovered. */
const RECOVERY_MS_MAX = 60_000;
const REPLAY_MS_MAX = 60_000;
/** Clients slow down when an injection lasts, so that the history stays short enough to be checked. */
const LASTING_MS = 2_000;
const LASTING_BREATH_MS = 100;

/** What {@link runCampaign} needs. */
export interface CampaignOptions {
  fault: Fault;
  form: Form;
  /** The fault's own number for the form unless told. */
  times?: number;
  seed: number;
  /** Told after each injection. */
  onInjection?: (done: number, recoveryMs: number) => void;
}

/** How a campaign went. */
export interface CampaignResult {
  fault: string;
  times: number;
  violations: string[];
  /** Of each injection, in milliseconds: until a push was answered `queued` and a pop with a message, by every server. */
  recoveryMs: number[];
  /** Messages in the log, and deliveries of them. */
  messages: number;
  deliveries: number;
  seed: number;
  seconds: number;
  /** Histories with violations, for `bun run check:history`. */
  files: string[];
}

/** Clients find the servers where they are now. */
function aim(scene: Scene, ground: Ground): void {
  const urls = ground.urls?.() ?? ground.servers.map(({ url }) => url);
  for (const [at, { http }] of scene.apis.entries()) http.url = urls[at % urls.length]!;
}

async function injectOnce(options: CampaignOptions, ground: Ground, scene: Scene, random: Random): Promise<number> {
  const { fault, form } = options;
  const [least, most] = fault.loadMs ?? LOAD_MS;
  await untilTime(Date.now() + random.int(least, most));
  let resume = (): void => {};
  const start = performance.now();
  let since = start;
  const slower = setTimeout(() => (scene.breathMs = LASTING_BREATH_MS), LASTING_MS);
  try {
    await fault.inject(ground, {
      random,
      form,
      pause: () => (scene.up = new Promise<void>((resolve) => (resume = resolve))),
      healed: () => (since = performance.now()),
      endLeases: async (act) => {
        const { start: from, end } = await timed(act);
        const all = { group: null, partition: null, transactionId: null };
        scene.history.resets.push({ start: from, end, effect: "expire", ...all });
      },
    });
    aim(scene, ground);
    resume();
    await Promise.all(new Set(scene.apis.map(({ http }) => recovered(http.url, RECOVERY_MS_MAX))));
  } finally {
    clearTimeout(slower);
    scene.breathMs = 0;
    resume();
    scene.history.addOutage(start, performance.now());
  }
  return performance.now() - since;
}

/** Waits until nothing is left in the servers' spools. @returns What they could not store. */
async function replayed(scene: Scene): Promise<string[]> {
  const status = async () =>
    await Promise.all(scene.apis.map(async ({ http }) => (await http.get("/api/v1/status/buffers")).json));
  const empty = async () => (await status()).every(({ pending }) => pending === 0);
  await until(empty, REPLAY_MS_MAX, "storing what was buffered");
  return (await status()).flatMap(({ failed }) => (failed > 0 ? [`${failed} buffered messages were refused`] : []));
}

/** Load, some injections, and the checks of what the clients saw. */
async function runHistory(
  options: CampaignOptions,
  ground: Ground,
  times: number,
  random: Random,
  result: CampaignResult,
) {
  const urls = ground.urls?.() ?? ground.servers.map(({ url }) => url);
  const scene = new Scene(urls, uniqueName(options.fault.name), Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY);
  scene.mayRepeat = ground.urls !== undefined;
  await scene.prepare();
  const clients = load(scene, random.fork());
  try {
    for (let at = 0; at < times; at += 1) {
      result.recoveryMs.push(await injectOnce(options, ground, scene, random));
      options.onInjection?.(result.recoveryMs.length, result.recoveryMs.at(-1)!);
    }
  } finally {
    // Not awaited after an error: clients of servers that are gone ask until they are answered.
    scene.finish();
  }
  const violations = [...(await clients), ...(await replayed(scene))];
  const sql = await ground.openSql();
  try {
    violations.push(...(await settled(scene, sql, random, LOAD_GROUPS)));
  } finally {
    await sql.end();
  }
  const logs = ground.servers.flatMap(({ log }) => log);
  violations.push(...logs.filter((line) => line.includes("sweep_repaired")));
  result.messages += [...scene.history.log.values()].reduce((sum, { length }) => sum + length, 0);
  result.deliveries += scene.history.pops.reduce((sum, { messages }) => sum + messages.length, 0);
  if (violations.length > 0)
    result.files.push(writeHistory(scene.history, LOAD_GROUPS, `${options.fault.name}-${options.seed}`));
  result.violations.push(...violations);
}

/**
 * Runs a campaign.
 *
 * @returns How it went; violations are in it, not thrown.
 * @throws Error when a server does not recover, or the fault cannot be injected; everything is ended then as well.
 */
export async function runCampaign(options: CampaignOptions): Promise<CampaignResult> {
  const { fault, form, seed, times = fault.times[form] } = options;
  const random = new Random(seed);
  const result: CampaignResult = {
    ...{
      fault: fault.name,
      times,
      violations: [],
      recoveryMs: [],
      messages: 0,
      deliveries: 0,
      seed,
      seconds: 0,
      files: [],
    },
  };
  const started = performance.now();
  const ground = await fault.open(form);
  try {
    while (result.recoveryMs.length < times) {
      const left = times - result.recoveryMs.length;
      await runHistory(options, ground, Math.min(left, INJECTIONS_PER_HISTORY), random, result);
    }
    result.violations.push(...((await fault.inspect?.(ground)) ?? []));
  } finally {
    await ground.close();
  }
  result.seconds = (performance.now() - started) / 1_000;
  return result;
}
