/**
 * One overload: what the server can do, three times as much offered, and who notices.
 *
 * @module
 */
import { spread } from "../../../server/pool/spread.ts";
import type { WorkerRequest } from "../../../workers/protocol.ts";
import { startServer } from "../../bench/process.ts";
import { startLoad } from "./loader.ts";
import { type Probe, Probes, residentMb } from "./probes.ts";
import type { LoadSecond, LoadSpec } from "./protocol.ts";

const FLOOD = "flood";
const WORKERS = 2;
/** The calm producer is answered so many times in a row as fast as before: the overload is over. */
const RECOVERED_COUNT = 10;
const RECOVERED_MS_MIN = 50;
const RECOVERY_S_MAX = 60;

/** What is offered. */
export interface OverloadOptions {
  kind: "push" | "pop" | "ack";
  perRequest: number;
  /** How long the overload lasts. */
  seconds: number;
  /** How long the capacity is measured, and the calm before. */
  calmSeconds: number;
  /** Most requests in flight during the overload. */
  connections: number;
  /** Of what the server can do. */
  factor: number;
}

/** What happened. */
export interface OverloadResult {
  options: OverloadOptions;
  /** Requests a second of fifty clients that wait for their answers, and what these saw. */
  capacity: LoadSecond;
  /** Beside nothing. */
  before: Probe[];
  offeredPerSecond: number;
  total: LoadSecond;
  seconds: LoadSecond[];
  /** Beside the overload. */
  during: Probe[];
  /** Resident memory of the server, MB: before, and the most in each quarter of the overload. */
  memoryMb: { before: number; quarters: number[] };
  /** From the end of the load until the calm producer is served as before. */
  recoverySeconds: number;
  complaints: string[];
}

/** A queue whose small requests go to the same worker as those of the flood. */
function neighbour(): string {
  const loads = Array.from({ length: WORKERS }, () => ({ alive: true, requestCount: 0, byteCount: 0 }));
  const workerOf = (queue: string) =>
    spread({ operation: "push", body: `{"items":[{"queue":"${queue}"}]}` } as WorkerRequest, loads);
  for (let number = 0; ; number++) if (workerOf(`calm${number}`) === workerOf(FLOOD)) return `calm${number}`;
}

/**
 * Runs one overload against a server of its own.
 *
 * @param say - Gets a line now and then.
 */
export async function overload(options: OverloadOptions, say: (line: string) => void): Promise<OverloadResult> {
  const server = await startServer({ workers: WORKERS });
  try {
    const spec: LoadSpec = {
      url: server.url,
      kind: "push",
      queue: FLOOD,
      partitions: 100,
      perRequest: options.perRequest,
      payloadBytes: 250,
      connections: 50,
      perSecond: null,
      seconds: options.calmSeconds,
    };
    if (options.kind === "pop") await startLoad({ ...spec, perRequest: 1_000 }).done;
    const asked: LoadSpec = { ...spec, kind: options.kind };
    if (options.kind === "ack") asked.ack = await consumed(server.url);
    // Code that has not run yet is slow; what it can do is measured after that.
    await startLoad({ ...asked, seconds: Math.min(2, options.calmSeconds) }).done;
    const { total: capacity } = await startLoad(asked).done;
    const offeredPerSecond = (capacity.accepted / capacity.seconds) * options.factor;
    const queue = neighbour();
    const before = await probe(server.url, queue, () => Bun.sleep(options.calmSeconds * 1_000));
    const memoryBefore = residentMb(server.pid);
    say(`capacity ${Math.round(capacity.accepted / capacity.seconds)}/s, offering ${Math.round(offeredPerSecond)}/s`);
    const memory: number[] = [];
    const watching = setInterval(() => memory.push(residentMb(server.pid)), 100);
    let load: { total: LoadSecond; seconds: LoadSecond[] } | null = null;
    const during = await probe(server.url, queue, async () => {
      const running = startLoad({
        ...asked,
        connections: options.connections,
        perSecond: offeredPerSecond,
        seconds: options.seconds,
      });
      load = await running.done;
    }).finally(() => clearInterval(watching));
    const usualMs = before.find(({ name }) => name === "push")!.p99Ms;
    const recoverySeconds = await recovery(new Probes(server.url, queue), Math.max(RECOVERED_MS_MIN, 3 * usualMs));
    const quarter = Math.ceil(memory.length / 4);
    return {
      options,
      capacity,
      before,
      offeredPerSecond,
      ...load!,
      during,
      memoryMb: {
        before: memoryBefore,
        quarters: [0, 1, 2, 3].map((at) => Math.max(0, ...memory.slice(at * quarter, (at + 1) * quarter))),
      },
      recoverySeconds,
      complaints: server.complaints,
    };
  } finally {
    await server.stop();
  }
}

/** A message of the flooded queue that was consumed. */
async function consumed(url: string): Promise<{ transactionId: string; partitionId: string }> {
  const body = JSON.stringify({ items: [{ queue: FLOOD, partition: "p0", payload: 1 }] });
  await (await fetch(`${url}/api/v1/push`, { method: "POST", body })).arrayBuffer();
  const answer = await fetch(`${url}/api/v1/pop/queue/${FLOOD}?batch=1&autoAck=true`);
  const { messages } = (await answer.json()) as { messages: { transactionId: string; partitionId: string }[] };
  const { transactionId, partitionId } = messages[0]!;
  return { transactionId, partitionId };
}

async function probe(url: string, queue: string, while_: () => Promise<void>): Promise<Probe[]> {
  const probes = new Probes(url, queue);
  probes.start();
  try {
    await while_();
  } finally {
    // Whatever failed, nobody goes on asking.
    await probes.stop();
  }
  return await probes.stop();
}

async function recovery(probes: Probes, usualMs: number): Promise<number> {
  const startedAt = performance.now();
  for (let inARow = 0, endedAt = startedAt; ; ) {
    if (inARow === 0) endedAt = performance.now();
    inARow = (await probes.push()) <= usualMs ? inARow + 1 : 0;
    if (inARow === RECOVERED_COUNT) return (endedAt - startedAt) / 1_000;
    if (performance.now() - startedAt > RECOVERY_S_MAX * 1_000) return Number.POSITIVE_INFINITY;
  }
}
