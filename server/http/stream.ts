/**
 * Large bodies leave in pieces.
 *
 * Handed over whole, a body of megabytes is copied by the runtime and pushed into the socket in one go: a hundred such
 * answers to slow readers stopped the event loop for 0.7 s. Here a piece is written when the socket has room, and all
 * answers together write a bounded number of bytes per turn of the event loop, so that every other request gets its turn.
 *
 * @module
 */
import { setImmediate } from "node:timers";

/**
 * A body of this many bytes or more is streamed. Bun writes the head of a late answer together with the body when both fit
 * its buffer of 16 KiB, and otherwise each name, colon, value and line end by a system call and a packet of its own (about
 * 30 for the headers of this server: 136 µs of processor time where 20 do). Bodies of direct streams are spared that.
 */
export const STREAM_BYTES_MIN = 14_000;
/** Bodies under this many bytes go out in pieces that the runtime joins with the head in one write. */
const JOINED_BYTES_MAX = 64 * 1024;
const JOINED_PIECE_BYTES = 15_000;
// Ten fast readers of 3 MB took 2.2 GB/s in pieces of this size, 1.6 GB/s in pieces of 128 KiB, 1.9 GB/s unpieced.
export const PIECE_BYTES = 512 * 1024;
/** About 1 ms of copying into sockets; the piece that reaches it still leaves. */
export const TURN_BYTES_MAX = 4 * 1024 * 1024;

/** What Bun hands to `pull` of a stream of type `direct`: a sink that says when the socket is full. */
interface DirectSink {
  /** @returns A promise when the socket is full: it resolves when there is room, or never once the client is gone. */
  write(piece: Uint8Array): number | Promise<number>;
  end(): void;
}

let turnBytes = 0;
let turnScheduled = false;
let leavingBytes = 0;
let waiting: (() => void)[] = [];

/** Bytes of answers that clients have not taken off our hands yet. */
export function bytesLeaving(): number {
  return leavingBytes;
}

/** Bytes that were handed to sockets in this turn of the event loop. */
export function bytesThisTurn(): number {
  return turnBytes;
}

/**
 * Makes a body of bytes.
 *
 * @param body - Not to be touched afterwards; it is not copied.
 * @returns A stream that takes a piece whenever the socket has room, and forgets the body when the client goes away.
 */
export function streamOut(body: ArrayBuffer): ReadableStream<Uint8Array<ArrayBuffer>> {
  const leaving = new Leaving(body);
  return "Bun" in globalThis ? directStream(leaving) : pulledStream(leaving);
}

/** A body on its way out. */
class Leaving {
  readonly #body: ArrayBuffer;
  readonly #pieceBytes: number;
  #at = 0;
  #counted: number;

  constructor(body: ArrayBuffer) {
    this.#body = body;
    this.#pieceBytes = body.byteLength < JOINED_BYTES_MAX ? JOINED_PIECE_BYTES : PIECE_BYTES;
    this.#counted = body.byteLength;
    leavingBytes += this.#counted;
  }

  /** Whether nothing is left to send, or nobody to send it to. */
  get isOver(): boolean {
    return this.#counted === 0;
  }

  /** Takes the next piece; after the last one the body counts as gone. Only while there is one. */
  next(): Uint8Array<ArrayBuffer> {
    const piece = new Uint8Array(this.#body, this.#at, Math.min(this.#pieceBytes, this.#body.byteLength - this.#at));
    this.#at += piece.byteLength;
    spend(piece.byteLength);
    if (this.#at === this.#body.byteLength) this.settle();
    return piece;
  }

  settle(): void {
    leavingBytes -= this.#counted;
    this.#counted = 0;
  }
}

function directStream(leaving: Leaving): ReadableStream<Uint8Array<ArrayBuffer>> {
  let isCancelled = false;
  const send = (sink: DirectSink): undefined | Promise<undefined> => {
    while (!leaving.isOver) {
      if (turnBytes >= TURN_BYTES_MAX) return nextTurn().then(() => send(sink));
      const room = sink.write(leaving.next());
      if (room instanceof Promise) return room.then(() => send(sink));
    }
    if (!isCancelled) sink.end();
    return undefined;
  };
  const source = {
    type: "direct",
    pull: send,
    cancel() {
      isCancelled = true;
      leaving.settle();
    },
  };
  // The standard's types do not know Bun's kind of source.
  return new ReadableStream(source as unknown as UnderlyingDefaultSource<Uint8Array<ArrayBuffer>>);
}

function pulledStream(leaving: Leaving): ReadableStream<Uint8Array<ArrayBuffer>> {
  return new ReadableStream<Uint8Array<ArrayBuffer>>(
    {
      async pull(controller) {
        while (turnBytes >= TURN_BYTES_MAX) await nextTurn();
        if (!leaving.isOver) controller.enqueue(leaving.next());
        if (leaving.isOver) controller.close();
      },
      cancel: () => leaving.settle(),
    },
    { highWaterMark: 0 },
  );
}

function spend(bytes: number): void {
  turnBytes += bytes;
  if (turnScheduled) return;
  turnScheduled = true;
  setImmediate(startTurn);
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => waiting.push(resolve));
}

function startTurn(): void {
  turnScheduled = false;
  turnBytes = 0;
  const resumed = waiting;
  waiting = [];
  for (const resume of resumed) resume();
}
