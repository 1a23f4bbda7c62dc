import { describe, expect, test } from "bun:test";
import { Buffer } from "node:buffer";
import { cborValueToJson, decodeCbor, encodeCbor, parseCborBody } from "../../../schema/wire/cbor.ts";
import { DEPTH_MAX } from "../../../schema/wire/limits.ts";

const buffer = (bytes: Uint8Array): ArrayBuffer => new Uint8Array(bytes).buffer;
const hex = (text: string): ArrayBuffer => buffer(Buffer.from(text, "hex"));

describe("CBOR bodies", () => {
  test.each([
    [null],
    [0],
    [-1],
    [1.5],
    [Number.MAX_SAFE_INTEGER],
    [2n ** 63n],
    [""],
    ["é\u{1f600}\u0000"],
    [[]],
    [{}],
    [{ items: [{ queue: "q", payload: { a: [1, { b: null }] } }] }],
    [true],
  ])("come back as they were: %p", (value) => {
    expect(parseCborBody(buffer(encodeCbor(value)))).toEqual(value);
    expect(decodeCbor(encodeCbor(value))).toEqual(value);
  });

  test("keep byte strings", () => {
    const value = parseCborBody(buffer(encodeCbor({ payload: new Uint8Array([0, 255, 7]) }))) as {
      payload: Uint8Array;
    };
    expect([...value.payload]).toEqual([0, 255, 7]);
  });

  // Examples of RFC 8949, appendix A, that other encoders write and ours does not.
  test.each([
    ["9f018202039f0405ffff", [1, [2, 3], [4, 5]]],
    ["bf61610161629f0203ffff", { a: 1, b: [2, 3] }],
    ["f93c00", 1],
    ["fb3ff199999999999a", 1.1],
    ["1903e8", 1000],
  ])("read what others encode: %s", (text, expected) => {
    expect(parseCborBody(hex(text))).toEqual(expected);
  });

  test.each(["", "a1", "a16161", "82", "8201", "5803ff", "1b00000000", "0102", "ff", "1c"])(
    "are refused when they are cut short, go on, or are none: %s",
    (text) => {
      expect(() => parseCborBody(hex(text))).toThrow(expect.objectContaining({ code: "BODY_INVALID_CBOR" }));
    },
  );

  test("with strings in pieces are refused in so many words: the library cannot read them", () => {
    expect(() => parseCborBody(hex("7f657374726561646d696e67ff"))).toThrow("Indefinite length not supported");
  });

  test("are refused when they nest too deep", () => {
    const nested = (depth: number) => hex(`${"81".repeat(depth)}00`);
    expect(() => parseCborBody(nested(DEPTH_MAX))).not.toThrow();
    expect(() => parseCborBody(nested(DEPTH_MAX + 1))).toThrow(expect.objectContaining({ code: "BODY_TOO_DEEP" }));
  });
});

describe("the JSON text of a CBOR value", () => {
  test.each([
    [null, "null"],
    [undefined, "null"],
    [2n ** 63n, "9223372036854775808"],
    [new Uint8Array([1, 2, 255]), '"AQL/"'],
    [new Date(0), '"1970-01-01T00:00:00.000Z"'],
    [[1, "a", [true]], '[1,"a",[true]]'],
    [{ 'a"': { b: new Uint8Array(0) } }, '{"a\\"":{"b":""}}'],
    [
      new Map<unknown, unknown>([
        [1, 2],
        ["x", [undefined]],
      ]),
      '{"1":2,"x":[null]}',
    ],
    [Number.NaN, "null"],
  ])("of %p is %s", (value, expected) => {
    expect(cborValueToJson(value)).toBe(expected);
    JSON.parse(expected);
  });
});
