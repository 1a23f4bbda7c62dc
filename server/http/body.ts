/**
 * Reads request bodies, within a bound per request, a bound for all requests together, and a time.
 *
 * @module
 */
import { fieldError, QueenError } from "../../schema/wire/errors.ts";
import { type BodyFormat, TEXT_BODY_BYTES_MAX } from "../pool/pool.ts";

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const BOM = 0xfeff;

/** A body longer than this has room set aside by what it announces only while there is plenty. */
const SMALL_BYTES_MAX = 64 * 1024;
/** How often bodies that are late are looked for. */
const SWEEP_MS = 1_000;

/** A body that is being received. */
interface Reading {
  /** Of the sweep before it began. */
  readonly sinceMs: number;
  /** Gives up waiting for it. */
  readonly cut: () => void;
}

/** Reads bodies and counts what it holds. One per application. */
export class BodyReader {
  readonly #bytesMax: number;
  readonly #heldMax: number;
  readonly #timeoutMs: number;
  /** Announced bytes of bodies that are being received now, and received ones of those that were not counted so. */
  #held = 0;
  /** Announced bytes alone. */
  #announced = 0;
  /** Oldest first. */
  readonly #readings = new Set<Reading>();
  #sweeper: ReturnType<typeof setInterval> | null = null;
  #sweptAtMs = 0;

  /**
   * @param bytesMax - Longest body, in bytes.
   * @param heldMax - Most bytes being received at a time; one body is always let through.
   * @param timeoutMs - Longest time a body may take to arrive, a second more or less.
   */
  constructor(bytesMax: number, heldMax: number, timeoutMs: number) {
    this.#bytesMax = bytesMax;
    this.#heldMax = heldMax;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Reads the whole body.
   *
   * @returns Small JSON as text, anything else as a buffer of its own; null when it is empty.
   * @throws QueenError `BODY_TOO_LARGE` (the rest is not read), `OVERLOADED` when too much is being received already,
   *   `BODY_NOT_UTF8` for small JSON, `FIELD_INVALID` when the client stopped half-way, `BODY_LATE`.
   */
  async read(request: Request, format: BodyFormat): Promise<string | ArrayBuffer | null> {
    const announced = request.headers.get("content-length");
    if (announced === null) {
      if (request.body === null) return null;
      return toBody(await this.#readCounted(request.body), format);
    }
    const length = Number(announced);
    if (length > this.#bytesMax) throw this.#tooLong();
    if (length === 0) return null;
    // Who announces much and sends nothing must not take the room of those who send.
    const isScarce = length > SMALL_BYTES_MAX && this.#announced + length > this.#heldMax / 2;
    if (isScarce && request.body !== null) return toBody(await this.#readCounted(request.body), format);
    if (this.#held > 0 && this.#held + length > this.#heldMax) {
      throw new QueenError("OVERLOADED");
    }
    this.#held += length;
    this.#announced += length;
    try {
      return toBody(await this.#readWhole(request), format);
    } catch (error) {
      if (error instanceof QueenError) throw error;
      throw fieldError("Request body ended early");
    } finally {
      this.#held -= length;
      this.#announced -= length;
    }
  }

  #readWhole(request: Request): Promise<ArrayBuffer> {
    return new Promise((resolve, reject) => {
      const reading = this.#begin(() => reject(this.#late()));
      request.arrayBuffer().then(
        (bytes) => {
          this.#readings.delete(reading);
          resolve(bytes);
        },
        (error) => {
          this.#readings.delete(reading);
          reject(error);
        },
      );
    });
  }

  #begin(cut: () => void): Reading {
    if (this.#sweeper === null) {
      this.#sweptAtMs = performance.now();
      this.#sweeper = setInterval(() => this.#sweep(), SWEEP_MS);
      unref(this.#sweeper);
    }
    const reading = { sinceMs: this.#sweptAtMs, cut };
    this.#readings.add(reading);
    return reading;
  }

  #sweep(): void {
    this.#sweptAtMs = performance.now();
    for (const reading of this.#readings) {
      if (this.#sweptAtMs - reading.sinceMs < this.#timeoutMs) break;
      this.#readings.delete(reading);
      reading.cut();
    }
    // Without anything to watch there is nothing to wake up for.
    if (this.#readings.size > 0) return;
    clearInterval(this.#sweeper!);
    this.#sweeper = null;
  }

  #late(): QueenError {
    return new QueenError("BODY_LATE", { seconds: Math.ceil(this.#timeoutMs / 1_000) });
  }

  /** A body of unknown length: nobody announces the end, so it is counted piece by piece. */
  async #readCounted(stream: ReadableStream<Uint8Array>): Promise<ArrayBuffer> {
    const pieces: Uint8Array[] = [];
    let length = 0;
    let isLate = false;
    const reader = stream.getReader();
    const reading = this.#begin(() => {
      isLate = true;
      reader.cancel().catch(() => {});
    });
    try {
      for (let next = await reader.read(); !next.done; next = await reader.read()) {
        const piece = next.value;
        length += piece.byteLength;
        this.#held += piece.byteLength;
        if (length > this.#bytesMax) throw this.#tooLong();
        if (this.#held > length && this.#held > this.#heldMax) {
          throw new QueenError("OVERLOADED");
        }
        pieces.push(piece);
      }
      if (isLate) throw this.#late();
      return join(pieces, length);
    } catch (error) {
      if (isLate) throw this.#late();
      if (error instanceof QueenError) throw error;
      throw fieldError("Request body ended early");
    } finally {
      this.#readings.delete(reading);
      this.#held -= length;
    }
  }

  #tooLong(): QueenError {
    return new QueenError("BODY_TOO_LARGE", { max: this.#bytesMax });
  }
}

/** A process that is done must not stay for this timer. Deno's timers are numbers, and it has a call of its own. */
function unref(timer: ReturnType<typeof setInterval>): void {
  if (typeof timer === "object") timer.unref();
}

function toBody(bytes: ArrayBuffer, format: BodyFormat): string | ArrayBuffer | null {
  if (bytes.byteLength === 0) return null;
  if (format === "cbor" || bytes.byteLength > TEXT_BODY_BYTES_MAX) return bytes;
  try {
    const text = UTF8.decode(bytes);
    return text.charCodeAt(0) === BOM ? text.slice(1) : text;
  } catch {
    throw new QueenError("BODY_NOT_UTF8");
  }
}

function join(pieces: readonly Uint8Array[], length: number): ArrayBuffer {
  const joined = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    joined.set(piece, at);
    at += piece.byteLength;
  }
  return joined.buffer;
}
