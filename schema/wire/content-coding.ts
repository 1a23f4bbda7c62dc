/**
 * Compressing answers on their way out.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { promisify } from "node:util";
import { constants, gzip, gzipSync, zstdCompress, zstdCompressSync } from "node:zlib";
import { CODED_BYTES_MIN, type ContentCoding } from "./format.ts";

/** Up to here compressing takes well under a millisecond: less than handing it to another thread and back costs. */
const SYNC_BYTES_MAX = 16 * 1024;
// Answers repeat themselves: higher levels take several times as long for the last tenth.
const GZIP = { level: 3 } as const;
const ZSTD = { params: { [constants.ZSTD_c_compressionLevel]: 1 } } as const;

const gzipAside = promisify(gzip);
const zstdAside = promisify(zstdCompress) as (bytes: Uint8Array, options: typeof ZSTD) => Promise<Buffer>;

/**
 * Compresses a body. A long one is compressed by another thread meanwhile.
 *
 * @returns The compressed bytes in a buffer of their own; null when the body is short or would not get smaller.
 */
export async function codedBody(body: string | ArrayBuffer, coding: ContentCoding): Promise<ArrayBuffer | null> {
  const bytes = typeof body === "string" ? Buffer.from(body, "utf8") : Buffer.from(body);
  if (bytes.length < CODED_BYTES_MIN) return null;
  const coded =
    bytes.length <= SYNC_BYTES_MAX
      ? coding === "gzip"
        ? gzipSync(bytes, GZIP)
        : zstdCompressSync(bytes, ZSTD)
      : await (coding === "gzip" ? gzipAside(bytes, GZIP) : zstdAside(bytes, ZSTD));
  if (coded.length >= bytes.length) return null;
  if (coded.byteOffset === 0 && coded.byteLength === coded.buffer.byteLength) return coded.buffer as ArrayBuffer;
  return coded.buffer.slice(coded.byteOffset, coded.byteOffset + coded.byteLength) as ArrayBuffer;
}
