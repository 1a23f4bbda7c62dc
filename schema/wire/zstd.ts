/**
 * Compression of stored bodies, by whichever interface of the runtime is cheaper: Node's makes a stream for each call, 8.8
 * instead of 3.6 µs for a body of one message and a fifth more for one of a thousand. The bytes are of the same format.
 *
 * @module
 */

import type { Buffer } from "node:buffer";
import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";

/** Higher levels cost more time than the bytes they save are worth. */
const LEVEL = 1;
const options = { params: { [constants.ZSTD_c_compressionLevel]: LEVEL } };
const isBun = "Bun" in globalThis;

/** Compresses bytes into one zstd frame. */
export function compress(bytes: Uint8Array): Buffer {
  return isBun
    ? Bun.zstdCompressSync(bytes as Uint8Array<ArrayBuffer>, { level: LEVEL })
    : zstdCompressSync(bytes, options);
}

/**
 * Undoes {@link compress}.
 *
 * @throws Error when the bytes are damaged.
 */
export function decompress(bytes: Uint8Array): Uint8Array {
  return isBun ? Bun.zstdDecompressSync(bytes as Uint8Array<ArrayBuffer>) : zstdDecompressSync(bytes);
}
