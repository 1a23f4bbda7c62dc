/** How a body is written. */
export type BodyFormat = "json" | "cbor";

/** How an answer is written: as a body is, or as the segments of the log. */
export type AnswerFormat = BodyFormat | "segments";

/** Media type that asks for an answer of segments, and that it carries. */
export const SEGMENTS_TYPE = "application/vnd.queen.segments";
