/**
 * From a token to who its bearer is: signature, times, issuer, audience, role.
 *
 * @module
 */
import { createPublicKey, type KeyObject } from "node:crypto";
import { type CryptoKey, decodeProtectedHeader, errors, type JWTPayload, jwtVerify } from "jose";
import type { AuthConfig } from "../../config.ts";
import type { LogLine } from "../../pool/pool.ts";
import { Denied, echo } from "./denied.ts";
import { Jwks, type PublicAlgorithm } from "./jwks.ts";
import { NO_RANK, RANK } from "./role.ts";

/** Who sent a request, as far as its token says. */
export interface Identity {
  /** Of its highest role; 0 for none. */
  readonly rank: number;
  /** May push, whatever its rank. */
  readonly pushes: boolean;
  /** The token's `sub`; null when it has none. */
  readonly subject: string | null;
}

/** An identity, and the time from which its token is no longer valid. */
export interface VerifiedToken {
  readonly identity: Identity;
  /** In milliseconds since 1970; infinite for a token that does not expire. */
  readonly endsAt: number;
}

type Algorithm = "HS256" | PublicAlgorithm;
type Key = KeyObject | CryptoKey | Uint8Array;

/** Shorter secrets are used, with a warning: RFC 7518, section 3.2, forbids them, servers before this one did not. */
const SECRET_BYTES_MIN = 32;
/** Longest `sub`, in UTF-16 code units: it is stored with every message its bearer pushes. */
const SUBJECT_LENGTH_MAX = 255;

/** Verifies tokens by the keys of one configuration. */
export class TokenVerifier {
  readonly #config: AuthConfig;
  readonly #secret: Uint8Array | null;
  readonly #publicKey: { readonly algorithm: PublicAlgorithm; readonly key: KeyObject } | null;
  readonly #jwks: Jwks | null;

  /** @param onKeyChange - Called when what was verified before may no longer be valid. */
  constructor(config: AuthConfig, log: LogLine, onKeyChange: () => void) {
    const { secret, publicKey, jwks } = config;
    this.#config = config;
    this.#secret = secret === null ? null : new TextEncoder().encode(secret);
    if (this.#secret !== null && this.#secret.length < SECRET_BYTES_MIN) {
      log("warn", "jwt_secret_weak", {
        reason: `JWT_SECRET has fewer than ${SECRET_BYTES_MIN} bytes: it can be guessed from a token`,
      });
    }
    this.#publicKey =
      publicKey === null ? null : { algorithm: publicKey.algorithm, key: createPublicKey(publicKey.pem) };
    this.#jwks = jwks === null ? null : new Jwks({ ...jwks, log, onChange: onKeyChange });
  }

  /**
   * Verifies a token.
   *
   * @throws {@link Denied} 401 with the contract's text, or 500 when the issuer's keys cannot be fetched.
   */
  async verify(token: string): Promise<VerifiedToken> {
    const header = headerOf(token);
    const algorithm = this.#algorithmOf(header.alg);
    const kid = typeof header.kid === "string" ? header.kid : null;
    const payload = await this.#checkedPayload(token, await this.#keys(algorithm, kid));
    this.#checkIssuedAt(payload);
    const { exp, sub } = payload;
    return {
      identity: { ...this.#rolesOf(payload), subject: subjectOf(sub) },
      endsAt: exp === undefined ? Number.POSITIVE_INFINITY : (exp + this.#config.clockSkewS) * 1_000,
    };
  }

  #algorithmOf(alg: string): Algorithm {
    const named = alg === "Ed25519" ? "EdDSA" : alg;
    const { algorithm } = this.#config;
    if (algorithm !== "auto") {
      if (named !== algorithm) throw new Denied(401, `Token uses ${echo(alg)}, expected ${algorithm}`);
      return algorithm;
    }
    const usable =
      named === "HS256"
        ? this.#secret !== null
        : (named === "RS256" || named === "EdDSA") && (this.#jwks !== null || this.#publicKey?.algorithm === named);
    if (!usable) throw new Denied(401, `Unsupported algorithm: ${echo(alg)}`);
    return named as Algorithm;
  }

  /** A key belongs to one algorithm, so that no public key is ever taken for a secret. */
  async #keys(algorithm: Algorithm, kid: string | null): Promise<readonly Key[]> {
    if (algorithm === "HS256") return this.#secret === null ? [] : [this.#secret];
    if (this.#publicKey?.algorithm === algorithm) return [this.#publicKey.key];
    return this.#jwks === null ? [] : this.#jwks.find(algorithm, kid);
  }

  async #checkedPayload(token: string, keys: readonly Key[]): Promise<JWTPayload> {
    const { issuer, audience, clockSkewS } = this.#config;
    const options = {
      algorithms: ["HS256", "RS256", "EdDSA", "Ed25519"],
      clockTolerance: clockSkewS,
      ...(issuer !== null && { issuer }),
      ...(audience !== null && { audience }),
    };
    for (const key of keys) {
      try {
        return (await jwtVerify(token, key, options)).payload;
      } catch (error) {
        if (!(error instanceof errors.JWSSignatureVerificationFailed)) throw deniedFor(error);
      }
    }
    throw new Denied(401, "Invalid token signature");
  }

  /** The library sees to it that `iat` is a number, but compares it only with a greatest age. */
  #checkIssuedAt({ iat }: JWTPayload): void {
    if (iat !== undefined && iat > Date.now() / 1_000 + this.#config.clockSkewS) {
      throw new Denied(401, "Token decode error: issued in the future");
    }
  }

  #rolesOf(payload: JWTPayload): { rank: number; pushes: boolean } {
    const { names, claim, arrayClaim } = this.#config.roles;
    const held: unknown[] = Object.hasOwn(payload, claim) ? [payload[claim]] : [];
    const list = Object.hasOwn(payload, arrayClaim) ? payload[arrayClaim] : null;
    if (Array.isArray(list)) held.push(...list);
    let rank = NO_RANK;
    for (const role of ["read-only", "read-write", "admin"] as const) {
      if (held.includes(names[role])) rank = RANK[role];
    }
    return { rank, pushes: held.includes(names["write-only"]) };
  }
}

function headerOf(token: string): { alg: string; kid?: unknown } {
  try {
    const header = decodeProtectedHeader(token);
    if (typeof header.alg !== "string") throw new Error("no algorithm");
    return { alg: header.alg, kid: header.kid };
  } catch (error) {
    throw new Denied(401, `Token decode error: ${error instanceof Error ? echo(error.message) : "unreadable"}`);
  }
}

function subjectOf(sub: unknown): string | null {
  if (sub === undefined || sub === null) return null;
  if (typeof sub !== "string" || sub.length > SUBJECT_LENGTH_MAX || sub.includes("\0") || !sub.isWellFormed()) {
    throw new Denied(401, `Token decode error: sub is not a text of up to ${SUBJECT_LENGTH_MAX} characters`);
  }
  return sub;
}

/** What the library found wrong, in the contract's words. */
function deniedFor(error: unknown): Denied {
  if (error instanceof errors.JWTExpired) return new Denied(401, "Token has expired");
  if (error instanceof errors.JWTClaimValidationFailed) {
    if (error.claim === "iss") return new Denied(401, "Invalid token issuer");
    if (error.claim === "aud") return new Denied(401, "Invalid token audience");
    if (error.claim === "nbf") return new Denied(401, "Token decode error: not valid yet");
    return new Denied(401, `Token decode error: unusable claim ${echo(error.claim)}`);
  }
  if (error instanceof errors.JOSEError) return new Denied(401, `Token decode error: ${echo(error.message)}`);
  throw error;
}
