/**
 * Hostile values: what people who mean harm, and programs that mean well, put into names, numbers and bodies.
 *
 * @module
 */
import fc from "fast-check";

/** JSON text that no value is written as: numbers out of range, half characters, repeated keys. */
export class RawJson {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** An id that the server gave out earlier in the run; which one is decided when the request is sent. */
export class KnownId {
  readonly kind: "partition" | "transaction" | "lease" | "query" | "message";
  readonly at: number;

  constructor(kind: KnownId["kind"], at: number) {
    this.kind = kind;
    this.at = at;
  }
}

const NAMES = [
  ...[
    "",
    " ",
    "q",
    "Default",
    "__QUEUE_MODE__",
    "__proto__",
    "constructor",
    "toString",
    "hasOwnProperty",
    "null",
    "NaN",
  ],
  ...["'; drop table messages; --", '" or 1=1 --', "$1", "$(reboot)", "`id`", "%s%n%d", "\\x00", "{{7*7}}"],
  ...[
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "../../../etc/passwd",
    "..\\..\\boot.ini",
    "/etc/passwd\0.png",
  ],
  ...[
    "a\0b",
    "\ud800",
    "a\udc00",
    "\u202egnp.exe",
    "é",
    "日本",
    "😀",
    "\uffff",
    "\r\nSet-Cookie: a=b",
    '\n{"level":"info"}',
  ],
  ...["x".repeat(255), "x".repeat(256), "😀".repeat(128), "x".repeat(100_000)],
  ...[
    "00000000-0000-0000-0000-000000000000",
    "ffffffff-ffff-ffff-ffff-ffffffffffff",
    "2026-01-01T00:00:00Z",
    "now",
    "1e400",
  ],
];

const NUMBERS = [
  0,
  -0,
  1,
  -1,
  0.5,
  1.5,
  255,
  2 ** 31 - 1,
  2 ** 31,
  -(2 ** 31) - 1,
  2 ** 32,
  2 ** 53,
  2 ** 63,
  1e21,
  1e308,
  5e-324,
];

const deep = (levels: number) => `${"[".repeat(levels)}${"]".repeat(levels)}`;
const RAW = [
  ...["1e400", "-1e400", "9223372036854775808", "-0", "1E+2", "0.1e-999", `1${"0".repeat(400)}`],
  ...['"\\ud800"', '"\\udc00\\ud800"', '"\\u0000"', '"\\u0001"', '{"a":1,"a":2}', '{"__proto__":{"polluted":true}}'],
  ...[deep(100), deep(600), deep(20_000), `${'{"a":'.repeat(5_000)}1${"}".repeat(5_000)}`, `[${"1,".repeat(50_000)}1]`],
  ...[
    "{",
    "[",
    '"',
    "tru",
    "nul",
    "01",
    "+1",
    ".5",
    "NaN",
    "Infinity",
    "undefined",
    "'x'",
    "// x",
    "\u0001",
    "[,]",
    "{,}",
  ],
];

/** Names that mean no harm, so that requests meet each other. */
const PLAIN = fc.constantFrom("q", "p", "g", "fuzz", "fuzz-2");

/** Names. */
export const anyName: fc.Arbitrary<string> = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...NAMES) },
  { weight: 3, arbitrary: PLAIN },
  { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 40 }) },
);

const knownId: fc.Arbitrary<KnownId> = fc
  .tuple(fc.constantFrom("partition", "transaction", "lease", "query", "message"), fc.nat(1_000))
  .map(([kind, at]) => new KnownId(kind, at));

/** Anything at all in place of a value. */
export const anything: fc.Arbitrary<unknown> = fc.oneof(
  anyName,
  fc.constantFrom(...NUMBERS),
  fc.constantFrom(null, true, false, [], {}, [[]], [null], { a: [] }),
  fc.constantFrom(...RAW).map((text) => new RawJson(text)),
  knownId,
  fc.jsonValue({ maxDepth: 3 }),
  fc.dictionary(anyName, fc.constantFrom(1, null, "x"), { maxKeys: 3 }),
);

/** JSON text of a value that may hold {@link RawJson}. */
export function toJson(value: unknown): string {
  if (value instanceof RawJson) return value.text;
  if (Array.isArray(value)) return `[${value.map(toJson).join(",")}]`;
  if (typeof value === "object" && value !== null) {
    return `{${Object.entries(value)
      .map(([key, member]) => `${JSON.stringify(key)}:${toJson(member)}`)
      .join(",")}}`;
  }
  return JSON.stringify(value) ?? "null";
}

/** The value without {@link RawJson}: text in its place, shortened. */
export function toPlain(value: unknown): unknown {
  if (value instanceof RawJson) return value.text.slice(0, 1_000);
  if (Array.isArray(value)) return value.map(toPlain);
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, toPlain(member)]));
  }
  return value;
}

interface Schema {
  type?: string;
  const?: unknown;
  enum?: unknown[];
  anyOf?: Schema[];
  items?: Schema;
  properties?: Record<string, Schema>;
  pattern?: string;
}

/** Values that are more or less what a schema asks for: here and there something else, missing, or added. */
export function nearly(schema: unknown): fc.Arbitrary<unknown> {
  const wanted = wantedBy((schema ?? {}) as Schema);
  return fc.oneof({ weight: 24, arbitrary: wanted }, { weight: 1, arbitrary: anything });
}

function wantedBy({
  anyOf,
  const: constant,
  enum: choices,
  items,
  properties,
  type,
  pattern,
}: Schema): fc.Arbitrary<unknown> {
  if (constant !== undefined) return fc.constant(constant);
  if (choices !== undefined) return fc.constantFrom(...choices);
  if (anyOf !== undefined) return fc.oneof(...anyOf.map(nearly));
  if (properties !== undefined) return objectOf(properties);
  if (type === "array") return fc.array(nearly(items), { maxLength: 4 });
  if (type === "integer" || type === "number")
    return fc.oneof({ weight: 4, arbitrary: fc.nat(100) }, fc.constantFrom(...NUMBERS));
  if (type === "boolean") return fc.boolean();
  if (type === "string") {
    if (pattern?.includes("[0-9a-fA-F]{8}")) {
      return fc.oneof({ weight: 4, arbitrary: knownId }, { weight: 4, arbitrary: fc.uuid() }, anyName);
    }
    return fc.oneof(
      { weight: 5, arbitrary: PLAIN },
      { weight: 2, arbitrary: knownId },
      { weight: 2, arbitrary: anyName },
    );
  }
  return anything;
}

function objectOf(properties: Record<string, Schema>): fc.Arbitrary<unknown> {
  const fields = fc.record(
    Object.fromEntries(Object.entries(properties).map(([name, member]) => [name, nearly(member)])),
    { requiredKeys: [] },
  );
  // Most objects have all of their fields: only those get past the first check.
  const complete = fc.record(
    Object.fromEntries(Object.entries(properties).map(([name, member]) => [name, nearly(member)])),
  );
  const extra = fc.dictionary(anyName, anything, { maxKeys: 2 });
  return fc.oneof(
    { weight: 6, arbitrary: complete },
    { weight: 3, arbitrary: fields },
    { weight: 1, arbitrary: fc.tuple(complete, extra).map(([known, more]) => ({ ...known, ...more })) },
  );
}
