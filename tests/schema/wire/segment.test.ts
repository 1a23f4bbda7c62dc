import { describe, expect, test } from "bun:test";
import { Buffer } from "node:buffer";
import {
  bodyFormatOf,
  cborBody,
  FORMAT_CBOR,
  FORMAT_ENCRYPTED,
  FORMAT_ZSTD,
  KeyRing,
  MESSAGE_END,
  packBody,
  sliceCborBody,
  sliceJsonBody,
  unpackBody,
} from "../../../schema/wire/segment.ts";

const NONE = new KeyRing([]);
const [KEY_A, KEY_B] = ["a1".repeat(32), "b2".repeat(32)];
const BODIES: [string, Buffer][] = [
  ["nothing", Buffer.alloc(0)],
  ["little", Buffer.from("short")],
  ["much that repeats", Buffer.from("all the same ".repeat(10_000))],
  ["much that is random", Buffer.from(crypto.getRandomValues(new Uint8Array(60_000)))],
];

describe("packing a body", () => {
  for (const format of ["json", "cbor"] as const) {
    test.each(BODIES)(`gives back %s (${format}), encrypted and in clear`, (_name, body) => {
      for (const ring of [null, new KeyRing([KEY_A])]) {
        const packed = packBody(body, format, ring);
        expect(bodyFormatOf(packed.format)).toBe(format);
        expect((packed.format & FORMAT_ENCRYPTED) !== 0).toBe(ring !== null);
        expect(unpackBody(packed.bytes, packed.format, ring ?? NONE).equals(body)).toBe(true);
      }
    });
  }

  test("compresses what shrinks, and only that", () => {
    const formats = BODIES.map(([, body]) => packBody(body, "json", null).format & FORMAT_ZSTD);
    expect(formats).toEqual([0, 0, FORMAT_ZSTD, 0]);
    expect(packBody(BODIES[2]![1], "cbor", null).format).toBe(FORMAT_CBOR | FORMAT_ZSTD);
    expect(packBody(BODIES[2]![1], "json", null).bytes.length).toBeLessThan(1_000);
  });

  test("leaves the body it was given as it was", () => {
    const body = Buffer.from("all the same ".repeat(100));
    const before = Buffer.from(body);
    packBody(body, "json", new KeyRing([KEY_A]));
    expect(body.equals(before)).toBe(true);
  });
});

describe("a ring of keys", () => {
  const body = Buffer.from("a secret of some length, ".repeat(40));

  test("encrypts with the first key, decrypts with any", () => {
    const old = packBody(body, "json", new KeyRing([KEY_A]));
    const ring = new KeyRing([KEY_B, KEY_A]);
    const young = packBody(body, "json", ring);
    for (const { bytes, format } of [old, young]) expect(unpackBody(bytes, format, ring).equals(body)).toBe(true);
    expect(unpackBody(young.bytes, young.format, new KeyRing([KEY_B])).equals(body)).toBe(true);
    expect(() => unpackBody(young.bytes, young.format, new KeyRing([KEY_A]))).toThrow("not configured");
    expect(() => unpackBody(young.bytes, young.format, NONE)).toThrow("not configured");
  });

  test("never encrypts alike twice, and notices a changed bit anywhere", () => {
    const ring = new KeyRing([KEY_A]);
    const { bytes, format } = packBody(body, "json", ring);
    expect(packBody(body, "json", ring).bytes.equals(bytes)).toBe(false);
    for (let at = 4; at < bytes.length; at += 1) {
      const changed = Buffer.from(bytes);
      changed[at]! ^= 1;
      expect(() => unpackBody(changed, format, ring)).toThrow();
    }
  });

  test("without keys it is not usable", () => {
    expect(NONE.usable).toBe(false);
    expect(new KeyRing([KEY_A]).usable).toBe(true);
    expect(() => NONE.encrypt(body)).toThrow("No encryption key");
  });
});

describe("slices of a body", () => {
  const messages = ["", "a", "{é}", "long".repeat(50), '"}'];
  const json = Buffer.from(messages.map((message) => message + MESSAGE_END).join(""));
  const cbor = cborBody(messages.map((message) => Buffer.from(message)));

  test("are the messages asked for, for every range", () => {
    for (let from = 0; from < messages.length; from += 1) {
      for (let to = from + 1; to <= messages.length; to += 1) {
        const expected = messages.slice(from, to);
        expect(sliceJsonBody(json, messages.length, from, to).toString()).toBe(
          expected.map((message) => message + MESSAGE_END).join(""),
        );
        expect(sliceCborBody(cbor, messages.length, from, to).map(String)).toEqual(expected);
      }
    }
  });
});
