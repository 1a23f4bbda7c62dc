import { describe, expect, test } from "bun:test";
import { popPath } from "../support/api.ts";
import { toCbor } from "../support/http.ts";
import { uniqueName } from "../support/names.ts";
import { useSharedServer } from "../support/shared.ts";

const api = useSharedServer();

/** Payloads as CBOR bytes in hexadecimal that few encoders write; the JSON text they mean, where there is one. */
const payloads: [what: string, hex: string, json: string | null][] = [
  ["an array of indefinite length", "9f0102ff", "[1,2]"],
  ["a map of indefinite length", "bf616101ff", '{"a":1}'],
  ["a text of indefinite length", "7f61616162ff", null],
  ["bytes of indefinite length", "5f41014102ff", null],
  ["a number in more bytes than it needs", "1b0000000000000005", "5"],
  ["a half float", "f93e00", "1.5"],
  ["a single float", "fa3fc00000", "1.5"],
  ["NaN", "f97e00", null],
  ["infinity", "f97c00", null],
  ["minus infinity", "fbfff0000000000000", null],
  ["undefined", "f7", null],
  ["a simple value", "f0", null],
  ["a date as text", "c074323032362d30352d31365431303a30303a30305a", null],
  ["a date as a number", "c11a6a07f3c0", null],
  ["a bignum", "c249010000000000000000", "18446744073709551616"],
  ["a negative bignum", "c349010000000000000000", "-18446744073709551617"],
  ["a decimal fraction", "c48221196ab3", null],
  ["an unknown tag", "d9d9f76161", null],
  ["a map with numbers for keys", "a2016161026162", null],
  ["a map with bytes for a key", "a1410101", null],
  ["a map with a key twice", "a2616101616102", null],
  ["a key __proto__", "a1695f5f70726f746f5f5f01", null],
  ["a typed array", "d84044010203ff", null],
  ["a shared reference", "82d81c8101d81d00", null],
  ["text that is no UTF-8", "62c328", null],
  ["a text with a surrogate", "63eda080", null],
];

/** A push body with these payload bytes in place of a marker. */
function pushBody(queue: string, payload: Uint8Array): Uint8Array {
  const body = Buffer.from(toCbor({ items: [{ queue, partition: "p", payload: "@mark@" }] }));
  const mark = Buffer.from(toCbor("@mark@"));
  const at = body.indexOf(mark);
  return new Uint8Array(Buffer.concat([body.subarray(0, at), payload, body.subarray(at + mark.length)]));
}

describe("odd CBOR payloads", () => {
  test.each(payloads)("%s is refused with a reason, or delivered in both encodings", async (_what, hex, json) => {
    const queue = uniqueName("odd");
    const raw = pushBody(queue, Uint8Array.fromHex(hex));
    const headers = { "content-type": "application/cbor", accept: "application/json" };
    const pushed = await api.http.postRaw("/api/v1/push", raw, headers);
    if (pushed.status !== 201) {
      expect([pushed.status, typeof pushed.json?.error]).toEqual([400, "string"]);
      expect(json, "plain CBOR must be accepted").toBeNull();
      expect(await api.pop(queue)).toEqual([]);
      return;
    }
    await api.push({ queue, partition: "p", payload: "behind" });
    const binary = await api.http.getCbor(`${popPath(queue)}?batch=10&consumerGroup=binary`);
    expect(binary.status).toBe(200);
    expect(binary.json.messages).toHaveLength(2);
    const text = await api.http.get(`${popPath(queue)}?batch=10`);
    expect(text.status).toBe(200);
    expect(text.json.messages).toHaveLength(2);
    expect(text.json.messages[1].data).toBe("behind");
    if (json !== null) expect(text.text).toContain(`"data":${json}`);
  });

  test("keys of a request in another order and width mean the same", async () => {
    const queue = uniqueName("odd");
    const name = Buffer.from(queue);
    const raw = Buffer.concat([
      // {"items": [_ {_ "payload": 7, "queue": <text with a 2-byte length>}]}
      Buffer.from("bf656974656d739fbf677061796c6f61640765717565756579", "hex"),
      Buffer.from([0, name.length]),
      name,
      Buffer.from("ffffff", "hex"),
    ]);
    const pushed = await api.http.postRaw("/api/v1/push", new Uint8Array(raw), { "content-type": "application/cbor" });
    expect(pushed.status, pushed.text).toBe(201);
    expect((await api.pop(queue))[0]!.data).toBe(7);
  });
});
