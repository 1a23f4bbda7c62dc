import { describe, expect, test } from "bun:test";
import { RawJson, renderJson } from "../../../schema/wire/json-render.ts";

describe("renderJson()", () => {
  test("splices stored text in as it stands", () => {
    const text = '{"z":12345678901234567890,"a":[1.0,"\\u0000"]}';
    expect(renderJson({ data: new RawJson(text), list: [new RawJson("1.50")] })).toBe(`{"data":${text},"list":[1.50]}`);
  });

  test("is JSON.stringify for everything else that JSON knows", () => {
    const value = { a: 1, b: 'é\u0000"', c: null, d: [true, undefined, { e: undefined }], f: {}, g: -0.5 };
    expect(renderJson(value)).toBe(JSON.stringify(value));
  });

  test("renders what only CBOR knows", () => {
    expect(renderJson({ big: 2n ** 64n, bytes: new Uint8Array([0, 255]) })).toBe(
      '{"big":18446744073709551616,"bytes":"AP8="}',
    );
  });
});
