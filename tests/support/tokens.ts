/**
 * Tokens, keys, and an issuer that publishes them, for tests of authentication.
 *
 * @module
 */
import { createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { type JWK, type JWTHeaderParameters, type JWTPayload, SignJWT } from "jose";

/** What tokens of {@link hsToken} are signed with unless told otherwise. */
export const SECRET = "a secret of more than thirty-two bytes, for tests only";

/** Settings that make a server ask for such tokens. */
export const HS256_ENV = { JWT_ENABLED: "true", JWT_SECRET: SECRET };

/** Signs claims as they are: nothing is added, so that a test states every claim. */
export function signed(claims: JWTPayload, key: KeyObject | Uint8Array, header: JWTHeaderParameters): Promise<string> {
  return new SignJWT(claims).setProtectedHeader(header).sign(key);
}

/** A token signed with HS256. */
export function hsToken(claims: JWTPayload, secret: string = SECRET): Promise<string> {
  return signed(claims, new TextEncoder().encode(secret), { alg: "HS256" });
}

/** A token that is never valid, made by hand: a header and claims without a signature worth the name. */
export function unsigned(header: object, claims: object, signature = ""): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part(header)}.${part(claims)}.${signature}`;
}

/** Headers that carry a token. */
export function bearer(token: string): Record<string, string> {
  return { authorization: `Bearer ${token}` };
}

/** Seconds since 1970, so many from now. */
export function seconds(fromNow: number): number {
  return Math.floor(Date.now() / 1_000) + fromNow;
}

/** A key pair for one algorithm. */
export interface SigningKey {
  readonly algorithm: "RS256" | "EdDSA";
  readonly kid: string;
  readonly pem: string;
  /** Public half as a JWKS has it. */
  readonly jwk: JWK;
  /** Signs claims, naming the key unless told otherwise. */
  token(claims: JWTPayload, kid?: string | null): Promise<string>;
}

/** Makes a key pair. */
export function makeKey(algorithm: "RS256" | "EdDSA", kid: string): SigningKey {
  const { publicKey, privateKey } =
    algorithm === "RS256" ? generateKeyPairSync("rsa", { modulusLength: 2048 }) : generateKeyPairSync("ed25519");
  const pem = String(publicKey.export({ type: "spki", format: "pem" }));
  const jwk = createPublicKey(pem).export({ format: "jwk" }) as JWK;
  return {
    algorithm,
    kid,
    pem,
    jwk: { ...jwk, kid, alg: algorithm, use: "sig" },
    token: (claims, named = kid) =>
      signed(claims, privateKey, { alg: algorithm, ...(named !== null && { kid: named }) }),
  };
}

/** An issuer's JWKS address. */
export interface Issuer {
  readonly url: string;
  /** What it publishes now. */
  keys: readonly (JWK | null)[];
  /** What it answers instead; null to publish its keys. */
  answer: (() => Response | Promise<Response>) | null;
  /** How often it was asked. */
  readonly fetchCount: number;
  stop(): Promise<void>;
}

/** Starts an issuer on a free port of 127.0.0.1. */
export function startIssuer(...keys: readonly SigningKey[]): Issuer {
  let fetchCount = 0;
  const issuer = {
    url: "",
    keys: keys.map(({ jwk }) => jwk) as readonly (JWK | null)[],
    answer: null as Issuer["answer"],
    get fetchCount() {
      return fetchCount;
    },
    stop: () => server.stop(true),
  };
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: () => {
      fetchCount += 1;
      return issuer.answer === null ? Response.json({ keys: issuer.keys }) : issuer.answer();
    },
  });
  issuer.url = `http://127.0.0.1:${server.port}/.well-known/jwks.json`;
  return issuer;
}
