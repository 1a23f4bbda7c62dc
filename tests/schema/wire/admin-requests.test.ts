import { describe, expect, test } from "bun:test";
import { readConfigure, readSeek, readSubscription, readTrace } from "../../../schema/wire/admin-requests.ts";
import type { DecodedBody } from "../../../schema/wire/body.ts";
import { parseJsonBody } from "../../../schema/wire/json.ts";

const json = (text: string): DecodedBody => parseJsonBody(text);
const options = (text: string) => readConfigure(json(`{"queue":"q","options":${text}}`));

describe("readConfigure()", () => {
  test("tells options that were given from those that were not", () => {
    const { options: read, given } = options('{"ttl":3600,"retryDelay":null}');
    expect([read.ttl, read.retryDelay]).toEqual([3600, 1000]);
    expect([...given]).toEqual(["ttl"]);
  });

  test("takes numbers and booleans as text", () => {
    const { options: read } = options('{"leaseTime":" 60 ","priority":"-3","retentionEnabled":"TRUE"}');
    expect(read).toMatchObject({ leaseTime: 60, priority: -3, retentionEnabled: true });
  });

  test("takes an empty array for an empty object", () => {
    expect(options("[]").options.leaseTime).toBe(300);
  });

  test.each([
    ["just below 0", '{"leaseTime":-1}', "options.leaseTime must be an integer from 0 to 2147483647, got -1"],
    [
      "just above 2^31 - 1",
      '{"maxSize":2147483648}',
      "options.maxSize must be an integer from 0 to 2147483647, got 2147483648",
    ],
    ["a fraction", '{"ttl":1.5}', "options.ttl must be an integer from 0 to 2147483647, got 1.5"],
    ["a boolean for a number", '{"ttl":true}', "options.ttl must be an integer from 0 to 2147483647, got true"],
    ["a number for a boolean", '{"encryptionEnabled":1}', "options.encryptionEnabled must be a boolean, got 1"],
    ["an object", '{"ttl":{}}', "options.ttl must be an integer from 0 to 2147483647, got an object"],
    ["text for the options", '"x"', 'options must be an object, got "x"'],
  ])("refuses %s, naming the field", (_what, text, message) => {
    expect(() => options(text)).toThrow(message);
  });

  test("accepts the bounds themselves", () => {
    expect(options('{"leaseTime":0,"maxSize":2147483647}').options).toMatchObject({
      leaseTime: 0,
      maxSize: 2147483647,
    });
  });
});

describe("readSeek()", () => {
  test("reads the end, or an instant with its microseconds", () => {
    expect(readSeek(json('{"toEnd":true,"timestamp":"nonsense"}'))).toBeNull();
    expect(readSeek(json('{"timestamp":"2020-01-02T03:04:05.123456+01:00"}'))).toBe("2020-01-02T02:04:05.123456Z");
  });

  test.each([
    ["{}", "Must specify either 'toEnd': true or 'timestamp'"],
    ['{"toEnd":false}', "Must specify either 'toEnd': true or 'timestamp'"],
    ['{"toEnd":"yes"}', 'toEnd must be a boolean, got "yes"'],
    ['{"timestamp":5}', "timestamp must be a timestamp in ISO 8601, got 5"],
    ['{"timestamp":"soon"}', 'timestamp is not a timestamp in ISO 8601: "soon"'],
    ["[]", "Must specify either 'toEnd': true or 'timestamp'"],
  ])("refuses %s", (text, message) => {
    expect(() => readSeek(json(text))).toThrow(message);
  });
});

describe("readSubscription()", () => {
  test("keeps the text that was sent beside what it means", () => {
    const read = readSubscription(json('{"subscriptionTimestamp":"2020-01-01"}'));
    expect(read).toEqual({ sent: "2020-01-01", instant: "2020-01-01T00:00:00.000000Z" });
  });

  test("refuses a body without one", () => {
    expect(() => readSubscription(json("{}"))).toThrow("Missing subscriptionTimestamp in request body");
  });
});

describe("readTrace()", () => {
  const trace = (rest: string) => readTrace(json(`{"transactionId":"t","partitionId":"p",${rest}}`));

  test("keeps the text of the data", () => {
    expect(trace('"data": {"b":1.0, "a":12345678901234567890}').data).toBe('{"b":1.0, "a":12345678901234567890}');
    expect(trace('"data":1,"data":null').data).toBe("null");
  });

  test("renders data that came as CBOR", () => {
    const value = { transactionId: "t", partitionId: "p", data: { n: 10n, b: new Uint8Array([1]) } };
    expect(readTrace({ value, text: null }).data).toBe('{"n":10,"b":"AQ=="}');
  });

  test("takes one name, several, none, and each once", () => {
    expect(trace('"data":1,"traceNames":"a"').names).toEqual(["a"]);
    expect(trace('"data":1,"traceNames":["a","b","a",""]').names).toEqual(["a", "b"]);
    expect(trace('"data":1,"traceNames":null').names).toEqual([]);
  });

  test("takes a hundred names, not one more", () => {
    const names = (count: number) => JSON.stringify(Array.from({ length: count }, (_, n) => `n${n}`));
    expect(trace(`"data":1,"traceNames":${names(100)}`).names).toHaveLength(100);
    expect(() => trace(`"data":1,"traceNames":${names(101)}`)).toThrow(
      "traceNames must hold at most 100 names, got 101",
    );
  });
});
