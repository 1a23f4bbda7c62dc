/**
 * An issuer's published keys: selection, rotation, and addresses that answer badly or not at all.
 */
import { afterEach, describe, expect, test } from "bun:test";
import { bearer, type Issuer, makeKey, type SigningKey, startIssuer } from "../../../support/tokens.ts";
import { until } from "../../../support/wait.ts";
import { type EchoServer, startEcho } from "../echo-server.ts";

const READER = { role: "read-only" };
const rsa = makeKey("RS256", "rsa");
const newRsa = makeKey("RS256", "new");
const ed = makeKey("EdDSA", "ed");
const FAILED = [500, "Failed to fetch JWKS"];
const OK = [200, undefined];

let issuer: Issuer;
let server: EchoServer;

/** An issuer with these keys and a server that trusts it. */
async function pair(keys: readonly SigningKey[], env: Record<string, string>): Promise<[Issuer, EchoServer]> {
  const trusted = startIssuer(...keys);
  const settings = { JWT_ENABLED: "true", JWT_ALGORITHM: "auto", JWT_JWKS_URL: trusted.url, ...env };
  return [trusted, await startEcho(settings)];
}

/** Starts a pair for the test that calls. */
async function serve(keys: readonly SigningKey[], env: Record<string, string> = {}): Promise<void> {
  [issuer, server] = await pair(keys, env);
}

afterEach(async () => {
  await server.stop();
  await issuer.stop();
});

async function ask(token: string, of: EchoServer = server): Promise<unknown[]> {
  const { status, json } = await of.http.get("/api/v1/dlq", bearer(token));
  return [status, status === 200 ? undefined : json.error];
}

/** Asks until the answer is this one. */
async function askUntil(token: string, wanted: unknown[], of: EchoServer = server): Promise<void> {
  await until(async () => String(await ask(token, of)) === String(wanted), 10_000, `the answer ${wanted}`);
}

describe("keys", () => {
  test("are selected by key id and algorithm, fetched once, when they are first needed", async () => {
    await serve([rsa, ed]);
    expect(issuer.fetchCount).toBe(0);
    const answers = await Promise.all([ask(await rsa.token(READER)), ask(await ed.token(READER))]);
    expect(answers).toEqual([OK, OK]);
    expect(issuer.fetchCount).toBe(1);
    expect(await ask(await makeKey("RS256", "rsa").token(READER))).toEqual([401, "Invalid token signature"]);
    expect(issuer.fetchCount).toBe(1);
  });

  test("of a token without a key id are all tried", async () => {
    await serve([newRsa, ed, rsa]);
    expect(await ask(await rsa.token(READER, null))).toEqual(OK);
    expect(await ask(await makeKey("RS256", "x").token(READER, null))).toEqual([401, "Invalid token signature"]);
  });

  test("that are unknown are fetched again, but strangers cannot cause that for ever", async () => {
    await serve([rsa]);
    expect(await ask(await rsa.token(READER))).toEqual(OK);
    for (let n = 0; n < 20; n++) {
      expect(await ask(await rsa.token(READER, `made up ${n}`))).toEqual([401, `Unknown key ID: made up ${n}`]);
    }
    expect(issuer.fetchCount).toBe(6);
    expect(await ask(await rsa.token(READER))).toEqual(OK);
  });

  test("of another kind, broken, private or too weak are passed over", async () => {
    await serve([]);
    issuer.keys = [
      null,
      {},
      { kty: "oct", k: "c2VjcmV0", kid: "oct", alg: "HS256" },
      { kty: "EC", crv: "P-256", x: "x", y: "y", kid: "ec" },
      { ...rsa.jwk, kid: "enc", use: "enc" },
      { ...rsa.jwk, kid: "sign", key_ops: ["sign"] },
      { ...rsa.jwk, kid: "ps", alg: "PS256" },
      { ...rsa.jwk, kid: "broken", n: "AQAB" },
      { kty: "OKP", crv: "X25519", x: ed.jwk.x, kid: "x25519" },
      { kty: "RSA", n: rsa.jwk.n, e: rsa.jwk.e, kid: "rsa" },
    ];
    expect(await ask(await rsa.token(READER))).toEqual(OK);
    for (const kid of ["enc", "sign", "ps", "broken"]) {
      expect(await ask(await rsa.token(READER, kid))).toEqual([401, `Unknown key ID: ${kid}`]);
    }
  });
});

describe("rotation", () => {
  test("takes up a new key with the first token it signed", async () => {
    await serve([rsa]);
    expect(await ask(await rsa.token(READER))).toEqual(OK);
    issuer.keys = [rsa.jwk, newRsa.jwk];
    expect(await ask(await newRsa.token(READER))).toEqual(OK);
    expect(await ask(await rsa.token(READER))).toEqual(OK);
    expect(issuer.fetchCount).toBe(2);
  });

  test("forgets tokens of a key that is gone, though they were let through before", async () => {
    await serve([rsa]);
    const old = await rsa.token(READER);
    expect(await ask(old)).toEqual(OK);
    issuer.keys = [newRsa.jwk];
    expect(await ask(await newRsa.token(READER))).toEqual(OK);
    expect(await ask(old)).toEqual([401, "Unknown key ID: rsa"]);
  });

  test("is noticed within the refresh interval when no new token comes", async () => {
    await serve([rsa], { JWT_JWKS_REFRESH_INTERVAL: "1" });
    const old = await rsa.token(READER);
    expect(await ask(old)).toEqual(OK);
    issuer.keys = [newRsa.jwk];
    await askUntil(old, [401, "Unknown key ID: rsa"]);
  });
});

describe("an address that", () => {
  const bad: [name: string, answer: () => Response | Promise<Response>][] = [
    ["answers an error", () => new Response("no", { status: 503 })],
    ["answers no JSON", () => new Response("<html>")],
    ["answers no key set", () => Response.json([])],
    ["answers keys that are no array", () => Response.json({ keys: { length: 1 } })],
    ["answers a redirection", () => Response.redirect("http://127.0.0.1:1/")],
    ["answers without end", () => new Response(new ReadableStream({ pull: (c) => c.enqueue(new Uint8Array(65_536)) }))],
    ["does not answer in time", () => new Promise(() => {})],
  ];
  test("answers badly makes it a fault of the server, until it recovers", async () => {
    const env = { NUM_WORKERS: "1", DB_POOL_SIZE: "8", JWT_JWKS_TIMEOUT_MS: "150" };
    await serve([rsa], env);
    const token = await rsa.token(READER);
    // Each waits a second before it asks again: all at once.
    await Promise.all(
      bad.map(async ([name, answer]) => {
        const [trusted, echo] = await pair([rsa], env);
        trusted.answer = answer;
        expect([name, ...(await ask(token, echo))]).toEqual([name, ...FAILED]);
        expect(echo.log.filter(({ event }) => event === "jwks_unreachable")).toHaveLength(1);
        trusted.answer = null;
        await askUntil(token, OK, echo);
        await echo.stop();
        await trusted.stop();
      }),
    );
  });

  test("cannot be reached makes it a fault of the server, soon, and is not asked for each request", async () => {
    await serve([rsa]);
    await issuer.stop();
    const token = await rsa.token(READER);
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask(token)));
    expect(answers).toEqual(Array.from({ length: 20 }, () => FAILED));
    expect(server.log.filter(({ event }) => event === "jwks_unreachable").length).toBeLessThanOrEqual(2);
  });

  test("stops answering leaves the keys in use that it published, and an unknown key a fault of the server", async () => {
    await serve([rsa], { JWT_JWKS_REFRESH_INTERVAL: "1", JWT_JWKS_TIMEOUT_MS: "200" });
    expect(await ask(await rsa.token(READER))).toEqual(OK);
    issuer.answer = () => new Response("no", { status: 500 });
    const failures = () => server.log.filter(({ event }) => event === "jwks_unreachable").length;
    const deadline = Date.now() + 10_000;
    while (failures() === 0 && Date.now() < deadline) {
      // Each token is a new one: nothing is remembered of it.
      expect(await ask(await rsa.token({ ...READER, jti: crypto.randomUUID() }))).toEqual(OK);
    }
    expect(failures()).toBe(1);
    expect(await ask(await rsa.token({ ...READER, jti: "after" }))).toEqual(OK);
    expect(await ask(await newRsa.token(READER))).toEqual(FAILED);
  });

  test("is down does not matter to algorithms with a key of their own", async () => {
    await serve([], { JWT_PUBLIC_KEY: ed.pem });
    await issuer.stop();
    expect(await ask(await ed.token(READER))).toEqual(OK);
    expect(await ask(await rsa.token(READER))).toEqual(FAILED);
  });
});
