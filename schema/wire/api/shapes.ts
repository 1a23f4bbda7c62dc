/**
 * Shapes that many requests and answers share.
 *
 * @module
 */
import { type TObjectOptions, type TProperties, type TSchema, type TSchemaOptions, Type } from "typebox";
import { NAME_LENGTH_MAX } from "../limits.ts";

/** An object of an answer: no other fields than these. */
export function exact<T extends TProperties>(properties: T, options: TObjectOptions = {}) {
  return Type.Object(properties, { additionalProperties: false, ...options });
}

/** The value, or null. */
export function nullable<T extends TSchema>(schema: T, options: TSchemaOptions = {}) {
  return Type.Union([schema, Type.Null()], options);
}

/** One of some texts. */
export function oneOf(...texts: string[]) {
  return Type.Enum(texts, { type: "string" });
}

/** A count: 0 or more. */
export function count(description?: string) {
  return Type.Integer({ minimum: 0, ...(description && { description }) });
}

/** Any JSON value. */
export function anything(description?: string) {
  return Type.Unknown(description ? { description } : {});
}

/** Text of at most 255 UTF-16 code units, without NUL and lone surrogates. JSON Schema counts code points, so it lets through a little more. */
export const Name = Type.String({ maxLength: NAME_LENGTH_MAX, pattern: "^[^\\u0000\\ud800-\\udfff]*$" });

/** As {@link Name}, and not empty. */
export const NonEmptyName = Type.String({
  minLength: 1,
  maxLength: NAME_LENGTH_MAX,
  pattern: "^[^\\u0000\\ud800-\\udfff]*$",
});

const UUID_PATTERN = "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$";

/** A UUID of any version. */
export const Uuid = Type.String({ pattern: UUID_PATTERN, format: "uuid" });

const PATTERN_MS = "^\\d{4,6}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z$";

/** An instant in UTC, to the millisecond. */
export const Instant = Type.String({ pattern: PATTERN_MS, format: "date-time" });

/** An instant in UTC, to the microsecond. */
export const InstantUs = Type.String({ pattern: PATTERN_MS.replace("{3}", "{6}"), format: "date-time" });

/** An instant in a request: ISO 8601, any offset. */
export const InstantText = Type.String({
  pattern:
    "^\\s*\\d{4}-\\d\\d-\\d\\d(?:[Tt ]\\d\\d:\\d\\d(?::\\d\\d(?:[.,]\\d{1,9})?)?)?\\s*(?:[Zz]|[+\\-]\\d\\d(?::?\\d\\d)?)?\\s*$",
  description: "ISO 8601, for example 2026-05-16T10:00:00.123Z; without a zone it is UTC.",
});

/** Every error, on every route. */
export const ErrorAnswer = exact({ error: Type.String() }, { title: "Error" });

/** `limit` and `offset` of a listing. */
export function pageQuery(limitDefault: number) {
  return {
    limit: Type.Integer({ default: limitDefault, minimum: 1, maximum: 10_000, description: "Clamped." }),
    offset: Type.Integer({ default: 0, minimum: 0, description: "Clamped." }),
  };
}

/** The page that was answered. */
export const Pagination = exact({ limit: count(), offset: count() }, { title: "Pagination" });
