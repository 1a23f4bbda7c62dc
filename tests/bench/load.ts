/**
 * A load process: plays the actors it is told to and reports what it saw. See {@link ./load/protocol.ts} for what
 * travels over its standard input and output.
 *
 * @module
 */

import { createInterface } from "node:readline";
import { Figures, Gauge, type RunningActor, type Stage } from "./load/actor.ts";
import { Checker } from "./load/checker.ts";
import { parkActor } from "./load/park-actor.ts";
import { popActor } from "./load/pop-actor.ts";
import type { LoadEvent, LoadFigures, LoadSpec } from "./load/protocol.ts";
import { pushActor } from "./load/push-actor.ts";
import { IdClock } from "./load/push-request.ts";

/** How long after the window requests under way may take before they are dropped; long polls always are. */
const FINISH_MS = 5_000;

function say(event: LoadEvent): void {
  process.stdout.write(`${JSON.stringify(event)}\n`);
}

function buildStage(spec: LoadSpec, figures: Map<string, Figures>): Stage {
  const url = new URL(spec.url);
  return {
    spec,
    host: url.hostname,
    port: Number(url.port),
    clock: new IdClock(),
    gauge: new Gauge(),
    checker: spec.checks ? new Checker() : null,
    stopping: false,
    sentAt: new Map(),
    consumerBusyMs: [],
    wrong: 0,
    figures: (name) => {
      const known = figures.get(name) ?? new Figures();
      figures.set(name, known);
      return known;
    },
  };
}

function buildActors(stage: Stage): RunningActor[] {
  return stage.spec.actors.map((actor) => {
    if (actor.kind === "push") return pushActor(actor, stage);
    if (actor.kind === "pop") return popActor(actor, stage);
    return parkActor(actor, stage);
  });
}

async function measure(stage: Stage, figures: Map<string, Figures>, played: Promise<unknown>): Promise<LoadFigures> {
  const { gauge, spec } = stage;
  for (const figure of figures.values()) figure.reset();
  gauge.waitedMs = 0;
  const backlog: number[] = [];
  const watch = setInterval(() => backlog.push(gauge.pushed - gauge.delivered), 1000);
  const startedAt = performance.now();
  const cpuBefore = process.cpuUsage();
  say({ event: "window" });
  await Promise.race([played, Bun.sleep(spec.seconds * 1000)]);
  const windowSeconds = (performance.now() - startedAt) / 1000;
  const cpu = process.cpuUsage(cpuBefore);
  clearInterval(watch);
  const producers = spec.actors.reduce((sum, actor) => sum + (actor.kind === "push" ? actor.connections : 0), 0);
  return {
    windowSeconds,
    loadCpuSeconds: (cpu.user + cpu.system) / 1e6,
    figures: Object.fromEntries([...figures].map(([name, figure]) => [name, figure.read()])),
    backlog,
    throttled: producers === 0 ? 0 : gauge.waitedMs / 1000 / windowSeconds / producers,
    consumerBusyMs: stage.consumerBusyMs,
    wrong: stage.wrong,
  };
}

async function main(): Promise<void> {
  const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  const spec = JSON.parse((await lines.next()).value as string) as LoadSpec;
  const figures = new Map<string, Figures>();
  const stage = buildStage(spec, figures);
  const actors = buildActors(stage);
  for (const actor of actors) await actor.open();
  say({ event: "ready" });
  if ((await lines.next()).value !== "go") return;
  const played = Promise.all(actors.map((actor) => actor.play()));
  if (spec.warmupSeconds > 0) await Promise.race([played, Bun.sleep(spec.warmupSeconds * 1000)]);
  const load = await measure(stage, figures, played);
  stage.stopping = true;
  stage.gauge.release();
  say({ event: "closed", load });
  await Promise.race([
    played,
    Bun.sleep(spec.actors.some((actor) => actor.kind !== "push" && "waitMs" in actor) ? 250 : FINISH_MS),
  ]);
  for (const actor of actors) actor.close();
  say({
    event: "done",
    checks: stage.checker?.figures() ?? { pushed: {}, popped: {}, violations: [] },
    pushed: stage.gauge.pushed,
  });
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    say({ event: "failed", reason: error instanceof Error ? error.message : String(error) });
    process.exit(1);
  },
);
