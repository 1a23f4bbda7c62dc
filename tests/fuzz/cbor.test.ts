/**
 * CBOR that no encoder writes, to every route that reads it; and compressed bodies, which no route unpacks.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { gzipSync } from "node:zlib";
import { OPERATIONS } from "../../schema/wire/api/operations.ts";
import { Http } from "../support/http.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { faultsOf } from "./verdict.ts";

setDefaultTimeout(120_000);

let server: TestServer;
let http: Http;
beforeAll(async () => {
  server = await startServer();
  http = new Http(server.url, false);
});
afterAll(async () => {
  expect(await server.stop()).toBe(0);
});

const bytes = (hex: string) => Uint8Array.from(Buffer.from(hex.replaceAll(" ", ""), "hex"));
const repeated = (hex: string, count: number, end = "") => bytes(hex.repeat(count) + end);
/** `{"items": …}` and the like around a value, so that it gets past the first check. */
const within = (field: string, value: Uint8Array) =>
  Uint8Array.from([0xa1, 0x60 + field.length, ...new TextEncoder().encode(field), ...value]);

const HOSTILE: [name: string, body: Uint8Array][] = [
  ["a hundred thousand nested arrays", repeated("81", 100_000, "00")],
  ["a hundred thousand nested maps", repeated("a161 61", 100_000, "00")],
  ["a hundred thousand nested tags", repeated("c1", 100_000, "00")],
  ["an array of 2^64 - 1 elements", bytes("9bffffffffffffffff")],
  ["an array of 2^32 - 1 elements", bytes("9affffffff00")],
  ["a map of 2^32 - 1 pairs", bytes("baffffffff")],
  ["a text of 2^32 - 1 bytes", bytes("7affffffff61")],
  ["bytes of 2^53 bytes", bytes("5b0020000000000000")],
  ["an array without an end", repeated("9f", 1, "00".repeat(1_000))],
  ["a text in pieces without an end", bytes("7f6161")],
  ["a break alone", bytes("ff")],
  ["reserved additional information", bytes("1c1d1e")],
  ["text that is no UTF-8", bytes("62ff fe")],
  ["half a character", bytes("63eda080")],
  ["a key that is a map", bytes("a1a0f6")],
  ["a key that is an array of itself twice", bytes("a28100f68100f6")],
  ["a prototype", bytes("a1695f5f70726f746f5f5fa16161f5")],
  ["a value that refers to itself", bytes("d81c81d81d00")],
  ["a reference to nothing", bytes("d81d1903e8")],
  ["a record definition", bytes("d9dff8 82 190100 81 6161 00")],
  ["a record that was never defined", bytes("d9e00081f6")],
  ["a bignum of a kilobyte", bytes(`c2590400${"ff".repeat(1_024)}`)],
  ["a date of NaN", bytes("c1fb7ff8000000000000")],
  ["a regular expression", bytes("d8236728612b292b2461")],
  ["a set", bytes("d9010283010203")],
  ["an error object", bytes("d81b81654572726f72")],
  ["a typed array of half an element", bytes("d84f43 010203")],
  ["packed shared values", bytes("d83382818102 8181e0")],
  ["undefined", bytes("f7")],
  ["NaN", bytes("f97e00")],
  ["a simple value that nobody defined", bytes("f8ff")],
  ["two values", bytes("a0a0")],
  ["gzip", gzipSync("{}")],
];

const ROUTES = OPERATIONS.filter(({ method, hot }) => method === "POST" && hot);
const FIELDS = ["items", "operations", "acknowledgments", "state_ops", "seconds", "transactionId", "payload"];

describe.each(HOSTILE)("%s", (_name, body) => {
  test("is refused or means nothing, everywhere", async () => {
    const wholes = [body, ...FIELDS.map((field) => within(field, body))];
    for (const { path } of ROUTES) {
      for (const whole of wholes) {
        const answer = await http.call("POST", `${path.replace(/:\w+/g, "x")}/binary`, { raw: whole });
        expect([200, 201, 400]).toContain(answer.status);
        expect(answer.json).toBeDefined();
      }
    }
    const item = within(
      "items",
      Uint8Array.from([
        0x81,
        0xa2,
        0x65,
        ...new TextEncoder().encode("queue"),
        0x61,
        0x71,
        0x67,
        ...new TextEncoder().encode("payload"),
        ...body,
      ]),
    );
    const pushed = await http.call("POST", "/api/v1/push/binary", { raw: item });
    expect([201, 400]).toContain(pushed.status);
    // What was taken can be delivered, in both formats.
    const { json, status } = await http.get("/api/v1/pop/queue/q?batch=100&consumerGroup=json&autoAck=true");
    expect([200, 204]).toContain(status);
    if (pushed.status === 201) expect(json.messages).toHaveLength(1);
    expect([200, 204]).toContain(
      (await http.getCbor("/api/v1/pop/queue/q?batch=100&consumerGroup=cbor&autoAck=true")).status,
    );
    expect(await faultsOf(server)).toEqual([]);
  });
});

test("a compressed bomb is never unpacked", async () => {
  const bomb = gzipSync(Buffer.alloc(200_000_000, 0x20), { level: 9 });
  expect(bomb.length).toBeLessThan(300_000);
  for (const encoding of ["gzip", "deflate", "br", "zstd", "gzip, gzip"]) {
    const answer = await http.call("POST", "/api/v1/push", { raw: bomb, headers: { "content-encoding": encoding } });
    expect(answer.status).toBe(400);
  }
  expect(await faultsOf(server)).toEqual([]);
});
