/**
 * One keep-alive HTTP/1.1 connection over a raw socket, one request at a time. Requests are bytes that were built
 * before; of an answer only status and length are read, and its body is kept only when it is short enough to be wanted.
 *
 * Not a general client: no redirects, no trailers, no 1xx answers.
 *
 * @module
 */

import type { Socket } from "bun";

const CR_LF_CR_LF = Buffer.from("\r\n\r\n");
const NO_BYTES = Buffer.alloc(0);

/**
 * Called once per request.
 *
 * @param status - HTTP status, or 0 when the connection failed (`body` then holds the reason).
 * @param length - Length of the body in bytes.
 * @param body - The body, valid until the next request of this connection; null when it was longer than asked for.
 */
export type AnswerHandler = (status: number, length: number, body: Buffer | null) => void;

/** Where the reader is inside an answer: `head`, `body` of known length, or one of the parts of a chunked body. */
type Stage = "head" | "body" | "chunk-size" | "chunk" | "chunk-end";

/** See the module. */
export class HttpConnection {
  #socket: Socket<undefined> | null = null;
  #unsent: Uint8Array = NO_BYTES;
  #handler: AnswerHandler | null = null;
  #keepBytesMax = 0;
  #stage: Stage = "head";
  #pending: Buffer = NO_BYTES;
  #status = 0;
  #left = 0;
  #length = 0;
  #kept: Buffer = Buffer.allocUnsafe(4096);
  #closed = false;

  /**
   * Opens a connection.
   *
   * @param host - Name or address.
   * @param port - TCP port.
   * @param pauseMs - Takes nothing for so long after each piece of an answer.
   * @returns The connection, ready for {@link send}.
   * @throws {Error} when nothing listens there.
   */
  static async open(host: string, port: number, pauseMs = 0): Promise<HttpConnection> {
    const connection = new HttpConnection();
    connection.#socket = await Bun.connect<undefined>({
      hostname: host,
      port,
      data: undefined,
      socket: {
        data: (socket, chunk) => {
          connection.#receive(chunk);
          if (pauseMs === 0) return;
          socket.pause();
          setTimeout(() => socket.resume(), pauseMs);
        },
        drain: () => connection.#flush(),
        close: () => connection.#fail("the server closed the connection"),
        error: (_socket, error) => connection.#fail(error.message),
      },
    });
    return connection;
  }

  /** Whether a request is under way. */
  get busy(): boolean {
    return this.#handler !== null;
  }

  /**
   * Sends one request. Only legal while no other is under way.
   *
   * @param request - The whole request; must stay untouched until the answer.
   * @param keepBytesMax - Longest body that is kept for the handler.
   * @param handler - Gets the answer.
   */
  send(request: Uint8Array, keepBytesMax: number, handler: AnswerHandler): void {
    if (this.#closed) {
      queueMicrotask(() => handler(0, 0, Buffer.from("the connection is closed")));
      return;
    }
    this.#handler = handler;
    this.#keepBytesMax = keepBytesMax;
    this.#unsent = request;
    this.#flush();
  }

  /** Closes the connection; a request under way is forgotten without a call of its handler. */
  close(): void {
    this.#handler = null;
    this.#closed = true;
    this.#socket?.end();
  }

  #flush(): void {
    if (this.#unsent.length === 0 || this.#socket === null) return;
    const written = this.#socket.write(this.#unsent);
    this.#unsent = written >= this.#unsent.length ? NO_BYTES : this.#unsent.subarray(Math.max(0, written));
  }

  #fail(reason: string): void {
    this.#closed = true;
    const handler = this.#handler;
    this.#handler = null;
    handler?.(0, 0, Buffer.from(reason));
  }

  #receive(received: Buffer): void {
    let chunk = received;
    if (this.#pending.length > 0) {
      chunk = Buffer.concat([this.#pending, received]);
      this.#pending = NO_BYTES;
    }
    while (chunk.length > 0) {
      const rest = this.#step(chunk);
      if (rest === null) {
        this.#pending = Buffer.from(chunk);
        return;
      }
      chunk = rest;
    }
  }

  /** Takes what it can from the chunk and returns the rest, or null when it needs more bytes first. */
  #step(chunk: Buffer): Buffer | null {
    if (this.#stage === "head") return this.#readHead(chunk);
    if (this.#stage === "body" || this.#stage === "chunk") {
      const taken = chunk.length > this.#left ? chunk.subarray(0, this.#left) : chunk;
      this.#left -= taken.length;
      if (this.#stage === "body" && this.#left === 0 && this.#length === 0 && taken.length <= this.#keepBytesMax) {
        this.#length = taken.length;
        this.#finish(taken);
      } else {
        this.#keep(taken);
        if (this.#left === 0 && this.#stage === "body") this.#finish(null);
        else if (this.#left === 0) this.#stage = "chunk-end";
      }
      return chunk.subarray(taken.length);
    }
    const lineEnd = chunk.indexOf(10);
    if (lineEnd < 0) return null;
    if (this.#stage === "chunk-size") {
      this.#left = Number.parseInt(chunk.toString("latin1", 0, lineEnd), 16);
      this.#stage = this.#left === 0 ? "chunk-end" : "chunk";
      if (this.#left === 0) this.#left = -1;
    } else if (this.#left === -1) {
      this.#finish(null);
    } else {
      this.#stage = "chunk-size";
    }
    return chunk.subarray(lineEnd + 1);
  }

  #readHead(chunk: Buffer): Buffer | null {
    const end = chunk.indexOf(CR_LF_CR_LF);
    if (end < 0) return null;
    const head = chunk.toString("latin1", 0, end + 2).toLowerCase();
    this.#status = Number(head.slice(9, 12));
    this.#length = 0;
    this.#left = 0;
    const at = head.indexOf("\r\ncontent-length:");
    if (at >= 0) this.#left = Number.parseInt(head.slice(at + 17, head.indexOf("\r\n", at + 17)), 10);
    if (head.includes("\r\ntransfer-encoding: chunked")) this.#stage = "chunk-size";
    else if (this.#left > 0 && this.#status !== 204) this.#stage = "body";
    else this.#finish(NO_BYTES);
    return chunk.subarray(end + 4);
  }

  #keep(bytes: Buffer): void {
    const length = this.#length + bytes.length;
    if (length <= this.#keepBytesMax) {
      if (length > this.#kept.length) {
        const grown = Buffer.allocUnsafe(Math.max(length, this.#kept.length * 2));
        this.#kept.copy(grown, 0, 0, this.#length);
        this.#kept = grown;
      }
      bytes.copy(this.#kept, this.#length);
    }
    this.#length = length;
  }

  #finish(whole: Buffer | null): void {
    this.#stage = "head";
    const handler = this.#handler;
    this.#handler = null;
    const length = this.#length;
    if (whole !== null) handler?.(this.#status, length, whole);
    else handler?.(this.#status, length, length <= this.#keepBytesMax ? this.#kept.subarray(0, length) : null);
  }
}
