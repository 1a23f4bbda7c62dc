import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { loadConfig } from "../../../server/config.ts";
import { buildApp } from "../../../server/http/app.ts";
import { acceptedCoding, Compression, isNearby } from "../../../server/http/compression.ts";
import { echoPool } from "../pool/echo-pool.ts";

const NEAR = [
  "127.0.0.1",
  "127.9.9.9",
  "10.0.0.1",
  "172.16.0.1",
  "172.31.255.255",
  "192.168.1.1",
  "169.254.1.1",
  "100.64.0.1",
  "::1",
  "fc00::1",
  "fdff::1",
  "fe80::1%eth0",
  "::ffff:127.0.0.1",
  "::FFFF:10.1.2.3",
  "no address",
  null,
];
const FAR = ["8.8.8.8", "172.32.0.1", "172.15.0.1", "192.169.0.1", "100.128.0.1", "2001:db8::1", "::ffff:9.9.9.9"];

test.each(NEAR)("%p is nearby", (address) => expect(isNearby(address)).toBe(true));
test.each(FAR)("%p is far away", (address) => expect(isNearby(address)).toBe(false));

test.each<[header: string | null, coding: "gzip" | "zstd" | null]>([
  [null, null],
  ["", null],
  ["*", null],
  ["deflate, br", null],
  ["gzip", "gzip"],
  ["x-gzip", "gzip"],
  ["gzip, zstd", "zstd"],
  ["zstd, gzip", "zstd"],
  ["zstd;q=0.1, gzip;q=0.2", "gzip"],
  ["zstd; q=0, gzip; q=0", null],
  ["gzip;q=nonsense", null],
  ["gzipped, zstandard", null],
])("of %p the best is %p", (header, coding) => expect(acceptedCoding(header)).toBe(coding));

describe("what is decided for a client", () => {
  const far = () => "8.8.8.8";
  const near = () => "127.0.0.1";
  const unasked = (): string => {
    throw new Error("asked for the address");
  };
  const request = new Request("http://x/", { headers: { "accept-encoding": "gzip" } });
  const plain = new Request("http://x/");

  test("auto compresses for those far away only", () => {
    const auto = new Compression("auto", "0.0.0.0");
    expect([auto.choose(request, far), auto.choose(request, near)]).toEqual(["gzip", null]);
    expect(auto.choose(plain, unasked)).toBeNull();
    expect([auto.appliesTo(far), auto.appliesTo(near)]).toEqual([true, false]);
  });

  test.each(["127.0.0.1", "localhost", "::1", "192.168.0.7"])("auto on %s asks for no address", (host) => {
    expect(new Compression("auto", host).choose(request, unasked)).toBeNull();
  });

  test("on and off ask for none either", () => {
    expect(new Compression("on", "127.0.0.1").choose(request, unasked)).toBe("gzip");
    expect(new Compression("off", "0.0.0.0").choose(request, unasked)).toBeNull();
    expect(new Compression("off", "0.0.0.0").appliesTo(unasked)).toBe(false);
  });
});

describe("the application", () => {
  const { pool } = echoPool();
  beforeAll(() => pool.start());
  afterAll(() => pool.stop(1_000));

  test.each([
    ["8.8.8.8", 5_000, "Accept-Encoding"],
    ["8.8.8.8", 1_000, null],
    ["10.0.0.1", 5_000, null],
  ])("to %s and %d bytes says Vary: %p", async (address, bytes, vary) => {
    const config = loadConfig({ NUM_WORKERS: "2", HOST: "0.0.0.0" });
    const app = buildApp({ pool, config, log: () => {}, version: "0" });
    const connection = { keepOpen: () => {}, addressOf: () => address, openSocket: () => null };
    for (const headers of [{}, { "accept-encoding": "gzip" }] as Record<string, string>[]) {
      const request = new Request(`http://x/api/v1/pop/queue/big?subscriptionFrom=${bytes}`, { headers });
      const response = await app.fetch(request, connection);
      expect([response.status, response.headers.get("vary")]).toEqual([200, vary]);
      expect((await response.arrayBuffer()).byteLength).toBe(bytes);
    }
  });
});
