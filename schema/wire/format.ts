/** How a body is written. */
export type BodyFormat = "json" | "cbor";

/** How an answer is written: as a body is, or as the segments of the log. */
export type AnswerFormat = BodyFormat | "segments";

/** Media type that asks for an answer of segments, and that it carries. */
export const SEGMENTS_TYPE = "application/vnd.queen.segments";

/** How a body may be compressed on its way. */
export type ContentCoding = "gzip" | "zstd";

/** Shorter bodies, in bytes, are not compressed on their way: they fit one packet anyway. */
export const CODED_BYTES_MIN = 1024;
