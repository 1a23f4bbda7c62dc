/**
 * Authentication as configured: what the `JWT_*` variables say together, checked so far that a start with it protects
 * the server.
 *
 * @module
 */
import { createPublicKey } from "node:crypto";
import type { Values } from "./config-variables.ts";

/** How tokens are verified, and what they allow. */
export interface AuthConfig {
  readonly algorithm: "HS256" | "RS256" | "EdDSA" | "auto";
  /** For HS256, as UTF-8. */
  readonly secret: string | null;
  readonly publicKey: { readonly algorithm: "RS256" | "EdDSA"; readonly pem: string } | null;
  readonly jwks: { readonly url: string; readonly refreshMs: number; readonly timeoutMs: number } | null;
  readonly issuer: string | null;
  readonly audience: string | null;
  /** Tolerance for the times in a token, in seconds. */
  readonly clockSkewS: number;
  /** Paths that ask for no token: exactly these, and all below an entry that ends with a slash. */
  readonly skipPaths: readonly string[];
  readonly roles: {
    /** Name of the claim that holds one role. */
    readonly claim: string;
    /** Name of the claim that holds an array of roles. */
    readonly arrayClaim: string;
    /** How tokens call each role. */
    readonly names: {
      readonly "read-only": string;
      readonly "write-only": string;
      readonly "read-write": string;
      readonly admin: string;
    };
  };
}

/** RSA keys below this are refused (RFC 7518, section 3.3). */
const RSA_BITS_MIN = 2_048;
const ALGORITHMS = { hs256: "HS256", rs256: "RS256", eddsa: "EdDSA", auto: "auto" } as const;

/**
 * Reads the authentication settings.
 *
 * @param problems - Gets a sentence for everything that makes them unusable.
 * @returns Null when authentication is off; a value that may not be used when there are problems.
 */
export function authConfig(values: Values, problems: string[]): AuthConfig | null {
  if (!values.JWT_ENABLED) return null;
  // One of its choices, or its problem is on the list already.
  const algorithm = ALGORITHMS[values.JWT_ALGORITHM as keyof typeof ALGORITHMS];
  const publicKey = values.JWT_PUBLIC_KEY === null ? null : publicKeyOf(values.JWT_PUBLIC_KEY, problems);
  const jwks = values.JWT_JWKS_URL === null ? null : jwksOf(values, values.JWT_JWKS_URL, problems);
  if (algorithm !== undefined) checkKeys(algorithm, values, publicKey, problems);
  const names = {
    "read-only": values.JWT_ROLE_READ_ONLY,
    "write-only": values.JWT_ROLE_WRITE_ONLY,
    "read-write": values.JWT_ROLE_READ_WRITE,
    admin: values.JWT_ROLE_ADMIN,
  };
  if (new Set(Object.values(names)).size < Object.keys(names).length) {
    problems.push(
      "JWT_ROLE_ADMIN, JWT_ROLE_READ_WRITE, JWT_ROLE_READ_ONLY, JWT_ROLE_WRITE_ONLY: expected four different names",
    );
  }
  const skipPaths = values.JWT_SKIP_PATHS.split(",").map((path) => path.trim());
  if (skipPaths.some((path) => path !== "" && !path.startsWith("/"))) {
    problems.push("JWT_SKIP_PATHS: expected paths that begin with a slash, separated by commas");
  }
  return {
    algorithm,
    secret: values.JWT_SECRET,
    publicKey,
    jwks,
    issuer: values.JWT_ISSUER,
    audience: values.JWT_AUDIENCE,
    clockSkewS: values.JWT_CLOCK_SKEW,
    skipPaths: skipPaths.filter((path) => path !== ""),
    roles: { claim: values.JWT_ROLES_CLAIM, arrayClaim: values.JWT_ROLES_ARRAY_CLAIM, names },
  };
}

/** Whether there is anything to verify a token by. */
function checkKeys(
  algorithm: AuthConfig["algorithm"],
  { JWT_SECRET: secret, JWT_PUBLIC_KEY: pem, JWT_JWKS_URL: url }: Values,
  publicKey: AuthConfig["publicKey"],
  problems: string[],
): void {
  if (algorithm === "HS256") {
    if (secret === null) problems.push("JWT_SECRET: expected a secret, because JWT_ALGORITHM is HS256");
    return;
  }
  if (algorithm === "auto") {
    if (secret === null && pem === null && url === null) {
      problems.push("JWT_ALGORITHM: auto expects JWT_SECRET, JWT_PUBLIC_KEY or JWT_JWKS_URL to be set");
    }
    return;
  }
  if (pem === null && url === null) {
    problems.push(`JWT_ALGORITHM: ${algorithm} expects JWT_PUBLIC_KEY or JWT_JWKS_URL to be set`);
  } else if (publicKey !== null && publicKey.algorithm !== algorithm && url === null) {
    problems.push(`JWT_PUBLIC_KEY: expected a key for ${algorithm}, got one for ${publicKey.algorithm}`);
  }
}

/** A PEM public key or certificate; line ends may be written as `\n`, as environment files have them. */
function publicKeyOf(text: string, problems: string[]): AuthConfig["publicKey"] {
  const pem = text.replaceAll("\\n", "\n");
  if (/PRIVATE KEY/.test(pem)) {
    problems.push(
      "JWT_PUBLIC_KEY: expected a public key, got a private one, which a server that only verifies must not have",
    );
    return null;
  }
  try {
    const key = createPublicKey(pem);
    if (key.asymmetricKeyType === "ed25519") return { algorithm: "EdDSA", pem };
    if (key.asymmetricKeyType === "rsa" && (key.asymmetricKeyDetails?.modulusLength ?? 0) >= RSA_BITS_MIN) {
      return { algorithm: "RS256", pem };
    }
    problems.push(`JWT_PUBLIC_KEY: expected an Ed25519 key, or an RSA key of ${RSA_BITS_MIN} bits or more`);
  } catch {
    problems.push("JWT_PUBLIC_KEY: expected a public key or a certificate in PEM");
  }
  return null;
}

function jwksOf(values: Values, url: string, problems: string[]): AuthConfig["jwks"] {
  const protocol = URL.canParse(url) ? new URL(url).protocol : "";
  if (protocol !== "https:" && protocol !== "http:") problems.push("JWT_JWKS_URL: expected an http or https address");
  return { url, refreshMs: values.JWT_JWKS_REFRESH_INTERVAL * 1_000, timeoutMs: values.JWT_JWKS_TIMEOUT_MS };
}
