/**
 * What the driver takes for a socket. It stands before the real one because the driver does not survive the loss of a
 * connection in every state:
 *
 * - It gathers what it writes until the end of the turn. A connection that ends in between leaves that behind, and with it a
 *   timer that never fires: the connection made next in its place sends nothing, for good. Here such a connection is told
 *   apart by its silence, made to send, and what was left behind is cut off.
 * - Statements that it takes between the error and the close of a socket are forgotten. Here both come at once, and the
 *   close always counts as one that the driver has to tell everybody of.
 *
 * - The rows of an answer that ended in the middle are counted in with those of the next one, which gets a gap before its first
 *   row. Here the driver is told that the answer is over.
 *
 * TLS is begun here as well: a socket that sends nothing could not begin it.
 *
 * @see {@link https://github.com/porsager/postgres/pull/1209}, to be removed when that and 1215 are in the driver.
 * @module
 */

import { EventEmitter } from "node:events";
import { isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { DatabaseTarget } from "../protocol.ts";

/** Of the protocol: the version in a start, the code of a cancellation, and the request for TLS with its answer. */
const STARTS: ReadonlySet<number> = new Set([196_608, 80_877_102]);
const TLS_REQUEST = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]);
const TLS_GRANTED = 0x53;
/** A server that asks for a password in clear text. */
const PASSWORD_PLEASE = Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 3]);
/** An answer of no rows is complete. */
const ANSWER_OVER = Buffer.concat([Buffer.from([0x43, 0, 0, 0, 13]), Buffer.from("SELECT 0\0")]);
/** The driver sends at once what is as long as this. */
const PRESSING = "x".repeat(1_024);
/** A message that holds it: type, length, text, zero. */
const PRESSING_BYTES = PRESSING.length + 6;

/** Whether a password is asked for only to have something sent. */
let pressing = false;

/** @returns What to give the driver as password. */
export function passwordFor(target: DatabaseTarget): () => string {
  return () => (pressing ? PRESSING : (target.password ?? ""));
}

/** See the module comment. The part of a socket that the driver uses. */
export class DriverSocket extends EventEmitter {
  #socket: Socket;
  /** Until TLS stands: what is to be sent then. */
  #early: Buffer[] | null = null;
  #started = false;
  #pressed = false;
  #dead = false;
  #error: Error | null = null;
  #receive: ((bytes: Buffer) => void) | null = null;
  #ended = false;
  #asking = false;
  readonly #lost: () => void;

  /**
   * @param socket - Connecting.
   * @param lost - Called when it closes without having been ended here, before the driver hears of it.
   */
  constructor(socket: Socket, tls: DatabaseTarget["tls"], host: string, lost: () => void = () => {}) {
    super();
    this.#socket = socket;
    this.#lost = lost;
    if (tls === "off") this.#attach(socket);
    else this.#beginTls(socket, tls, host);
  }

  /** As the driver reads it: whether there is somebody to say goodbye to. */
  get readyState(): string {
    return this.#dead ? "closed" : this.#socket.readyState;
  }

  /** Whether something was written since anything came: an answer lacks for sure. (Where it is false, one may lack.) */
  get isAsking(): boolean {
    return this.#asking;
  }

  override on(event: string, listener: (...values: never[]) => void): this {
    // The driver listens when it has begun, and writes in the same turn.
    if (event === "data") {
      this.#receive = listener as unknown as (bytes: Buffer) => void;
      setImmediate(() => setImmediate(() => this.#press()));
    }
    return super.on(event, listener as (...values: unknown[]) => void);
  }

  /** Sends, or keeps until it can be sent. */
  write(bytes: Buffer, callback?: () => void): boolean {
    const rest = this.#started ? bytes : this.#startOf(bytes);
    this.#asking = true;
    if (this.#early === null) return this.#socket.write(rest, callback);
    this.#early.push(rest);
    return true;
  }

  /** Sends, and says goodbye. */
  end(bytes: Buffer): void {
    this.#ended = true;
    this.#socket.end(bytes);
  }

  /** Ends it without a word. */
  destroy(error?: Error): void {
    this.#socket.destroy(error);
  }

  setKeepAlive(): void {}
  pause(): void {
    this.#socket.pause();
  }
  resume(): void {
    this.#socket.resume();
  }

  /** The message that begins a connection, without what an earlier one left before it, and without what made it be sent. */
  #startOf(bytes: Buffer): Buffer {
    this.#started = true;
    const end = this.#pressed ? bytes.length - PRESSING_BYTES : bytes.length;
    for (let at = 0; at + 8 <= end; at += 1) {
      if (bytes.readInt32BE(at) === end - at && STARTS.has(bytes.readInt32BE(at + 4))) return bytes.subarray(at, end);
    }
    return bytes;
  }

  /** Has the driver send, when it should have by itself. */
  #press(): void {
    if (this.#started || this.#dead) return;
    this.#pressed = true;
    pressing = true;
    this.emit("data", PASSWORD_PLEASE);
    pressing = false;
  }

  #attach(socket: Socket): void {
    socket.on("data", (chunk) => {
      this.#asking = false;
      this.emit("data", chunk);
    });
    socket.on("drain", () => this.emit("drain"));
    socket.on("error", (error) => (this.#error ??= error));
    socket.on("close", () => this.#die());
  }

  #die(): void {
    if (this.#dead) return;
    this.#dead = true;
    if (!this.#ended) this.#lost();
    const error: Error & { query?: string } =
      this.#error ??
      Object.assign(new Error("The connection to the database was closed"), { code: "CONNECTION_CLOSED" });
    if (this.listenerCount("error") > 0) this.emit("error", error);
    this.emit("close", false);
    // The driver notes what it was at in the error.
    if (error.query !== undefined) this.#receive?.(ANSWER_OVER);
  }

  #beginTls(raw: Socket, tls: DatabaseTarget["tls"], host: string): void {
    this.#early = [];
    const died = () => this.#die();
    raw.on("error", (error) => (this.#error ??= error));
    raw.once("close", died);
    raw.once("connect", () => raw.write(TLS_REQUEST));
    raw.once("data", (answer: Buffer) => {
      if (answer[0] !== TLS_GRANTED) {
        raw.destroy(Object.assign(new Error("The database does not speak TLS"), { code: "TLS_REFUSED" }));
        return;
      }
      raw.removeListener("close", died);
      const servername = isIP(host) === 0 ? { servername: host } : {};
      const secure = connectTls({ socket: raw, rejectUnauthorized: tls === "verify", ...servername });
      this.#socket = secure;
      this.#attach(secure);
      secure.once("secureConnect", () => {
        const early = this.#early ?? [];
        this.#early = null;
        for (const bytes of early) secure.write(bytes);
      });
    });
  }
}
