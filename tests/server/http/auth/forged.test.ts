/**
 * Tokens that were tampered with: none is let through, and none makes the server fail.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import { bearer, HS256_ENV, hsToken, makeKey, unsigned } from "../../../support/tokens.ts";
import { type EchoServer, startEcho } from "../echo-server.ts";

setDefaultTimeout(60_000);

const ed = makeKey("EdDSA", "ed");
const seed = Math.floor(Math.random() * 2 ** 31);
let server: EchoServer;
let tokens: string[];

beforeAll(async () => {
  process.stdout.write(`seed ${seed}\n`);
  server = await startEcho({ ...HS256_ENV, JWT_ALGORITHM: "auto", JWT_PUBLIC_KEY: ed.pem });
  tokens = [await hsToken({ sub: "s", role: "read-only" }), await ed.token({ sub: "s", roles: ["read-only"] })];
});
afterAll(() => server.stop());

async function statusOf(authorization: string): Promise<number> {
  const { status, text } = await server.http.get("/api/v1/dlq", { authorization });
  if (status !== 200) expect(text).toMatch(/^\{"error":"[^"]*(\\.[^"]*)*"\}$/);
  return status;
}

/** Parts as bytes: the last character of a part has bits that mean nothing. */
const bytesOf = (token: string) =>
  token
    .split(".")
    .map((part) => Buffer.from(part, "base64url").toString("hex"))
    .join(".");

test("one character changed, added or taken away", async () => {
  const change = fc.record({
    which: fc.nat(1),
    at: fc.nat(2_000),
    by: fc.constantFrom(..."ABCxyz019-_.=+/ %\t"),
    kind: fc.constantFrom("replace", "insert", "delete"),
  });
  const property = fc.asyncProperty(change, async ({ which, at, by, kind }) => {
    const token = tokens[which]!;
    const place = at % token.length;
    const rest = token.slice(kind === "insert" ? place : place + 1);
    const forged = token.slice(0, place) + (kind === "delete" ? "" : by) + rest;
    const status = await statusOf(`Bearer ${forged}`);
    expect([200, 401]).toContain(status);
    if (status === 200) expect(bytesOf(forged.trim())).toBe(bytesOf(token));
  });
  await fc.assert(property, { seed, numRuns: 1_000 });
});

test("any header and claims under another's signature", async () => {
  const header = fc.record({
    alg: fc.oneof(fc.constantFrom("HS256", "EdDSA", "Ed25519", "none", "None", "RS256", "HS512", ""), fc.jsonValue()),
    kid: fc.oneof(fc.string(), fc.jsonValue()),
    typ: fc.constantFrom("JWT", "JWE", null),
    crit: fc.oneof(fc.constant(undefined), fc.constant(["b64"]), fc.jsonValue()),
    b64: fc.constantFrom(undefined, true, false),
    jwk: fc.constantFrom(undefined, ed.jwk),
    jku: fc.constantFrom(undefined, "http://127.0.0.1:1/keys"),
  });
  const claims = fc.record({ role: fc.constantFrom("admin", "read-only"), exp: fc.jsonValue(), sub: fc.jsonValue() });
  const property = fc.asyncProperty(header, claims, fc.nat(2), async (head, body, which) => {
    const signature = tokens[which]?.split(".")[2] ?? "";
    expect(await statusOf(`Bearer ${unsigned(head, body, signature)}`)).toBe(401);
  });
  await fc.assert(property, { seed, numRuns: 1_000 });
});

test("anything at all as the header", async () => {
  const property = fc.asyncProperty(
    fc.string({ unit: fc.integer({ min: 0x20, max: 0xff }).map((code) => String.fromCharCode(code)) }),
    async (text) => {
      expect(await statusOf(text)).toBe(401);
    },
  );
  await fc.assert(property, { seed, numRuns: 500 });
  expect(server.log.filter(({ level }) => level === "error")).toEqual([]);
  expect((await server.http.get("/api/v1/dlq", bearer(tokens[0]!))).status).toBe(200);
});
