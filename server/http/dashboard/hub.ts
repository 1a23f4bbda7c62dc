/**
 * Those who watch: every socket of this process, and what they are told. While there is none, nothing is asked of the
 * workers and nothing is made to be told.
 *
 * A socket whose client reads too slowly is passed over, and closed when it stays behind; and so many frames leave a second,
 * no more: watching never slows the queue down. What was left out is told once a second, as a number.
 *
 * @module
 */
import { randomUUID } from "node:crypto";
import type { Answer, DashboardEvent, EventBatch, OperationParams, Pool, WorkerRequest } from "../../pool/pool.ts";
import { RecentCounts } from "./recent-counts.ts";
import { FRAME_BYTES_MAX, type Socket, type SocketHandler } from "./socket.ts";

/** Sockets of one process. */
export const SOCKETS_MAX = 1_000;
/** Bytes behind which a socket is passed over, and closed. */
const BEHIND_BYTES_MAX = 1024 * 1024;
const LOST_BYTES_MAX = 8 * BEHIND_BYTES_MAX;
/** Frames about messages, to each socket. */
const FRAMES_PER_SECOND_MAX = 5_000;
/** And to all of them together. */
const SENDS_PER_SECOND_MAX = 100_000;
const DEPTHS_MS = 5_000;
const TOTALS_MS = 10_000;
const SECOND_MS = 1_000;

/** Close code of RFC 6455, section 7.4.1: too big. */
const TOO_BIG = 1009;
const TRY_AGAIN_LATER = 1013;

interface QueueDepth {
  queue: string;
  namespace: string | null;
  task: string | null;
  partitions: Record<string, { depth: number; processing: number; completed: number; failed: number; total: number }>;
}

function frameOf({ event, data, timestamp }: DashboardEvent): string {
  return JSON.stringify({ event, data, timestamp });
}

/** See the module's comment. One per pool: see {@link hubOf}. */
export class Hub {
  readonly #pool: Pool;
  readonly #sockets = new Map<string, Socket>();
  readonly #recent = new RecentCounts();
  #timers: ReturnType<typeof setInterval>[] = [];
  #framesLeft = FRAMES_PER_SECOND_MAX;
  #left = 0;
  #afterQueueId = 0;
  readonly #asking = new Set<string>();

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  /** Open sockets. */
  get count(): number {
    return this.#sockets.size;
  }

  /** Makes what belongs to one socket. */
  handler(): SocketHandler {
    const id = randomUUID();
    let own: Socket | null = null;
    return {
      opened: (socket) => {
        own = socket;
        this.#join(id, socket);
      },
      received: (text) => {
        if (own !== null) this.#answer(own, text);
      },
      closed: () => this.#leave(id),
    };
  }

  #join(id: string, socket: Socket): void {
    this.#tell("client.connected", { clientId: id });
    this.#sockets.set(id, socket);
    socket.send(frameOf(now("connected", { connectionId: id, version: "v2" })));
    if (this.#sockets.size === 1) this.#begin();
  }

  #leave(id: string): void {
    if (!this.#sockets.delete(id)) return;
    this.#tell("client.disconnected", { clientId: id });
    if (this.#sockets.size === 0) this.#end();
  }

  #begin(): void {
    this.#recent.clear();
    this.#pool.listen((batch) => this.#pass(batch));
    this.#timers = [
      setInterval(
        () => this.#ask("dashboardDepths", { afterQueueId: this.#afterQueueId }, this.#tellDepths),
        DEPTHS_MS,
      ),
      setInterval(() => this.#ask("dashboardTotals", {}, this.#tellTotals), TOTALS_MS),
      setInterval(() => this.#second(), SECOND_MS),
    ];
  }

  #end(): void {
    this.#pool.listen(null);
    for (const timer of this.#timers) clearInterval(timer);
    this.#timers = [];
    this.#left = 0;
  }

  #answer(socket: Socket, text: string): void {
    // Not every runtime can be told how long a frame may be.
    if (Buffer.byteLength(text) > FRAME_BYTES_MAX) {
      socket.close(TOO_BIG, "Message too big");
      return;
    }
    if (text === "ping") {
      socket.send("pong");
      return;
    }
    const queues = subscribedQueues(text);
    if (queues !== null) socket.send(frameOf(now("subscribed", { queues })));
  }

  #pass(batch: EventBatch): void {
    this.#recent.add(batch.created, batch.completed);
    this.#left += batch.dropped;
    const most = Math.min(this.#framesLeft, batch.events.length);
    for (let at = 0; at < most; at += 1) this.#broadcast(frameOf(batch.events[at]!));
    this.#framesLeft -= most;
    this.#left += batch.events.length - most;
  }

  #second(): void {
    if (this.#left > 0) this.#tell("events.dropped", { count: this.#left });
    this.#left = 0;
    const each = Math.floor(SENDS_PER_SECOND_MAX / Math.max(1, this.#sockets.size));
    this.#framesLeft = Math.min(FRAMES_PER_SECOND_MAX, each);
  }

  #tell(event: string, data: Record<string, unknown>): void {
    if (this.#sockets.size > 0) this.#broadcast(frameOf(now(event, data)));
  }

  #broadcast(frame: string): void {
    for (const socket of this.#sockets.values()) {
      const behind = socket.bufferedBytes;
      if (behind < BEHIND_BYTES_MAX) socket.send(frame);
      else {
        this.#left += 1;
        if (behind > LOST_BYTES_MAX) socket.close(TRY_AGAIN_LATER, "Reading too slowly");
      }
    }
  }

  /** Asks a worker for something to tell; skipped while the same is still being looked up. */
  #ask<Name extends "dashboardDepths" | "dashboardTotals">(
    operation: Name,
    params: OperationParams[Name],
    tell: (value: never) => void,
  ): void {
    if (this.#asking.has(operation)) return;
    this.#asking.add(operation);
    const request = { id: 0, operation, params, bodyFormat: "json", answerFormat: "json", body: null } as WorkerRequest;
    this.#pool.send(request).then((answer) => {
      this.#asking.delete(operation);
      const value = answeredValue(answer);
      if (value !== null) tell(value as never);
    });
  }

  readonly #tellDepths = ({ queues, afterQueueId }: { queues: QueueDepth[]; afterQueueId: number }): void => {
    this.#afterQueueId = afterQueueId;
    for (const { queue, namespace, task, partitions } of queues) {
      const entries = Object.entries(partitions);
      const sum = (of: "depth" | "processing") => entries.reduce((total, [, stats]) => total + stats[of], 0);
      this.#tell("queue.depth", {
        queue,
        namespace,
        task,
        totalDepth: sum("depth"),
        totalProcessing: sum("processing"),
        partitions: Object.fromEntries(
          entries.map(([name, { depth, processing, completed, failed }]) => [
            name,
            { depth, processing, completed, failed },
          ]),
        ),
      });
      for (const [partition, stats] of entries) this.#tell("partition.depth", { queue, partition, ...stats });
    }
  };

  readonly #tellTotals = ({ pending, processing }: { pending: number; processing: number }): void => {
    const { created, completed } = this.#recent.sum();
    this.#tell("system.stats", {
      pending,
      processing,
      recentCreated: created,
      recentCompleted: completed,
      connections: this.#sockets.size,
    });
  };
}

const hubs = new WeakMap<Pool, Hub>();

/** The hub of those who watch what a pool does. */
export function hubOf(pool: Pool): Hub {
  let hub = hubs.get(pool);
  if (!hub) {
    hub = new Hub(pool);
    hubs.set(pool, hub);
  }
  return hub;
}

function now(event: string, data: Record<string, unknown>): DashboardEvent {
  return { event, data, timestamp: new Date().toISOString() };
}

/** Queues of a subscription; null when the text is anything else. */
function subscribedQueues(text: string): unknown[] | null {
  if (!text.startsWith("{")) return null;
  try {
    const message: unknown = JSON.parse(text);
    if (typeof message !== "object" || message === null) return null;
    const { type, queues } = message as { type?: unknown; queues?: unknown };
    return type === "subscribe" && Array.isArray(queues) ? queues : null;
  } catch {
    return null;
  }
}

/** What a worker answered; null when it could not. */
function answeredValue(answer: Answer): unknown {
  if (answer.error !== undefined || answer.status !== 200 || answer.body === null) return null;
  const { body } = answer;
  return JSON.parse(typeof body === "string" ? body : Buffer.from(body).toString("utf8"));
}
