/**
 * The public keys of an issuer, fetched from its JWKS address and kept.
 *
 * Keys are fetched when they are needed and older than the refresh interval, and once more when a token names a key that
 * is not among them; how often strangers can cause such a fetch is bounded. While the address cannot be reached the keys
 * fetched last stay in use, for a day at most.
 *
 * @module
 */
import { type CryptoKey, importJWK, type JWK } from "jose";
import type { LogLine } from "../../pool/pool.ts";
import { Denied, echo } from "./denied.ts";

/** Algorithms whose keys a JWKS may hold. */
export type PublicAlgorithm = "RS256" | "EdDSA";

/** What {@link Jwks} needs. */
export interface JwksOptions {
  readonly url: string;
  /** Age from which the keys are fetched anew, in milliseconds. */
  readonly refreshMs: number;
  /** Longest wait for the answer, in milliseconds. */
  readonly timeoutMs: number;
  readonly log: LogLine;
  /** Called when the keys are others than before. */
  readonly onChange: () => void;
}

interface PublicKey {
  readonly kid: string | null;
  readonly algorithm: PublicAlgorithm;
  readonly key: CryptoKey;
}

const BYTES_MAX = 1_048_576;
const KEYS_MAX = 100;
/** How long keys are used that cannot be fetched anew. */
const STALE_MS_MAX = 86_400_000;
/** Pause after a failed fetch: while there are no keys, and while older ones serve. */
const RETRY_MS = 1_000;
const RETRY_STALE_MS = 30_000;
/** Fetches for unknown key ids: so many at once, and another one after each such time. */
const EXTRA_FETCHES_MAX = 5;
const EXTRA_FETCH_MS = 30_000;
/** RSA keys below this are refused by the algorithm's definition (RFC 7518, section 3.3). */
const RSA_BITS_MIN = 2_048;

/** See the module's comment. */
export class Jwks {
  readonly #options: JwksOptions;
  #keys: readonly PublicKey[] = [];
  /** The answer the keys came from, to see a change. */
  #text = "";
  #fetchedAt = Number.NEGATIVE_INFINITY;
  #failedAt = Number.NEGATIVE_INFINITY;
  #fetching: Promise<boolean> | null = null;
  #extraFetches = EXTRA_FETCHES_MAX;
  #extraSince = performance.now();

  constructor(options: JwksOptions) {
    this.#options = options;
  }

  /**
   * Keys that may have signed a token.
   *
   * @param kid - The key the token names; null takes every key of the algorithm.
   * @returns One or more.
   * @throws {@link Denied} 500 `Failed to fetch JWKS` when there are no keys to look at; 401 `Unknown key ID: k`.
   */
  async find(algorithm: PublicAlgorithm, kid: string | null): Promise<readonly CryptoKey[]> {
    const fresh = await this.#refresh();
    let found = this.#matching(algorithm, kid);
    if (found.length > 0) return found;
    // The issuer may have changed its keys since.
    if (!fresh && this.#takeExtraFetch()) {
      await this.#fetch();
      found = this.#matching(algorithm, kid);
      if (found.length > 0) return found;
    }
    if (this.#failedAt > this.#fetchedAt) throw new Denied(500, "Failed to fetch JWKS");
    throw new Denied(401, `Unknown key ID: ${echo(kid ?? "none")}`);
  }

  /**
   * Fetches the keys if they are too old and the last failure is not too recent.
   *
   * @returns Whether they were fetched just now.
   * @throws {@link Denied} 500 when there are none that may be used.
   */
  async #refresh(): Promise<boolean> {
    const age = performance.now() - this.#fetchedAt;
    if (age < this.#options.refreshMs) return false;
    const usable = age <= this.#options.refreshMs + STALE_MS_MAX;
    const rested = performance.now() - this.#failedAt >= (usable ? RETRY_STALE_MS : RETRY_MS);
    const fetched = rested && (await this.#fetch());
    if (!fetched && !usable) throw new Denied(500, "Failed to fetch JWKS");
    return fetched;
  }

  #matching(algorithm: PublicAlgorithm, kid: string | null): CryptoKey[] {
    return this.#keys
      .filter((key) => key.algorithm === algorithm && (kid === null || key.kid === kid))
      .map(({ key }) => key);
  }

  /** Whether a token with an unknown key may cause a fetch: anybody can make up such tokens. */
  #takeExtraFetch(): boolean {
    const gained = Math.floor((performance.now() - this.#extraSince) / EXTRA_FETCH_MS);
    this.#extraSince += gained * EXTRA_FETCH_MS;
    this.#extraFetches = Math.min(EXTRA_FETCHES_MAX, this.#extraFetches + gained);
    if (this.#extraFetches === 0) return false;
    this.#extraFetches -= 1;
    return true;
  }

  /** Fetches once, however many ask at a time. */
  #fetch(): Promise<boolean> {
    this.#fetching ??= this.#load().finally(() => {
      this.#fetching = null;
    });
    return this.#fetching;
  }

  async #load(): Promise<boolean> {
    const { url, timeoutMs, log, onChange } = this.#options;
    try {
      const text = await download(url, timeoutMs);
      if (text !== this.#text) {
        this.#keys = await parseKeys(text, log);
        this.#text = text;
        log("info", "jwks_loaded", { keys: this.#keys.length });
        onChange();
      }
      this.#fetchedAt = performance.now();
      return true;
    } catch (error) {
      this.#failedAt = performance.now();
      log("warn", "jwks_unreachable", { reason: error instanceof Error ? error.message : String(error) });
      return false;
    }
  }
}

async function download(url: string, timeoutMs: number): Promise<string> {
  const response = await fetch(url, {
    headers: { accept: "application/jwk-set+json, application/json" },
    redirect: "error",
    signal: AbortSignal.timeout(timeoutMs),
  });
  if (!response.ok || response.body === null) {
    await response.body?.cancel();
    throw new Error(`status ${response.status}`);
  }
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let text = "";
  let length = 0;
  for await (const piece of response.body) {
    length += piece.byteLength;
    if (length > BYTES_MAX) throw new Error(`longer than ${BYTES_MAX} bytes`);
    text += decoder.decode(piece, { stream: true });
  }
  return text + decoder.decode();
}

/** @throws Error when the text is no key set. Keys of other kinds are passed over, as RFC 7517 asks. */
async function parseKeys(text: string, log: LogLine): Promise<PublicKey[]> {
  const value: unknown = JSON.parse(text);
  if (typeof value !== "object" || value === null || !("keys" in value) || !Array.isArray(value.keys)) {
    throw new Error("no array of keys");
  }
  const keys: PublicKey[] = [];
  for (const jwk of value.keys.slice(0, KEYS_MAX) as JWK[]) {
    try {
      const key = await importPublic(jwk);
      if (key !== null) keys.push(key);
    } catch (error) {
      log("warn", "jwks_key_unusable", {
        kid: echo(jwk?.kid),
        reason: error instanceof Error ? error.message : String(error),
      });
    }
  }
  return keys;
}

async function importPublic(jwk: JWK): Promise<PublicKey | null> {
  if (jwk.use !== undefined && jwk.use !== "sig") return null;
  if (jwk.key_ops !== undefined && !jwk.key_ops.includes("verify")) return null;
  const algorithm = algorithmOf(jwk);
  if (algorithm === null) return null;
  // Only what is public is taken over, whatever the set shows besides.
  const { kty, n, e, crv, x } = jwk;
  const key = await importJWK(kty === "RSA" ? { kty, n, e } : { kty, crv, x }, algorithm);
  if (key instanceof Uint8Array) return null;
  if (algorithm === "RS256" && (key.algorithm as RsaKeyAlgorithm).modulusLength < RSA_BITS_MIN) {
    throw new Error(`an RSA key under ${RSA_BITS_MIN} bits`);
  }
  return { kid: typeof jwk.kid === "string" ? jwk.kid : null, algorithm, key };
}

function algorithmOf({ kty, crv, alg }: JWK): PublicAlgorithm | null {
  if (kty === "RSA") return alg === undefined || alg === "RS256" ? "RS256" : null;
  if (kty === "OKP" && crv === "Ed25519") {
    return alg === undefined || alg === "EdDSA" || alg === "Ed25519" ? "EdDSA" : null;
  }
  return null;
}
