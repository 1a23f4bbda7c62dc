import { describe, expect, test } from "bun:test";
import { popPath } from "../support/api.ts";
import { uniqueName } from "../support/names.ts";
import { useSharedServer } from "../support/shared.ts";

const api = useSharedServer();

/**
 * Bodies of a push as a client may write them, `Q` standing for the queue's name in quotes, and the payloads that must
 * come out, as JSON text. JSON.parse decides what a body means.
 */
const bodies: [what: string, body: string, payloads: string[]][] = [
  ["items last", '{"x":1,"items":[{"queue":Q,"payload":1}]}', ["1"]],
  ["items in the middle", '{"a":{"items":[]},"items":[{"queue":Q,"payload":1}],"z":["]"]}', ["1"]],
  ["items twice: the last counts", '{"items":[{"queue":Q,"payload":1}],"items":[{"queue":Q,"payload":2}]}', ["2"]],
  ["items twice, first empty", '{"items":[],"items":[{"queue":Q,"payload":2}]}', ["2"]],
  ["items in a string before", '{"s":"\\"items\\":[","items":[{"queue":Q,"payload":3}]}', ["3"]],
  ["items with an escape in its key", '{"\\u0069tems":[{"queue":Q,"payload":4}]}', ["4"]],
  ["both spellings of items", '{"items":[{"queue":Q,"payload":1}],"\\u0069tems":[{"queue":Q,"payload":2}]}', ["2"]],
  ["payload with an escape in its key", '{"items":[{"queue":Q,"pay\\u006coad":5}]}', ["5"]],
  ["payload twice: the last counts", '{"items":[{"payload":1,"queue":Q,"payload":2}]}', ["2"]],
  ["both spellings of payload", '{"items":[{"payload":1,"queue":Q,"\\u0070ayload":2}]}', ["2"]],
  ["payload before the queue", '{"items":[{"payload":{"queue":"other"},"queue":Q}]}', ['{"queue":"other"}']],
  ["payload inside of payload", '{"items":[{"queue":Q,"payload":{"payload":1}}]}', ['{"payload":1}']],
  ["payload inside of another field", '{"items":[{"queue":Q,"x":{"payload":1},"payload":2}]}', ["2"]],
  ["payload only inside of another field", '{"items":[{"queue":Q,"x":{"payload":1}}]}', ["null"]],
  ["payload as a value", '{"items":[{"queue":Q,"x":"payload","payload":3}]}', ["3"]],
  [
    "brackets and braces in strings",
    '{"items":[{"queue":Q,"payload":"}],[{\\""},{"queue":Q,"payload":"]"}]}',
    ['"}],[{\\""', '"]"'],
  ],
  [
    "a backslash before the closing quote",
    '{"items":[{"queue":Q,"payload":"\\\\"},{"queue":Q,"payload":1}]}',
    ['"\\\\"', "1"],
  ],
  [
    "four backslashes and a quote",
    '{"items":[{"queue":Q,"payload":"\\\\\\\\\\""},{"queue":Q,"payload":2}]}',
    ['"\\\\\\\\\\""', "2"],
  ],
  [
    "white space of every kind",
    '\n {\t"items"\r\n:\t[ { "queue" : Q ,\n"payload" :\t6 } \n, {"queue":Q,"payload":7 } ] }\r\n',
    ["6", "7"],
  ],
  [
    "numbers at the end of items",
    '{"items":[{"queue":Q,"payload":12},{"queue":Q,"payload":-0.5e-3}]}',
    ["12", "-0.5e-3"],
  ],
  [
    "literals",
    '{"items":[{"queue":Q,"payload":true},{"queue":Q,"payload":false},{"queue":Q,"payload":null}]}',
    ["true", "false", "null"],
  ],
  [
    "items without a payload among others",
    '{"items":[{"queue":Q,"payload":1},{"queue":Q},{"queue":Q,"payload":3}]}',
    ["1", "null", "3"],
  ],
  ["a queue twice: the last counts", '{"items":[{"queue":"nobody","queue":Q,"payload":1}]}', ["1"]],
  [
    "a payload of thousands of bytes beyond Latin-1",
    `{"items":[{"queue":Q,"payload":"${"日本é😀".repeat(3000)}"},{"queue":Q,"payload":1}]}`,
    [`"${"日本é😀".repeat(3000)}"`, "1"],
  ],
  [
    "line separators in strings",
    '{"items":[{"queue":Q,"payload":"\u2028\u2029\u007f\ufeff"}]}',
    ['"\u2028\u2029\u007f\ufeff"'],
  ],
];

describe("the text of a push", () => {
  test.each(bodies)("%s", async (_what, template, payloads) => {
    const queue = uniqueName("text");
    const body = template.replaceAll("Q", JSON.stringify(queue));
    const pushed = await api.http.postRaw("/api/v1/push", body, { "content-type": "application/json" });
    expect(pushed.status, pushed.text.slice(0, 200)).toBe(201);
    const popped = await api.http.get(`${popPath(queue)}?batch=100`);
    expect(popped.json.messages).toHaveLength(payloads.length);
    const parsed = payloads.map((payload) => JSON.parse(payload));
    expect(popped.json.messages.map((message: { data: unknown }) => message.data)).toEqual(parsed);
    let at = 0;
    for (const payload of payloads) {
      at = popped.text.indexOf(`"data":${payload}`, at) + 1;
      expect(at).toBeGreaterThan(0);
    }
  });

  test.each(bodies)("%s, as a transaction", async (_what, template, payloads) => {
    const queue = uniqueName("text");
    const push = template.replaceAll("Q", JSON.stringify(queue)).trim();
    const body = `{"operations":[${push.replace("{", '{"type":"push",')}]}`;
    const done = await api.http.postRaw("/api/v1/transaction", body, { "content-type": "application/json" });
    expect(done.json, done.text.slice(0, 200)).toMatchObject({ success: true });
    const popped = await api.http.get(`${popPath(queue)}?batch=100`);
    // A missing payload is an empty object here, and null in a push.
    const texts = payloads.map((payload) => (payload === "null" && !template.includes("null") ? "{}" : payload));
    expect(popped.json.messages.map((message: { data: unknown }) => JSON.stringify(message.data))).toEqual(
      texts.map((text) => JSON.stringify(JSON.parse(text))),
    );
  });

  test("a byte order mark is refused or ignored, never part of a name", async () => {
    const queue = uniqueName("text");
    const body = `\ufeff{"items":[{"queue":"${queue}","payload":1}]}`;
    const pushed = await api.http.postRaw("/api/v1/push", new TextEncoder().encode(body));
    expect([201, 400]).toContain(pushed.status);
    expect(await api.pop(queue)).toHaveLength(pushed.status === 201 ? 1 : 0);
  });

  test("data without a payload in a transaction, by any spelling", async () => {
    const queue = uniqueName("text");
    const operation = `{"type":"push","queue":"${queue}","partition":"p"`;
    const body = `{"operations":[${operation},"data":1},${operation},"payload":2,"data":3},${operation},"data":4,"payload":5},${operation},"d\\u0061ta":12345678901234567890}]}`;
    const done = await api.http.postRaw("/api/v1/transaction", body);
    expect(done.json.success).toBe(true);
    const popped = await api.http.get(`${popPath(queue)}?batch=10`);
    for (const text of ["1,", "2,", "5,", "12345678901234567890,"]) expect(popped.text).toContain(`"data":${text}`);
  });
});
