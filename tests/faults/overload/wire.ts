/**
 * One keep-alive connection of the overload's load: sends a request, reads status, `Retry-After` and where the answer ends.
 *
 * @module
 */
import type { Socket } from "bun";

const HEAD_END = Buffer.from("\r\n\r\n");
const LAST_CHUNK = Buffer.from("\r\n0\r\n\r\n");
const NOTHING = Buffer.alloc(0);

/** What became of a request. `status` 0: the connection broke. */
export type Outcome = (status: number, retryAfterS: number | null) => void;

/** See the module. */
export class Wire {
  #socket: Socket<undefined> | null = null;
  #unsent: Uint8Array = NOTHING;
  #received: Buffer = NOTHING;
  #outcome: Outcome | null = null;

  /** @throws {Error} when nothing listens there. */
  static async open(host: string, port: number): Promise<Wire> {
    const wire = new Wire();
    wire.#socket = await Bun.connect<undefined>({
      hostname: host,
      port,
      data: undefined,
      socket: {
        data: (_socket, bytes) => wire.#receive(bytes),
        drain: () => wire.#flush(),
        close: () => wire.#broken(),
        error: () => wire.#broken(),
      },
    });
    return wire;
  }

  /** Whether it can send. */
  get isOpen(): boolean {
    return this.#socket !== null;
  }

  /** Sends a request; legal while none is under way. @param request - Untouched until the outcome. */
  send(request: Uint8Array, outcome: Outcome): void {
    this.#outcome = outcome;
    this.#unsent = request;
    this.#flush();
  }

  /** Closes; a request under way is forgotten. */
  close(): void {
    this.#outcome = null;
    this.#socket?.terminate();
    this.#socket = null;
  }

  #flush(): void {
    if (this.#unsent.length === 0 || this.#socket === null) return;
    const written = this.#socket.write(this.#unsent);
    this.#unsent = this.#unsent.subarray(Math.max(0, written));
  }

  #broken(): void {
    this.#socket = null;
    this.#settle(0, null);
  }

  #settle(status: number, retryAfterS: number | null): void {
    const outcome = this.#outcome;
    this.#outcome = null;
    outcome?.(status, retryAfterS);
  }

  /** Answers are of known length, chunked (the last chunk's bytes occur in no JSON), or have no body. */
  #receive(bytes: Buffer): void {
    const all = this.#received.length === 0 ? bytes : Buffer.concat([this.#received, bytes]);
    const headEnd = all.indexOf(HEAD_END);
    if (headEnd === -1) {
      this.#received = Buffer.from(all);
      return;
    }
    const head = all.toString("latin1", 0, headEnd).toLowerCase();
    const length = Number(/\r\ncontent-length: (\d+)/.exec(head)?.[1] ?? 0);
    const isChunked = head.includes("\r\ntransfer-encoding: chunked");
    const isWhole = isChunked
      ? all.subarray(-LAST_CHUNK.length).equals(LAST_CHUNK)
      : all.length >= headEnd + 4 + length;
    if (!isWhole) {
      this.#received = Buffer.from(all);
      return;
    }
    this.#received = NOTHING;
    const retryAfter = /\r\nretry-after: (\d+)/.exec(head)?.[1];
    this.#settle(Number(head.slice(9, 12)), retryAfter === undefined ? null : Number(retryAfter));
  }
}
