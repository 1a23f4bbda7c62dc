/**
 * A client process: one peer, one mode, all phases. Reads its {@link ClientSpec} from standard input and writes its
 * {@link ClientReport} as one line of JSON.
 *
 * @module
 */

import { type CpuSeconds, cpuBetween, readCpu } from "../cpu.ts";
import { openClient } from "./clients/all.ts";
import { Messages } from "./messages.ts";
import type { ClientReport, ClientSpec, PeerClient, PhaseFigures, PhaseName } from "./peer.ts";
import { Sink } from "./sink.ts";

/** One process, one peer: what its phases share. */
interface Run {
  spec: ClientSpec;
  client: PeerClient;
  sinks: Sink[];
}

const WARM_UP_MESSAGES_MAX = 20_000;

function readServerCpu(spec: ClientSpec): CpuSeconds {
  return readCpu(spec.serverPid, spec.databasePid === 0 ? null : spec.databasePid);
}

async function measure(run: Run, phase: PhaseName, play: () => Promise<number>): Promise<PhaseFigures> {
  Bun.gc(true);
  const serverBefore = readServerCpu(run.spec);
  const clientBefore = process.cpuUsage();
  const startedAt = performance.now();
  const messages = await play();
  const seconds = (performance.now() - startedAt) / 1000;
  const client = process.cpuUsage(clientBefore);
  const server = cpuBetween(readServerCpu(run.spec), serverBefore);
  const clientCpuSeconds = (client.user + client.system) / 1e6;
  const serverCpuSeconds = server.router + server.workers + server.helpers;
  return {
    phase,
    messages,
    seconds,
    clientCpuSeconds,
    serverCpuSeconds,
    databaseCpuSeconds: server.postgres,
    othersCpuSeconds: Math.max(0, server.machine - clientCpuSeconds - serverCpuSeconds - server.postgres),
  };
}

async function pushAll(run: Run, queue: string, messages: Messages): Promise<number> {
  const { client, spec } = run;
  const until = performance.now() + spec.secondsMax * 1000;
  let pushed = 0;
  const produce = async (pushes: number[][]) => {
    for (const indexes of pushes) {
      if (performance.now() > until) return;
      await client.push(queue, messages, indexes);
      pushed += indexes.length;
    }
  };
  await Promise.all(messages.shareOut(client.producers, client.perPush).map(produce));
  return pushed;
}

async function takeAll(run: Run, queue: string, messages: Messages): Promise<number> {
  const sink = new Sink(messages.payloads.length, run.spec.keys);
  run.sinks.push(sink);
  const timer = setTimeout(() => sink.cut(), run.spec.secondsMax * 1000);
  await run.client.take(queue, sink);
  clearTimeout(timer);
  return Math.min(sink.acked, messages.payloads.length);
}

async function both(run: Run, queue: string, messages: Messages): Promise<number> {
  await run.client.prepare(queue);
  const [, taken] = await Promise.all([pushAll(run, queue, messages), takeAll(run, queue, messages)]);
  return taken;
}

async function play(spec: ClientSpec): Promise<ClientReport> {
  const { keys, payloadBytes, seed, mode } = spec;
  const client = await openClient(spec);
  const run: Run = { spec, client, sinks: [] };
  const messages = new Messages(spec.messages, keys, payloadBytes, seed);
  // Programs written in JavaScript are several times slower in their first second; every peer gets the same warm-up.
  const warmUp = new Messages(Math.min(WARM_UP_MESSAGES_MAX, Math.ceil(spec.messages / 5)), keys, payloadBytes, seed);
  await both(run, `${mode}_warm_up`, warmUp);
  const phases: PhaseFigures[] = [];
  const first = `${mode}_first`;
  await client.prepare(first);
  phases.push(await measure(run, "push", () => pushAll(run, first, messages)));
  phases.push(await measure(run, "take", () => takeAll(run, first, messages)));
  phases.push(await measure(run, "whole", () => both(run, `${mode}_second`, messages)));
  const sum = (field: "doubled" | "missing" | "disordered") =>
    run.sinks.reduce((total, sink) => total + sink[field], 0);
  const cut = phases.some((figures) => figures.messages < spec.messages);
  const report: ClientReport = {
    phases,
    cut,
    durability: await client.durability(),
    version: await client.version(),
    doubled: sum("doubled"),
    missing: cut ? 0 : sum("missing"),
    disordered: sum("disordered"),
  };
  await client.close();
  return report;
}

play(JSON.parse(await Bun.stdin.text()) as ClientSpec).then(
  (report) => {
    process.stdout.write(`${JSON.stringify(report)}\n`, () => process.exit(0));
  },
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exit(1);
  },
);
