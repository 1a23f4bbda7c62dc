import { describe, expect, test } from "bun:test";
import { decodeBody } from "../../../schema/wire/body.ts";
import { readPushBody, readPushRequest } from "../../../schema/wire/push-request.ts";
import { scanPush } from "../../../schema/wire/push-scan.ts";

/** A small generator of the mulberry32 kind, so that a failure can be repeated from its seed. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

const usual = JSON.stringify({
  items: [
    {
      queue: "orders",
      partition: "c-42",
      payload: { n: 1, list: [1, -2.5e3, null, true], deep: { a: "é✓" } },
      transactionId: "t-1",
    },
    { queue: "orders", payload: "text", traceId: "0198c0de-0000-7000-8000-000000000001" },
    { queue: "other" },
  ],
});

describe("scanPush()", () => {
  test("reads the usual form", () => {
    expect(scanPush(usual)).toEqual([
      {
        queue: "orders",
        partition: "c-42",
        transactionId: "t-1",
        traceId: null,
        payload: '{"n":1,"list":[1,-2500,null,true],"deep":{"a":"é✓"}}',
      },
      {
        queue: "orders",
        partition: "Default",
        transactionId: null,
        traceId: "0198c0de-0000-7000-8000-000000000001",
        payload: '"text"',
      },
      { queue: "other", partition: "Default", transactionId: null, traceId: null, payload: "null" },
    ]);
  });

  test("reads spaces as other languages write them, and keeps the text of numbers", () => {
    const text = '{"items": [{"queue": "q", "payload": {"big": 12345678901234567890, "e": 1e400}}]} ';
    expect(scanPush(text)?.[0]?.payload).toBe('{"big": 12345678901234567890, "e": 1e400}');
  });

  test.each([
    ["an escape", '{"items":[{"queue":"a\\u0062"}]}'],
    ["a line break", '{"items":[{"queue":"q"}\n]}'],
    ["a second member", '{"items":[{"queue":"q"}],"config":{}}'],
    ["a member before", '{"a":1,"items":[{"queue":"q"}]}'],
    ["no items", '{"items":[]}'],
    ["a number with a leading zero", '{"items":[{"queue":"q","payload":01}]}'],
    ["a bare minus", '{"items":[{"queue":"q","payload":-}]}'],
    ["a trailing point", '{"items":[{"queue":"q","payload":1.}]}'],
    ["a trailing comma", '{"items":[{"queue":"q"},]}'],
    ["a wrong bracket", '{"items":[{"queue":"q","payload":[1}]}'],
    ["text behind the end", '{"items":[{"queue":"q"}]}x'],
    ["a queue that is no text", '{"items":[{"queue":1}]}'],
    ["a name of 256 characters", `{"items":[{"queue":"${"x".repeat(256)}"}]}`],
    ["a trace id that is no UUID", '{"items":[{"queue":"q","traceId":"x"}]}'],
    ["an unclosed string", '{"items":[{"queue":"q'],
    ["513 levels", `{"items":[{"queue":"q","payload":${"[".repeat(513)}${"]".repeat(513)}}]}`],
  ])("gives up on %s", (_, text) => {
    expect(scanPush(text)).toBeNull();
  });

  test("accepts nothing that the slow way refuses, and reads the same", () => {
    const seed = Number(process.env.SEED ?? Date.now() % 1_000_000);
    const random = randomOf(seed);
    const alphabet = '{}[]":,.-+eE0123456789 nulltrefas\\\n\u0000é';
    let accepted = 0;
    for (let round = 0; round < 30_000; round += 1) {
      const characters = [...usual];
      for (let edit = Math.floor(random() * 3); edit >= 0; edit -= 1) {
        const at = Math.floor(random() * characters.length);
        const put = alphabet[Math.floor(random() * alphabet.length)]!;
        characters.splice(at, random() < 0.7 ? 1 : 0, ...(random() < 0.8 ? [put] : []));
      }
      const text = characters.join("");
      const fast = scanPush(text);
      if (fast === null) continue;
      accepted += 1;
      const slow = readPushRequest(decodeBody(text, "json", true));
      expect(fast, `seed ${seed}: ${text}`).toEqual(slow);
    }
    console.log(`seed ${seed}: ${accepted} of 30000 mutations accepted`);
    expect(accepted).toBeGreaterThan(100);
  });
});

describe("readPushBody()", () => {
  test("falls back to the slow way for unusual bodies", () => {
    const text = '{"note":"x","items":[{"payload":{"a":"\\u0000"},"queue":"q"}]}';
    expect(readPushBody(text, "json")).toEqual([
      { queue: "q", partition: "Default", transactionId: null, traceId: null, payload: '{"a":"\\u0000"}' },
    ]);
  });

  test("tells what is wrong", () => {
    expect(() => readPushBody('{"items":[{"queue":1}]}', "json")).toThrow("Queue must be a string");
    expect(() => readPushBody('{"items":1}', "json")).toThrow("items array is required");
    expect(() => readPushBody('{"items":[', "json")).toThrow("Invalid JSON");
  });
});
