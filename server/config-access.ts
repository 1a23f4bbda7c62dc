/**
 * Who may talk to the server, and how, as configured: TLS, CORS, authentication.
 *
 * @module
 */
import { type AuthConfig, authConfig } from "./config-auth.ts";
import type { Values } from "./config-variables.ts";

/** Settings of access. */
export interface AccessConfig {
  /** Null for plain HTTP. */
  readonly tls: TlsConfig | null;
  /** Origins whose pages may use the server; `*` for all of them. */
  readonly corsOrigins: "*" | readonly string[];
  /** Null when everybody may do everything. */
  readonly auth: AuthConfig | null;
}

/** Certificate and key, each as PEM or as the path of a file of it. */
export interface TlsConfig {
  readonly cert: string;
  readonly key: string;
}

/**
 * Reads the settings of access.
 *
 * @param problems - Gets a sentence for everything that makes them unusable.
 */
export function accessConfig(values: Values, problems: string[]): AccessConfig {
  return {
    tls: tlsConfig(values, problems),
    corsOrigins: corsOrigins(values.CORS_ORIGINS, problems),
    auth: authConfig(values, problems),
  };
}

function tlsConfig({ TLS_CERT: cert, TLS_KEY: key }: Values, problems: string[]): TlsConfig | null {
  if (cert === null && key === null) return null;
  if (cert !== null && key !== null) return { cert, key };
  problems.push(
    cert === null ? "TLS_CERT: expected a certificate for TLS_KEY" : "TLS_KEY: expected the key of TLS_CERT",
  );
  return null;
}

function corsOrigins(text: string, problems: string[]): "*" | readonly string[] {
  if (text === "*") return "*";
  if (text.toLowerCase() === "none") return [];
  const origins = text.split(",").map((origin) => origin.trim());
  for (const origin of origins) {
    // As browsers send it: scheme, host, and the port unless it is the scheme's own.
    if (origin.includes("*") || !URL.canParse(origin) || new URL(origin).origin !== origin) {
      problems.push(
        `CORS_ORIGINS: expected *, none, or origins such as https://app.example.com, got ${JSON.stringify(origin)}`,
      );
    }
  }
  return origins;
}
