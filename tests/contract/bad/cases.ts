/**
 * Bad requests as data: for each kind of field, the JSON texts that must be refused in its place.
 *
 * @module
 */
import { toCbor } from "../../support/http.ts";

/** A hundred thousand levels of JSON arrays. */
export const DEEP = "[".repeat(100_000) + "]".repeat(100_000);

/** JSON text of a value, or null for "leave the field out". */
type Bad = readonly [what: string, json: string | null];

const NOT_TEXT: Bad[] = [
  ["a number", "5"],
  ["a boolean", "true"],
  ["an object", "{}"],
  ["an array", '["x"]'],
  ["a huge number", "1e400"],
  ["2^63", "9223372036854775808"],
  ["deep nesting", DEEP],
];
const NOT_STORABLE: Bad[] = [
  ["256 characters", `"${"x".repeat(256)}"`],
  ["a megabyte of text", `"${"x".repeat(1_000_000)}"`],
  ["NUL", '"a\\u0000b"'],
  ["a lone high surrogate", '"a\\ud800b"'],
  ["a lone low surrogate", '"\\udc00"'],
];
const NOT_INTEGER: Bad[] = [
  ["text", '"abc"'],
  ["an empty text", '""'],
  ["an object", "{}"],
  ["an array", "[1]"],
  ["a fraction", "1.5"],
  ["a huge number", "1e400"],
  ["a huge negative number", "-1e400"],
  ["2^63", "9223372036854775808"],
  ["2^31", "2147483648"],
  ["twenty digits", "12345678901234567890"],
];

/** What must be refused in place of a field, by the kind of the field. */
export const BAD_VALUES = {
  /** Free text that becomes a name of up to 255 characters, required. */
  requiredName: [["missing", null], ["null", "null"], ...NOT_TEXT, ...NOT_STORABLE],
  /** As before, optional and null allowed. */
  optionalName: [...NOT_TEXT, ...NOT_STORABLE],
  /** A name that may be anything but text, which is then ignored. */
  lenientName: NOT_STORABLE,
  /** Text that is looked up and never stored, required: what is no such id is answered as unknown. */
  requiredId: [["missing", null], ["null", "null"], ...NOT_TEXT],
  /** As before, optional. */
  optionalId: NOT_TEXT,
  /** Text of any length. */
  text: [...NOT_TEXT, ["NUL", '"a\\u0000b"'], ["a lone surrogate", '"a\\ud800b"']],
  uuid: [
    ...NOT_TEXT,
    ["free text", '"no-uuid"'],
    ["a short UUID", '"0190a5c8-7d3e-7000-8000-00000000000"'],
    ["NUL", '"\\u0000"'],
  ],
  time: [
    ["missing", null],
    ...NOT_TEXT,
    ["free text", '"yesterday-ish"'],
    ["NUL", '"\\u0000"'],
    ["month 13", '"2026-13-01T00:00:00Z"'],
  ],
  integer: NOT_INTEGER,
  boolean: [
    ["text", '"perhaps"'],
    ["a number", "7"],
    ["an object", "{}"],
    ["an array", "[]"],
    ["a huge number", "1e400"],
  ],
  object: [
    ["text", '"x"'],
    ["a number", "5"],
    ["a boolean", "true"],
    ["deep nesting", DEEP],
  ],
  array: [
    ["missing", null],
    ["null", "null"],
    ["an object", "{}"],
    ["text", '"x"'],
    ["a number", "5"],
  ],
  elements: [
    ["null", "[null]"],
    ["a number", "[5]"],
    ["text", '["x"]'],
    ["an array", "[[]]"],
  ],
  deep: [
    ["deep nesting", DEEP],
    ["deep objects", `${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}`],
  ],
} satisfies Record<string, Bad[]>;

/** Kind of a field. */
export type Kind = keyof typeof BAD_VALUES;

/**
 * Puts JSON text in place of one field.
 *
 * @param body - A good body.
 * @param path - Where: keys and indexes separated by dots.
 * @param json - The text to put there; null removes the field.
 * @returns The body as JSON text.
 */
export function withField(body: unknown, path: string, json: string | null): string {
  const mark = "@field@";
  const copy: unknown = structuredClone(body);
  const keys = path.split(".");
  const last = keys.pop()!;
  // biome-ignore lint/suspicious/noExplicitAny: walks a literal of the test.
  const parent = keys.reduce((at: any, key) => at[key], copy);
  if (json === null) delete parent[last];
  else parent[last] = mark;
  return JSON.stringify(copy).replace(`"${mark}"`, () => json ?? "");
}

/** A whole body that is bad whatever the route. */
export interface BadBody {
  what: string;
  raw: string | Uint8Array | undefined;
  type: string;
}

/**
 * Bodies that no route with a body may accept.
 *
 * @param good - A body that the route accepts, to damage.
 */
export function badBodies(good: unknown): BadBody[] {
  const text = JSON.stringify(good);
  const bytes = new TextEncoder().encode(text);
  const cbor = toCbor(good);
  const json = (what: string, raw: BadBody["raw"]): BadBody => ({ what, raw, type: "application/json" });
  const inCbor = (what: string, raw: Uint8Array): BadBody => ({ what, raw, type: "application/cbor" });
  return [
    json("no body", undefined),
    json("an empty body", ""),
    json("spaces only", "   \n"),
    json("cut JSON", text.slice(0, -1)),
    json("text behind the JSON", `${text} x`),
    json("two JSON values", `${text}${text}`),
    json("no JSON", "hello"),
    json("a number", "5"),
    json("a text", '"x"'),
    json("true", "true"),
    json("null", "null"),
    json("deep nesting", DEEP),
    json("cut deep nesting", "[".repeat(100_000)),
    json("bytes that are not UTF-8", notUtf8(bytes)),
    json("UTF-16", new Uint8Array(Buffer.from(text, "utf16le"))),
    json("an overlong NUL", damaged(bytes, [0xc0, 0x80])),
    json("a surrogate in UTF-8", damaged(bytes, [0xed, 0xa0, 0x80])),
    json("CBOR under the JSON type", cbor),
    inCbor("JSON under the CBOR type", bytes),
    inCbor("cut CBOR", cbor.slice(0, -1)),
    inCbor("half the CBOR", cbor.slice(0, cbor.length / 2)),
    inCbor("bytes behind the CBOR", new Uint8Array([...cbor, 0x01])),
    inCbor("CBOR of a number", toCbor(5)),
    inCbor("CBOR of null", toCbor(null)),
    inCbor("CBOR that announces 2^32 elements", new Uint8Array([0x9b, 0, 0, 0, 1, 0, 0, 0, 0])),
    inCbor("CBOR that announces 2^63 bytes", new Uint8Array([0x5b, 0x80, 0, 0, 0, 0, 0, 0, 0])),
    inCbor("CBOR with an unassigned code", new Uint8Array([0x1c])),
    inCbor("deep CBOR", new Uint8Array(100_000).fill(0x81)),
  ];
}

/** The first string of the JSON begins with a byte that is never UTF-8. */
function notUtf8(bytes: Uint8Array): Uint8Array {
  return damaged(bytes, [0xff]);
}

/** Puts bytes in front of the last closing quote. */
function damaged(bytes: Uint8Array, inserted: number[]): Uint8Array {
  const at = bytes.lastIndexOf(0x22);
  return new Uint8Array([...bytes.slice(0, at), ...inserted, ...bytes.slice(at)]);
}
