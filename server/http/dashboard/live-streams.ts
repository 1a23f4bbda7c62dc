/**
 * Those who follow how the process does: a stream of server-sent events for each, one look a second for all of them together,
 * and none while nobody follows.
 *
 * @module
 */
import type { Pool } from "../../pool/pool.ts";

/** Streams of one process. */
export const STREAMS_MAX = 200;
const LOOK_MS = 1_000;
/** Events that a client has not taken yet; while there are so many it is passed over. */
const BEHIND_MAX = 4;

type Controller = ReadableStreamDefaultController<Uint8Array>;

/** See the module's comment. One per pool: see {@link liveStreamsOf}. */
export class LiveStreams {
  readonly #pool: Pool;
  readonly #look: () => Promise<unknown>;
  readonly #controllers = new Set<Controller>();
  readonly #encoder = new TextEncoder();
  #timer: ReturnType<typeof setInterval> | undefined;
  #looking = false;

  /** @param look - Finds out what to tell. */
  constructor(pool: Pool, look: () => Promise<unknown>) {
    this.#pool = pool;
    this.#look = look;
  }

  /** Open streams. */
  get count(): number {
    return this.#controllers.size;
  }

  /** Opens a stream; its first event comes at once. It ends when its reader cancels it, or the workers are gone. */
  open(): ReadableStream<Uint8Array> {
    let own: Controller;
    return new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          own = controller;
          this.#controllers.add(controller);
          this.#timer ??= setInterval(() => void this.#tell(), LOOK_MS);
          void this.#tell();
        },
        cancel: () => this.#leave(own),
      },
      { highWaterMark: BEHIND_MAX },
    );
  }

  #leave(controller: Controller): void {
    this.#controllers.delete(controller);
    if (this.#controllers.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  async #tell(): Promise<void> {
    // A server that stops waits for its answers to end.
    if (!this.#pool.state().ready) return this.#endAll();
    if (this.#looking) return;
    this.#looking = true;
    try {
      const event = this.#encoder.encode(`data: ${JSON.stringify(await this.#look())}\n\n`);
      for (const controller of this.#controllers) {
        if ((controller.desiredSize ?? 0) > 0) controller.enqueue(event);
      }
    } finally {
      this.#looking = false;
    }
  }

  #endAll(): void {
    for (const controller of [...this.#controllers]) {
      this.#leave(controller);
      controller.close();
    }
  }
}

const streams = new WeakMap<Pool, LiveStreams>();

/** The streams of those who follow a pool. */
export function liveStreamsOf(pool: Pool, look: () => Promise<unknown>): LiveStreams {
  let found = streams.get(pool);
  if (found === undefined) {
    found = new LiveStreams(pool, look);
    streams.set(pool, found);
  }
  return found;
}
