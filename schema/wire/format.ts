/** How a body is written. */
export type BodyFormat = "json" | "cbor";
