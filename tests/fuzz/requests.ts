/**
 * Hostile requests to every route of the API document.
 *
 * @module
 */
import fc from "fast-check";
import type { ApiOperation } from "../../schema/wire/api/operation.ts";
import { OPERATIONS } from "../../schema/wire/api/operations.ts";
import { anyName, anything, KnownId, nearly, toJson, toPlain } from "./values.ts";

/** Damage done to a body after it was written. */
export interface Damage {
  readonly kind: "none" | "cut" | "flip" | "insert" | "repeat";
  /** Where, of the length. */
  readonly at: number;
  readonly byte: number;
}

/** A request, but for the ids that are filled in when it is sent. */
export interface FuzzRequest {
  readonly method: string;
  /** As it is registered. */
  readonly route: string;
  readonly path: readonly (string | KnownId)[];
  readonly query: readonly (readonly [name: string, value: string | KnownId])[];
  /** `undefined` for no body at all. */
  readonly body: unknown;
  readonly format: "json" | "cbor" | "text";
  readonly damage: Damage;
  readonly headers: Readonly<Record<string, string>>;
}

/** Switches would change what all other requests mean; they have a test of their own. */
const LEFT_OUT = /^POST \/api\/v1\/system\/maintenance/;
const targets = OPERATIONS.filter(({ method, path }) => !LEFT_OUT.test(`${method} ${path}`));

const damage: fc.Arbitrary<Damage> = fc.oneof(
  { weight: 8, arbitrary: fc.constant<Damage>({ kind: "none", at: 0, byte: 0 }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constantFrom("cut", "flip", "insert", "repeat"),
      at: fc.double({ min: 0, max: 0.999, noNaN: true }),
      byte: fc.nat(255),
    }),
  },
);

const headers: fc.Arbitrary<Record<string, string>> = fc.oneof(
  { weight: 6, arbitrary: fc.constant({}) },
  {
    weight: 1,
    arbitrary: fc.constantFrom<Record<string, string>>(
      { "content-encoding": "gzip" },
      { "content-type": "application/x-www-form-urlencoded" },
      { "content-type": "application/cbor; charset=utf-8" },
      { accept: "application/cbor" },
      { accept: "application/vnd.queen.segments" },
      { accept: "*/*;q=0,application/json;q=NaN" },
      { "accept-encoding": "gzip, zstd, br;q=9, *;q=0" },
      { "x-request-id": "x".repeat(5_000) },
      { "x-http-method-override": "DELETE" },
      { authorization: "Bearer ..", "x-forwarded-for": "' or 1=1 --" },
      { origin: "null", "sec-fetch-site": "cross-site" },
      { upgrade: "websocket", connection: "upgrade" },
      { range: "bytes=0-0,-1" },
      { expect: "100-continue" },
    ),
  },
);

const knownOr = (arbitrary: fc.Arbitrary<string>, kinds: readonly KnownId["kind"][]) =>
  fc.oneof(
    arbitrary,
    fc.tuple(fc.constantFrom(...kinds), fc.nat(1_000)).map(([kind, at]) => new KnownId(kind, at)),
  );

function parameter(name: string): fc.Arbitrary<string | KnownId> {
  if (/partitionId/i.test(name)) return knownOr(anyName, ["partition"]);
  if (/transactionId/i.test(name)) return knownOr(anyName, ["transaction"]);
  if (/leaseId/i.test(name)) return knownOr(anyName, ["lease"]);
  return anyName;
}

function queryOf(operation: ApiOperation): fc.Arbitrary<FuzzRequest["query"]> {
  const names = Object.keys(operation.query ?? {});
  const name = names.length === 0 ? anyName : fc.oneof({ weight: 8, arbitrary: fc.constantFrom(...names) }, anyName);
  const value = fc.oneof(
    anyName,
    fc.constantFrom(
      "0",
      "1",
      "-1",
      "10",
      "true",
      "false",
      "1e9",
      "99999999999999999999",
      "0x10",
      "2026-01-01",
      "%",
      "%zz",
      "%ff",
      "+",
    ),
  );
  return fc.array(fc.tuple(name, value), { maxLength: 5 });
}

function requestTo(operation: ApiOperation, suffix: string): fc.Arbitrary<FuzzRequest> {
  const route = operation.path + suffix;
  const segments = route.slice(1).split("/");
  return fc.record({
    method: fc.constant<string>(operation.method),
    route: fc.constant(route),
    path: fc.tuple(...segments.map((part) => (part.startsWith(":") ? parameter(part) : fc.constant(part)))),
    query: queryOf(operation),
    body:
      operation.method === "POST"
        ? fc.oneof(
            { weight: 10, arbitrary: nearly(operation.body?.schema) },
            { weight: 1, arbitrary: anything },
            { weight: 1, arbitrary: fc.constant(undefined) },
          )
        : fc.constant(undefined),
    format: fc.constantFrom(...(suffix === "" ? (["json", "json", "cbor", "text"] as const) : (["cbor"] as const))),
    damage,
    headers,
  });
}

/** A request to some route. */
export const anyRequest: fc.Arbitrary<FuzzRequest> = fc.oneof(
  ...targets.flatMap((operation) =>
    ["", ...(operation.hot ? ["/binary"] : [])].map((suffix) => ({
      // What stores and consumes is where the most code is.
      weight: operation.hot ? 4 : 1,
      arbitrary: requestTo(operation, suffix),
    })),
  ),
);

/** JSON text or plain value of a body, ids filled in. */
export function fillIn(value: unknown, id: (known: KnownId) => string): unknown {
  if (value instanceof KnownId) return id(value);
  if (Array.isArray(value)) return value.map((element) => fillIn(element, id));
  if (typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype) {
    return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, fillIn(member, id)]));
  }
  return value;
}

/**
 * Bytes of a body.
 *
 * @param encodeCbor - Writes a plain value as CBOR.
 */
export function bodyBytes(
  { format, damage: { kind, at, byte } }: FuzzRequest,
  value: unknown,
  encodeCbor: (value: unknown) => Uint8Array,
): Uint8Array {
  const whole = format === "cbor" ? encodeCbor(toPlain(value)) : new TextEncoder().encode(toJson(value));
  const place = Math.floor(at * whole.length);
  const [before, after] = [whole.subarray(0, place), whole.subarray(place)];
  switch (kind) {
    case "none":
      return whole;
    case "cut":
      return before;
    case "flip":
      return Uint8Array.from(whole, (old, index) => (index === place ? old ^ (byte || 1) : old));
    case "insert":
      return Uint8Array.from([...before, byte, ...after]);
    case "repeat":
      return Uint8Array.from([...whole, ...after]);
  }
}
