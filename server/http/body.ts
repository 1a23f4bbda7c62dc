/**
 * Reads request bodies, within a bound per request and a bound for all requests together.
 *
 * @module
 */
import { fieldError, QueenError } from "../../schema/wire/errors.ts";
import { type BodyFormat, TEXT_BODY_BYTES_MAX } from "../pool/pool.ts";

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const BOM = 0xfeff;

/** Reads bodies and counts what it holds. One per application. */
export class BodyReader {
  readonly #bytesMax: number;
  readonly #heldMax: number;
  /** Announced bytes of bodies that are being received now. */
  #held = 0;

  /**
   * @param bytesMax - Longest body, in bytes.
   * @param heldMax - Most bytes being received at a time; one body is always let through.
   */
  constructor(bytesMax: number, heldMax: number) {
    this.#bytesMax = bytesMax;
    this.#heldMax = heldMax;
  }

  /**
   * Reads the whole body.
   *
   * @returns Small JSON as text, anything else as a buffer of its own; null when it is empty.
   * @throws QueenError `BODY_TOO_LARGE` (the rest is not read), `OVERLOADED` when too much is being received already,
   *   `BODY_NOT_UTF8` for small JSON, `FIELD_INVALID` when the client stopped half-way.
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
    if (this.#held > 0 && this.#held + length > this.#heldMax) {
      throw new QueenError("OVERLOADED");
    }
    this.#held += length;
    try {
      return toBody(await request.arrayBuffer(), format);
    } catch (error) {
      if (error instanceof QueenError) throw error;
      throw fieldError("Request body ended early");
    } finally {
      this.#held -= length;
    }
  }

  /** A body of unknown length: nobody announces the end, so it is counted piece by piece. */
  async #readCounted(stream: ReadableStream<Uint8Array>): Promise<ArrayBuffer> {
    const pieces: Uint8Array[] = [];
    let length = 0;
    try {
      for await (const piece of stream) {
        length += piece.byteLength;
        this.#held += piece.byteLength;
        if (length > this.#bytesMax) throw this.#tooLong();
        if (this.#held > length && this.#held > this.#heldMax) {
          throw new QueenError("OVERLOADED");
        }
        pieces.push(piece);
      }
      return join(pieces, length);
    } catch (error) {
      if (error instanceof QueenError) throw error;
      throw fieldError("Request body ended early");
    } finally {
      this.#held -= length;
    }
  }

  #tooLong(): QueenError {
    return new QueenError("BODY_TOO_LARGE", { max: this.#bytesMax });
  }
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
