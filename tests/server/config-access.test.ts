/**
 * Settings of access: what protects the server is taken, what would not is refused before anything starts.
 */
import { describe, expect, test } from "bun:test";
import { generateKeyPairSync } from "node:crypto";
import { type Config, ConfigError, loadConfig } from "../../server/config.ts";
import { makeKey } from "../support/tokens.ts";

const rsa = makeKey("RS256", "rsa").pem;
const ed = makeKey("EdDSA", "ed").pem;
const weak = String(
  generateKeyPairSync("rsa", { modulusLength: 1024 }).publicKey.export({ type: "spki", format: "pem" }),
);
const curve = String(
  generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey.export({ type: "spki", format: "pem" }),
);
const secretKey = String(generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" }));
const URL = "https://issuer.example/keys";
const NO_KEY = "JWT_PUBLIC_KEY: expected a public key or a certificate in PEM";

function problemsOf(env: Record<string, string>): readonly string[] {
  try {
    loadConfig(env);
    return [];
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as ConfigError).problems;
  }
}

function authOf(env: Record<string, string>): Config["auth"] {
  return loadConfig({ JWT_ENABLED: "true", ...env }).auth;
}

describe("authentication that could not verify anything is refused", () => {
  test.each<[env: Record<string, string>, problem: string | undefined]>([
    [{}, "JWT_SECRET: expected a secret, because JWT_ALGORITHM is HS256"],
    [{ JWT_PUBLIC_KEY: rsa }, "JWT_SECRET: expected a secret, because JWT_ALGORITHM is HS256"],
    [{ JWT_SECRET: "s" }, undefined],
    [{ JWT_ALGORITHM: "RS256" }, "JWT_ALGORITHM: RS256 expects JWT_PUBLIC_KEY or JWT_JWKS_URL to be set"],
    [
      { JWT_ALGORITHM: "RS256", JWT_SECRET: "s" },
      "JWT_ALGORITHM: RS256 expects JWT_PUBLIC_KEY or JWT_JWKS_URL to be set",
    ],
    [{ JWT_ALGORITHM: "RS256", JWT_PUBLIC_KEY: rsa }, undefined],
    [{ JWT_ALGORITHM: "rs256", JWT_JWKS_URL: URL }, undefined],
    [{ JWT_ALGORITHM: "RS256", JWT_PUBLIC_KEY: ed }, "JWT_PUBLIC_KEY: expected a key for RS256, got one for EdDSA"],
    [{ JWT_ALGORITHM: "RS256", JWT_PUBLIC_KEY: ed, JWT_JWKS_URL: URL }, undefined],
    [{ JWT_ALGORITHM: "EdDSA" }, "JWT_ALGORITHM: EdDSA expects JWT_PUBLIC_KEY or JWT_JWKS_URL to be set"],
    [{ JWT_ALGORITHM: "EdDSA", JWT_PUBLIC_KEY: rsa }, "JWT_PUBLIC_KEY: expected a key for EdDSA, got one for RS256"],
    [{ JWT_ALGORITHM: "EdDSA", JWT_PUBLIC_KEY: ed }, undefined],
    [{ JWT_ALGORITHM: "auto" }, "JWT_ALGORITHM: auto expects JWT_SECRET, JWT_PUBLIC_KEY or JWT_JWKS_URL to be set"],
    [{ JWT_ALGORITHM: "auto", JWT_SECRET: "s" }, undefined],
    [{ JWT_ALGORITHM: "none" }, 'JWT_ALGORITHM: expected one of hs256, rs256, eddsa, auto, got "none"'],
    [{ JWT_ALGORITHM: "EdDSA", JWT_PUBLIC_KEY: "key" }, NO_KEY],
    [{ JWT_ALGORITHM: "EdDSA", JWT_PUBLIC_KEY: ed.replace("MCow", "AAAA") }, NO_KEY],
    [
      { JWT_ALGORITHM: "RS256", JWT_PUBLIC_KEY: weak },
      "JWT_PUBLIC_KEY: expected an Ed25519 key, or an RSA key of 2048 bits or more",
    ],
    [
      { JWT_ALGORITHM: "auto", JWT_PUBLIC_KEY: curve },
      "JWT_PUBLIC_KEY: expected an Ed25519 key, or an RSA key of 2048 bits or more",
    ],
    [
      { JWT_ALGORITHM: "EdDSA", JWT_PUBLIC_KEY: secretKey },
      "JWT_PUBLIC_KEY: expected a public key, got a private one, which a server that only verifies must not have",
    ],
    [{ JWT_ALGORITHM: "auto", JWT_JWKS_URL: "keys" }, "JWT_JWKS_URL: expected an http or https address"],
    [{ JWT_ALGORITHM: "auto", JWT_JWKS_URL: "file:///keys" }, "JWT_JWKS_URL: expected an http or https address"],
    [
      { JWT_SECRET: "s", JWT_ROLE_ADMIN: "boss", JWT_ROLE_READ_ONLY: "boss" },
      "JWT_ROLE_ADMIN, JWT_ROLE_READ_WRITE, JWT_ROLE_READ_ONLY, JWT_ROLE_WRITE_ONLY: expected four different names",
    ],
    [
      { JWT_SECRET: "s", JWT_SKIP_PATHS: "/health,metrics" },
      "JWT_SKIP_PATHS: expected paths that begin with a slash, separated by commas",
    ],
    [{ JWT_SECRET: "s", JWT_CLOCK_SKEW: "-1" }, 'JWT_CLOCK_SKEW: expected an integer from 0 to 3600, got "-1"'],
  ])("%#", (env, problem) => {
    expect(problemsOf({ JWT_ENABLED: "true", ...env })).toEqual(problem === undefined ? [] : [problem]);
  });

  test("and none of it matters while it is off", () => {
    expect(problemsOf({ JWT_ALGORITHM: "RS256", JWT_PUBLIC_KEY: "key", JWT_SKIP_PATHS: "x" })).toEqual([]);
    expect(loadConfig({ JWT_SECRET: "s" }).auth).toBeNull();
  });

  test("no problem shows a secret", () => {
    const problems = problemsOf({
      JWT_ENABLED: "true",
      JWT_ALGORITHM: "EdDSA",
      JWT_PUBLIC_KEY: secretKey,
      TLS_KEY: "hidden",
    });
    expect(problems).toHaveLength(2);
    expect(problems.join("\n")).not.toMatch(/hidden|BEGIN|MC4C/);
  });
});

test("defaults of authentication are the contract's", () => {
  expect(authOf({ JWT_SECRET: "s" })).toEqual({
    algorithm: "HS256",
    secret: "s",
    publicKey: null,
    jwks: null,
    issuer: null,
    audience: null,
    clockSkewS: 30,
    skipPaths: ["/health", "/metrics/prometheus", "/metrics", "/"],
    roles: {
      claim: "role",
      arrayClaim: "roles",
      names: { "read-only": "read-only", "write-only": "write-only", "read-write": "read-write", admin: "admin" },
    },
  });
});

test("a secret is taken byte for byte, and a key with its line ends written out", () => {
  expect(authOf({ JWT_SECRET: " s\n" })?.secret).toBe(" s\n");
  const auth = authOf({ JWT_ALGORITHM: "EdDSA", JWT_PUBLIC_KEY: ed.replaceAll("\n", "\\n") });
  expect(auth?.publicKey?.algorithm).toBe("EdDSA");
  expect(auth?.publicKey?.pem).toContain("\nMCow");
});

describe("CORS_ORIGINS", () => {
  test.each<[text: string, origins: Config["corsOrigins"]]>([
    ["", "*"],
    ["*", "*"],
    ["none", []],
    ["https://a.example", ["https://a.example"]],
    ["https://a.example, http://localhost:8080", ["https://a.example", "http://localhost:8080"]],
  ])("%p", (text, origins) => {
    expect(loadConfig({ CORS_ORIGINS: text }).corsOrigins).toEqual(origins);
  });

  test.each([
    "a.example",
    "https://a.example/",
    "https://a.example,",
    "https://*.example",
    "https://a.example:443",
    "*,*",
  ])("%p is refused", (text) => {
    const problems = problemsOf({ CORS_ORIGINS: text });
    expect(problems.length).toBeGreaterThan(0);
    for (const problem of problems) expect(problem).toStartWith("CORS_ORIGINS: expected *, none, or origins");
  });
});

test("TLS needs both halves", () => {
  expect(problemsOf({ TLS_CERT: "c" })).toEqual(["TLS_KEY: expected the key of TLS_CERT"]);
  expect(problemsOf({ TLS_KEY: "k" })).toEqual(["TLS_CERT: expected a certificate for TLS_KEY"]);
  expect(loadConfig({ TLS_CERT: "c", TLS_KEY: "k" }).tls).toEqual({ cert: "c", key: "k" });
  expect(loadConfig({}).tls).toBeNull();
});
