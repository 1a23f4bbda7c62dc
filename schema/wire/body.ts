import { parseCborBody } from "./cbor.ts";
import { QueenError } from "./errors.ts";
import type { BodyFormat } from "./format.ts";
import { parseJsonBody } from "./json.ts";

/** A request body after decoding. */
export interface DecodedBody {
  value: unknown;
  /** The JSON text it came from; null for CBOR and for an absent body. */
  text: string | null;
}

/** What an absent body counts as where every field is optional. */
export const NO_BODY: DecodedBody = { value: {}, text: null };

/**
 * Decodes a body.
 *
 * @param walked - See {@link parseJsonBody}.
 * @throws {@link QueenError} `BODY_EMPTY` without a body, or what the decoder of the format throws.
 */
export function decodeBody(body: string | ArrayBuffer | null, format: BodyFormat, walked = false): DecodedBody {
  if (body === null || (typeof body === "string" ? body.length : body.byteLength) === 0) {
    throw new QueenError("BODY_EMPTY");
  }
  if (format === "json") return parseJsonBody(body, walked);
  const bytes = typeof body === "string" ? (new TextEncoder().encode(body).buffer as ArrayBuffer) : body;
  return { value: parseCborBody(bytes), text: null };
}
