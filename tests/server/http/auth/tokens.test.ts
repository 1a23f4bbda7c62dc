/**
 * Which tokens are let through, and what the others are told.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { JWTPayload } from "jose";
import { bearer, HS256_ENV, hsToken, makeKey, SECRET, seconds, signed, unsigned } from "../../../support/tokens.ts";
import { type EchoServer, startEcho } from "../echo-server.ts";

const PATH = "/api/v1/dlq";
const READER = { role: "read-only" };
const rsa = makeKey("RS256", "rsa");
const otherRsa = makeKey("RS256", "rsa");
const ed = makeKey("EdDSA", "ed");

let server: EchoServer;

/** A server with these settings for the tests of a block. */
function serve(env: Record<string, string>): void {
  beforeAll(async () => {
    server = await startEcho({ JWT_ENABLED: "true", ...env });
  });
  afterAll(() => server.stop());
}

async function ask(headers: Record<string, string>, path = PATH): Promise<[status: number, error: string | undefined]> {
  const { status, json } = await server.http.get(path, headers);
  return [status, status === 200 ? undefined : json.error];
}

describe("a token of HS256", () => {
  serve(HS256_ENV);

  const valid: [name: string, claims: JWTPayload][] = [
    ["without times", READER],
    ["that expires later", { ...READER, exp: seconds(60) }],
    ["that expired within the tolerance", { ...READER, exp: seconds(-20) }],
    ["that begins within the tolerance", { ...READER, nbf: seconds(20) }],
    ["that was issued ahead of the clock, within the tolerance", { ...READER, iat: seconds(20) }],
    ["of any issuer and audience while none is configured", { ...READER, iss: "x", aud: ["y"] }],
  ];
  test.each(valid)("%s is let through, seen before or not", async (_name, claims) => {
    const headers = bearer(await hsToken(claims));
    expect(await ask(headers)).toEqual([200, undefined]);
    expect(await ask(headers)).toEqual([200, undefined]);
  });

  const invalid: [name: string, claims: JWTPayload, error: string][] = [
    ["that expired", { ...READER, exp: seconds(-40) }, "Token has expired"],
    ["that begins later", { ...READER, nbf: seconds(60) }, "Token decode error: not valid yet"],
    ["that was issued in the future", { ...READER, iat: seconds(60) }, "Token decode error: issued in the future"],
    ["whose iat is a text", { ...READER, iat: "now" as never }, "Token decode error: unusable claim iat"],
    ["whose exp is a text", { ...READER, exp: "never" as never }, "Token decode error: unusable claim exp"],
    [
      "whose sub is no text",
      { ...READER, sub: { toString: 1 } as never },
      "Token decode error: sub is not a text of up to 255 characters",
    ],
    [
      "whose sub cannot be stored",
      { ...READER, sub: "a\0b" },
      "Token decode error: sub is not a text of up to 255 characters",
    ],
    [
      "whose sub is too long",
      { ...READER, sub: "x".repeat(256) },
      "Token decode error: sub is not a text of up to 255 characters",
    ],
  ];
  test.each(invalid)("%s is refused, seen before or not", async (_name, claims, error) => {
    const headers = bearer(await hsToken(claims));
    expect(await ask(headers)).toEqual([401, error]);
    expect(await ask(headers)).toEqual([401, error]);
  });

  test("is refused once it expires, though it was let through before", async () => {
    const endsIn = 1 - 30;
    const headers = bearer(await hsToken({ ...READER, exp: seconds(endsIn) }));
    expect(await ask(headers)).toEqual([200, undefined]);
    const deadline = Date.now() + 5_000;
    let answer = await ask(headers);
    while (answer[0] === 200 && Date.now() < deadline) answer = await ask(headers);
    expect(answer).toEqual([401, "Token has expired"]);
  });

  const texts: [name: string, token: () => string | Promise<string>, error: string][] = [
    ["signed with another secret", () => hsToken(READER, `${SECRET}!`), "Invalid token signature"],
    [
      "with the signature of another",
      async () => {
        const [head, , signature] = (await hsToken(READER)).split(".");
        return `${head}.${Buffer.from('{"role":"admin"}').toString("base64url")}.${signature}`;
      },
      "Invalid token signature",
    ],
    ["with an empty signature", () => unsigned({ alg: "HS256" }, READER), "Invalid token signature"],
    ["of no algorithm", () => unsigned({ alg: "none" }, READER), "Token uses none, expected HS256"],
    ["of an algorithm spelt otherwise", () => unsigned({ alg: "nOnE" }, READER), "Token uses nOnE, expected HS256"],
    ["of RS256", () => rsa.token(READER), "Token uses RS256, expected HS256"],
    ["of EdDSA", () => ed.token(READER), "Token uses EdDSA, expected HS256"],
    [
      "of HS512 with the right secret",
      () => signed(READER, new TextEncoder().encode(SECRET), { alg: "HS512" }),
      "Token uses HS512, expected HS256",
    ],
    [
      "of an algorithm that is hostile text",
      () => unsigned({ alg: `<b>\n${"x".repeat(100)}` }, READER),
      `Token uses <b>?${"x".repeat(60)}, expected HS256`,
    ],
  ];
  test.each(texts)("%s is refused", async (_name, token, error) => {
    expect(await ask(bearer(await token()))).toEqual([401, error]);
  });

  test.each([
    ["nothing of the kind", "hello"],
    ["two parts", "a.b"],
    ["three empty parts", ".."],
    ["no JSON", "!!!.e30.x"],
    ["a header that is an array", `${Buffer.from("[]").toString("base64url")}.e30.x`],
    ["a header without an algorithm", unsigned({}, READER)],
    ["an algorithm that is no text", unsigned({ alg: 1 }, READER)],
    ["an encrypted one", "a.b.c.d.e"],
    ["another scheme", "Basic dXNlcjpwYXNz"],
    ["a critical extension", unsigned({ alg: "HS256", crit: ["x"], x: 1 }, READER)],
  ])("that is %s cannot be decoded", async (_name, token) => {
    const [status, error] = await ask({ authorization: token });
    expect(status).toBe(401);
    expect(error).toStartWith("Token decode error: ");
    expect(error).not.toMatch(/ at |\/|\.ts|undefined/);
  });

  test("without any token the answer asks for one", async () => {
    for (const headers of [{}, { authorization: "" }, { authorization: "Bearer" }, { authorization: "Bearer  " }]) {
      const answer = await server.http.get(PATH, headers as Record<string, string>);
      expect(answer.status).toBe(401);
      expect(answer.text).toBe('{"error":"Authentication required"}');
      expect(answer.headers.get("www-authenticate")).toBe("Bearer");
      expect(answer.headers.get("content-type")).toBe("application/json");
      expect(answer.headers.get("access-control-allow-origin")).toBe("*");
    }
  });

  test("that is refused leaves a line for whoever looks, without the token", async () => {
    const token = await hsToken({ ...READER, exp: seconds(-60), jti: "one that is looked for" });
    await ask(bearer(token), `${PATH}?token=${token}`);
    const line = server.log.findLast(({ event }) => event === "request_denied");
    expect(line).toEqual({
      level: "debug",
      event: "request_denied",
      fields: { status: 401, reason: "Token has expired", method: "GET", path: PATH },
    });
  });

  test("may come with the word Bearer in any case, or alone", async () => {
    const token = await hsToken(READER);
    for (const word of ["Bearer ", "bearer ", "BEARER  ", ""]) {
      expect(await ask({ authorization: word + token })).toEqual([200, undefined]);
    }
  });

  test("in the query is looked at only where a WebSocket is opened", async () => {
    const token = await hsToken(READER);
    expect(await ask({}, `${PATH}?token=${token}`)).toEqual([401, "Authentication required"]);
    const socket = { upgrade: "websocket", connection: "upgrade" };
    expect(await ask(socket, `${PATH}?token=${token}`)).toEqual([200, undefined]);
    expect(await ask(socket, `${PATH}?token=${token}x`)).toEqual([401, "Invalid token signature"]);
    expect(await ask(socket)).toEqual([401, "Authentication required"]);
  });

  test("is refused in CBOR when CBOR is asked for", async () => {
    const answer = await server.http.getCbor(PATH);
    expect(answer.status).toBe(401);
    expect(answer.json).toEqual({ error: "Authentication required" });
  });

  test("many at a time are kept apart", async () => {
    const wanted = ["read-only", "nobody", "admin", "read-write"];
    const tokens = await Promise.all(
      Array.from({ length: 200 }, (_, n) => hsToken({ role: wanted[n % 4], sub: `subject ${n}` })),
    );
    for (let round = 0; round < 2; round++) {
      const answers = await Promise.all(
        tokens.map((token) => server.http.call("POST", "/api/v1/push", { json: {}, headers: bearer(token) })),
      );
      answers.forEach(({ status, json }, n) => {
        expect(status).toBe(n % 4 >= 2 ? 200 : 403);
        if (status === 200) expect(json.params).toEqual({ producerSub: `subject ${n}` });
      });
    }
  });
});

test("a secret that can be guessed works, and the log says what it is", async () => {
  const weak = await startEcho({ JWT_ENABLED: "true", JWT_SECRET: "x".repeat(31) });
  try {
    const token = await hsToken(READER, "x".repeat(31));
    expect((await weak.http.get(PATH, bearer(token))).status).toBe(200);
    expect(weak.log.filter(({ level }) => level !== "debug").map(({ event }) => event)).toEqual(["jwt_secret_weak"]);
    expect(JSON.stringify(weak.log)).not.toContain("xxx");
  } finally {
    await weak.stop();
  }
});

describe("issuer and audience", () => {
  serve({ ...HS256_ENV, JWT_ISSUER: "https://issuer", JWT_AUDIENCE: "queen", JWT_CLOCK_SKEW: "0" });
  const good = { ...READER, iss: "https://issuer", aud: "queen" };

  test.each<[JWTPayload, string | undefined]>([
    [good, undefined],
    [{ ...good, aud: ["other", "queen"] }, undefined],
    [{ ...good, iss: "https://issuer/" }, "Invalid token issuer"],
    [{ ...READER, aud: "queen" }, "Invalid token issuer"],
    [{ ...good, aud: "queens" }, "Invalid token audience"],
    [{ ...good, aud: [] }, "Invalid token audience"],
    [{ ...READER, iss: "https://issuer" }, "Invalid token audience"],
    [{ ...good, exp: seconds(-2) }, "Token has expired"],
  ])("%j", async (claims, error) => {
    expect(await ask(bearer(await hsToken(claims)))).toEqual([error === undefined ? 200 : 401, error]);
  });
});

describe("a public key of RS256", () => {
  serve({ JWT_ALGORITHM: "RS256", JWT_PUBLIC_KEY: rsa.pem.replaceAll("\n", "\\n"), JWT_SECRET: SECRET });

  test("verifies its tokens, whatever key id they name, and no other's", async () => {
    expect(await ask(bearer(await rsa.token(READER)))).toEqual([200, undefined]);
    expect(await ask(bearer(await rsa.token(READER, "another")))).toEqual([200, undefined]);
    expect(await ask(bearer(await rsa.token(READER, null)))).toEqual([200, undefined]);
    expect(await ask(bearer(await otherRsa.token(READER)))).toEqual([401, "Invalid token signature"]);
    expect(await ask(bearer(await hsToken(READER)))).toEqual([401, "Token uses HS256, expected RS256"]);
    expect(await ask(bearer(await hsToken(READER, rsa.pem)))).toEqual([401, "Token uses HS256, expected RS256"]);
  });
});

describe("a public key of EdDSA", () => {
  serve({ JWT_ALGORITHM: "EdDSA", JWT_PUBLIC_KEY: ed.pem });

  test("verifies its tokens and no other's", async () => {
    expect(await ask(bearer(await ed.token(READER)))).toEqual([200, undefined]);
    expect(await ask(bearer(await makeKey("EdDSA", "ed").token(READER)))).toEqual([401, "Invalid token signature"]);
    expect(await ask(bearer(await rsa.token(READER)))).toEqual([401, "Token uses RS256, expected EdDSA"]);
  });
});

describe("auto", () => {
  serve({ JWT_ALGORITHM: "auto", JWT_PUBLIC_KEY: ed.pem, JWT_SECRET: SECRET });

  test("takes what keys are configured for, each by its own", async () => {
    expect(await ask(bearer(await ed.token(READER)))).toEqual([200, undefined]);
    expect(await ask(bearer(await hsToken(READER)))).toEqual([200, undefined]);
    expect(await ask(bearer(await rsa.token(READER)))).toEqual([401, "Unsupported algorithm: RS256"]);
    expect(await ask(bearer(unsigned({ alg: "none" }, READER)))).toEqual([401, "Unsupported algorithm: none"]);
    expect(await ask(bearer(unsigned({ alg: "PS256" }, READER)))).toEqual([401, "Unsupported algorithm: PS256"]);
  });

  test("never takes a public key for a secret", async () => {
    for (const secret of [ed.pem, ed.pem.trim(), ed.jwk.x!]) {
      expect(await ask(bearer(await hsToken({ role: "admin" }, secret)))).toEqual([401, "Invalid token signature"]);
    }
  });
});

describe("auto without a secret", () => {
  serve({ JWT_ALGORITHM: "auto", JWT_PUBLIC_KEY: rsa.pem });

  test("takes no HS256", async () => {
    expect(await ask(bearer(await hsToken(READER, rsa.pem)))).toEqual([401, "Unsupported algorithm: HS256"]);
    expect(await ask(bearer(await rsa.token(READER)))).toEqual([200, undefined]);
  });
});
