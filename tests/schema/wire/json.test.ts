import { describe, expect, test } from "bun:test";
import { QueenError } from "../../../schema/wire/errors.ts";
import { eachElement, eachMember, memberText, parseJsonBody, skipSpace, skipValue } from "../../../schema/wire/json.ts";
import { DEPTH_MAX } from "../../../schema/wire/limits.ts";
import { Random, runSeed } from "../../support/random.ts";

const SPACES = ["", "", "", " ", "\n\t", "  \r\n "];
const STRINGS = [
  "",
  "a",
  '\\"',
  "\\\\",
  '\\\\\\"',
  "}",
  "]",
  ",",
  ":",
  "{[",
  "\\u005c",
  "é",
  "\u{1f600}",
  "\\u0000",
  "\\n",
  "\u2028",
];

/** Draws JSON text with everything in it that could lead a walker astray. */
function draw(random: Random, depth: number): string {
  const space = () => random.pick(SPACES);
  const text = () => `"${Array.from({ length: random.int(0, 4) }, () => random.pick(STRINGS)).join("")}"`;
  const kind = random.weighted({ text: 4, number: 3, word: 2, list: depth, object: depth });
  if (kind === "text") return text();
  if (kind === "number") return random.pick(["0", "-1", "1e5", "12345678901234567890", "1.50", "-0.0E-7"]);
  if (kind === "word") return random.pick(["true", "false", "null"]);
  const inner = Array.from({ length: random.int(0, 4) }, () => `${space()}${draw(random, depth - 1)}${space()}`);
  if (kind === "list") return `[${inner.length > 0 ? inner.join(",") : space()}]`;
  return `{${inner.length > 0 ? inner.map((value) => `${space()}${text()}${space()}:${value}`).join(",") : space()}}`;
}

describe("walking JSON text", () => {
  const seed = runSeed();
  test(`cuts every value exactly (MODEL_SEED=${seed})`, () => {
    const random = new Random(seed);
    for (let count = 0; count < 5_000; count += 1) {
      const value = draw(random, 4);
      const parsed: unknown = JSON.parse(value);
      const before = random.pick(SPACES);
      const after = random.pick([...SPACES, ",1", "]", "}"]);
      expect(skipValue(before + value + after, before.length)).toBe(before.length + value.length);
      const parts: unknown[] = [];
      if (Array.isArray(parsed)) {
        const end = eachElement(value, 0, (index, start) => {
          const stop = skipValue(value, start);
          expect(index).toBe(parts.length);
          parts.push(JSON.parse(value.slice(start, stop)));
          return stop;
        });
        expect(end).toBe(value.length);
        expect(parts).toEqual(parsed);
      } else if (parsed !== null && typeof parsed === "object") {
        const members: [string, unknown][] = [];
        eachMember(value, 0, (key, start) => {
          const stop = skipValue(value, start);
          members.push([key, JSON.parse(value.slice(start, stop))]);
          return stop;
        });
        expect(Object.fromEntries(members)).toEqual(parsed as Record<string, unknown>);
        for (const [key, inner] of Object.entries(parsed))
          expect(JSON.parse(memberText(value, 0, key)!)).toEqual(inner);
        expect(memberText(value, 0, "nobody")).toBeNull();
      }
    }
  });

  test("gives the last of members that stand twice, with its spelling", () => {
    expect(memberText('{"a":1,"\\u0061": 1.50 ,"b":2}', 0, "a")).toBe("1.50");
  });

  test("skips only the white space of JSON", () => {
    expect(skipSpace(" \t\r\n\u00a0x", 0)).toBe(4);
    expect(skipSpace("", 0)).toBe(0);
  });

  test.each(["[", '{"a":'])("refuses values that nest deeper than allowed (%s)", (open) => {
    const nested = (depth: number) =>
      `${open.repeat(depth)}${open === "[" ? "" : "0"}${(open === "[" ? "]" : "}").repeat(depth)}`;
    expect(skipValue(nested(DEPTH_MAX), 0)).toBe(nested(DEPTH_MAX).length);
    expect(() => skipValue(nested(DEPTH_MAX + 1), 0)).toThrow(QueenError);
  });
});

describe("reading a body", () => {
  const bytes = (...values: number[]) => new Uint8Array(values).buffer;

  test("takes text and UTF-8", () => {
    expect(parseJsonBody('{"a":"é"}').value).toEqual({ a: "é" });
    expect(parseJsonBody(new TextEncoder().encode('{"a":"é"}').buffer).value).toEqual({ a: "é" });
  });

  test.each([
    ["", "BODY_INVALID_JSON"],
    ["{", "BODY_INVALID_JSON"],
    ['{"a":1}x', "BODY_INVALID_JSON"],
    ['"\u0001"', "BODY_INVALID_JSON"],
    [bytes(0x22, 0xff, 0x22), "BODY_NOT_UTF8"],
    [bytes(0x22, 0xed, 0xa0, 0x80, 0x22), "BODY_NOT_UTF8"],
    [bytes(0xef, 0xbb, 0xbf, 0x31), "BODY_INVALID_JSON"],
  ])("refuses %p with %s", (body, code) => {
    expect(() => parseJsonBody(body)).toThrow(expect.objectContaining({ code }));
  });
});
