import { describe, expect, test } from "bun:test";
import { popPath } from "../support/api.ts";
import { uniqueName } from "../support/names.ts";
import { useSharedServer } from "../support/shared.ts";

const api = useSharedServer();

/** Payloads as JSON text without spaces. What is popped must hold this very text. */
const texts: [what: string, json: string][] = [
  ["null", "null"],
  ["true", "true"],
  ["a number", "42"],
  ["a string", '"text"'],
  ["an empty string", '""'],
  ["an empty object", "{}"],
  ["an empty array", "[]"],
  ["an integer beyond 2^53", "12345678901234567890"],
  ["a negative integer beyond 2^63", "-98765432109876543210987654321"],
  ["a number beyond any double", "1e400"],
  ["a number below any double", "1e-400"],
  ["negative zero", "-0"],
  ["a trailing zero", "1.10"],
  ["many digits", "0.1234567890123456789012345678901234567890"],
  ["an exponent", "1E+5"],
  ["big numbers deep inside", '{"a":[{"id":12345678901234567890,"x":1e400}]}'],
  ["keys out of order", '{"b":1,"a":2,"10":3,"9":4}'],
  ["a key __proto__", '{"__proto__":{"x":1},"constructor":2}'],
  ["unicode", '"žluťoučký kůň 日本語 😀 \u2028"'],
  ["escaped unicode", '"\\u017elu\\u0165 \\ud83d\\ude00"'],
  ["an escaped NUL", '"a\\u0000b"'],
  ["an escaped NUL in a key", '{"a\\u0000":1}'],
  ["escapes", '"\\" \\\\ \\/ \\b\\f\\n\\r\\t"'],
  ["nested a hundred deep", `${"[".repeat(100)}1${"]".repeat(100)}`],
  ["text that looks like a message", '{"leaseId":"x","partitionId":"y","data":{"messages":[]}}'],
  ["text that looks like a splice mark", '"\\u0001\\u0002 {leaseId} %s $1 $& {}"'],
  ["a thousand keys", `{${Array.from({ length: 1000 }, (_, n) => `"k${n}":${n}`).join(",")}}`],
];

describe("payloads", () => {
  test.each(texts)("come back as they were sent: %s", async (_what, json) => {
    const queue = uniqueName("payload");
    const pushed = await api.http.postRaw("/api/v1/push", `{"items":[{"queue":"${queue}","payload":${json}}]}`);
    expect(pushed.status).toBe(201);
    const popped = await api.http.get(popPath(queue));
    expect(popped.status).toBe(200);
    expect(popped.text).toContain(`"data":${json},"`.slice(0, -2));
    expect(popped.json.messages).toHaveLength(1);
  });

  test("come back from message get as they were sent", async () => {
    const queue = uniqueName("payload");
    const json = '{"z":12345678901234567890,"a":"\\u0000"}';
    const body = `{"items":[{"queue":"${queue}","transactionId":"t","payload":${json}}]}`;
    const { partition_id } = (await api.http.postRaw("/api/v1/push", body)).json[0];
    expect((await api.http.get(`/api/v1/messages/${partition_id}/t`)).text).toContain(`"payload":${json}`);
  });

  test("a missing payload is null", async () => {
    const queue = uniqueName("payload");
    await api.push({ queue });
    expect((await api.pop(queue))[0]!.data).toBeNull();
  });

  test("all kinds share a batch without touching each other", async () => {
    const queue = uniqueName("payload");
    const items = texts.map(([, json]) => `{"payload":${json},"queue":"${queue}"}`).join(", ");
    expect((await api.http.postRaw("/api/v1/push", `{ "items" : [ ${items} ] }`)).status).toBe(201);
    const popped = await api.http.get(`${popPath(queue)}?batch=100`);
    expect(popped.json.messages).toHaveLength(texts.length);
    let at = 0;
    for (const [what, json] of texts) {
      at = popped.text.indexOf(`"data":${json}`, at) + 1;
      expect(at, what).toBeGreaterThan(0);
    }
  });

  test("of 1.5 MB come back equal", async () => {
    const queue = uniqueName("payload");
    const payload = { text: "0123456789abcdéf".repeat(100_000), list: Array.from({ length: 1000 }, (_, n) => ({ n })) };
    await api.push({ queue, payload });
    const [message] = await api.pop(queue);
    expect(message!.data.text.length).toBe(payload.text.length);
    expect(Bun.deepEquals(message!.data, payload)).toBe(true);
  });

  test("of 1.5 MB that do not compress come back equal", async () => {
    const queue = uniqueName("payload");
    const payload = Array.from({ length: 50 }, () => crypto.getRandomValues(new Uint8Array(16_000)).toHex()).join("");
    await api.push({ queue, payload });
    expect((await api.pop(queue))[0]!.data === payload).toBe(true);
  });

  test("with a lone surrogate are refused or come back as they were sent, never altered", async () => {
    const queue = uniqueName("payload");
    const pushed = await api.http.postRaw("/api/v1/push", `{"items":[{"queue":"${queue}","payload":"a\\ud800b"}]}`);
    const popped = await api.http.get(popPath(queue));
    if (pushed.status === 201) expect(popped.text).toContain('"data":"a\\ud800b"');
    else expect([pushed.status, popped.status]).toEqual([400, 204]);
  });
});
