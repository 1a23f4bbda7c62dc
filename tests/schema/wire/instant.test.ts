import { describe, expect, test } from "bun:test";
import { parseInstant, toMilliseconds } from "../../../schema/wire/instant.ts";

describe("parseInstant()", () => {
  test.each([
    ["2020-01-02T03:04:05Z", "2020-01-02T03:04:05.000000Z"],
    ["2020-01-02T03:04:05.1Z", "2020-01-02T03:04:05.100000Z"],
    ["2020-01-02T03:04:05.123456789Z", "2020-01-02T03:04:05.123456Z"],
    ["2020-01-02 03:04", "2020-01-02T03:04:00.000000Z"],
    ["2020-01-02", "2020-01-02T00:00:00.000000Z"],
    ["2020-01-02T03:04:05+02", "2020-01-02T01:04:05.000000Z"],
    ["2020-01-02T03:04:05-0330", "2020-01-02T06:34:05.000000Z"],
    ["2020-01-02T03:04:05.000001+00:00", "2020-01-02T03:04:05.000001Z"],
    ["1960-01-01T00:00:00.999999Z", "1960-01-01T00:00:00.999999Z"],
  ])("reads %s", (text, instant) => {
    expect(parseInstant(text)).toBe(instant);
  });

  test.each([
    "",
    "yesterday",
    "2026-13-01T00:00:00Z",
    "2026-01-01T25:00:00Z",
    "0000-01-01",
    "9999-12-31T23:59:59-05:00",
    "\0",
    "5",
    "1e9",
    "2020-01-01T00:00:00Z; drop table x",
  ])("refuses %j", (text) => {
    expect(parseInstant(text)).toBeNull();
  });
});

test("toMilliseconds() cuts, it does not round", () => {
  expect(toMilliseconds("2020-01-02T03:04:05.123999Z")).toBe("2020-01-02T03:04:05.123Z");
});
