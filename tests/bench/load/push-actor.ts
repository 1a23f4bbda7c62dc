/**
 * Producers. Every request under way is a {@link PushRequest} of its own, taken in turn from a ring, so that a producer
 * has one request under way at a time and partitions are filled evenly.
 *
 * @module
 */

import { exchange, type Figures, type RunningActor, type Stage } from "./actor.ts";
import { HttpConnection } from "./connection.ts";
import { seededRandom } from "./payloads.ts";
import type { PushActor } from "./protocol.ts";
import { PushRequest } from "./push-request.ts";

const KEEP_BYTES_MAX = 64 * 1024 * 1024;
/** Of the answers to pushes, one in this many is read in full when checks are off. */
const SAMPLE_EVERY = 16;

/**
 * Makes the producers of one actor.
 *
 * @param actor - What they push.
 * @param stage - Where they play.
 * @returns The actor, not yet connected.
 */
export function pushActor(actor: PushActor, stage: Stage): RunningActor {
  const connections: HttpConnection[] = [];
  const figures = stage.figures(`${actor.name}.push`);
  const ring = buildRing(actor, stage);
  const progress = { left: actor.stop?.messages ?? Number.POSITIVE_INFINITY };
  return {
    open: async () => {
      for (let index = 0; index < actor.connections; index++)
        connections.push(await HttpConnection.open(stage.host, stage.port));
    },
    play: async () => {
      if (actor.pacePerSecond !== undefined) await playPaced(actor, stage, connections, ring, figures);
      else
        await Promise.all(connections.map((connection) => playOne(connection, actor, stage, ring, figures, progress)));
    },
    close: () => {
      for (const connection of connections) connection.close();
    },
  };
}

function buildRing(actor: PushActor, stage: Stage): PushRequest[] {
  const perRequest = actor.partitionsPerRequest ?? 1;
  const groups: string[][] = [];
  for (let at = 0; at < actor.partitions.length; at += perRequest)
    groups.push(actor.partitions.slice(at, at + perRequest));
  // As many requests as connections, times three so that payloads vary, and every partition as often as any other.
  const rounds = Math.ceil((actor.connections * 3) / groups.length);
  const random = seededRandom(stage.spec.seed);
  const ring: PushRequest[] = [];
  for (let index = 0; index < groups.length * rounds; index++) {
    ring.push(
      new PushRequest({
        host: stage.host,
        queue: actor.queue,
        partitions: groups[index % groups.length]!,
        perRequest: actor.perRequest,
        producer: `${stage.spec.tag}${index.toString(36)}`,
        firstIndex: index * actor.perRequest,
        payloadBytes: stage.spec.payloadBytes,
        random,
      }),
    );
  }
  return ring;
}

async function playOne(
  connection: HttpConnection,
  actor: PushActor,
  stage: Stage,
  ring: PushRequest[],
  figures: Figures,
  progress: { left: number },
): Promise<void> {
  for (let turn = 0; progress.left > 0 && !stage.stopping; turn++) {
    if (actor.backlogMax !== undefined) await stage.gauge.room(actor.backlogMax);
    if (stage.stopping) return;
    const request = ring.shift()!;
    progress.left -= request.messages;
    await pushOne(connection, request, actor, stage, figures, turn);
    ring.push(request);
  }
}

async function pushOne(
  connection: HttpConnection,
  request: PushRequest,
  actor: PushActor,
  stage: Stage,
  figures: Figures,
  turn: number,
): Promise<void> {
  request.stamp(stage.clock);
  const first = request.nextSequence;
  if (stage.checker !== null || actor.timed || actor.numbered) request.number();
  const startedAt = performance.now();
  if (actor.timed)
    for (let number = first; number < request.nextSequence; number++) stage.sentAt.set(number, startedAt);
  stage.gauge.pushed += request.messages;
  const sampled = stage.checker !== null || turn % SAMPLE_EVERY === 0;
  const { body } = await exchange(connection, request.bytes, sampled ? KEEP_BYTES_MAX : 0, figures);
  figures.answered(startedAt, request.messages);
  if (stage.checker !== null) stage.checker.pushed(request.producer, request.messages, body!);
  else if (sampled) requireQueued(body!, request.messages);
}

function requireQueued(body: Buffer, messages: number): void {
  const results = JSON.parse(body.toString()) as { status: string }[];
  if (results.length !== messages || results.some((result) => result.status !== "queued")) {
    throw new Error(`a push of ${messages} fresh messages was answered ${body.toString("utf8", 0, 300)}`);
  }
}

/** One producer numbers all messages, whichever connection carries them. */
async function playPaced(
  actor: PushActor,
  stage: Stage,
  connections: HttpConnection[],
  ring: PushRequest[],
  figures: Figures,
): Promise<void> {
  const everyMs = 1000 / actor.pacePerSecond!;
  const underWay = new Set<Promise<void>>();
  const startedAt = performance.now();
  let left = actor.stop?.messages ?? Number.POSITIVE_INFINITY;
  let sequence = 0;
  for (let turn = 0; !stage.stopping && left > 0; turn++) {
    const wait = startedAt + turn * everyMs - performance.now();
    if (wait > 0) await Bun.sleep(wait);
    const connection = connections.find((candidate) => !candidate.busy);
    if (connection === undefined) continue;
    const request = ring.shift()!;
    request.nextSequence = sequence;
    sequence += request.messages;
    left -= request.messages;
    const pushed = pushOne(connection, request, actor, stage, figures, turn);
    underWay.add(pushed);
    pushed.finally(() => {
      underWay.delete(pushed);
      ring.push(request);
    });
  }
  await Promise.all(underWay);
}
