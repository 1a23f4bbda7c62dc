/**
 * The log for eyes: whoever names a queue after a log line, or after a command to the terminal, gets neither.
 */
import { expect, test } from "bun:test";
import { plainLine } from "../../../server/observe/log.ts";

const line = (fields: object) =>
  plainLine(JSON.stringify({ level: "warn", time: "2026-01-02T03:04:05.678Z", event: "purge", ...fields }));

test("a line has the time, the level, the event and its fields", () => {
  expect(line({ queue: "q", n: 1, list: ["a"] })).toBe('03:04:05 WARN  purge queue=q n=1 list=["a"]\n');
});

test("what a client named cannot forge a line or steer the terminal", () => {
  const queue = "a\r\n03:04:05 INFO  all is well\u001b[2J\u009b31m\u0007\u202egnp";
  const written = line({ queue, list: [queue] });
  expect(written.slice(0, -1).split("\n")).toHaveLength(2);
  expect(written).toContain("queue=a\\u000d\n    03:04:05 INFO");
  expect(written.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\u202e]/u);
});

test("a stack keeps its lines", () => {
  expect(line({ error: "Error: x\n    at y" })).toContain("error=Error: x\n        at y");
});
