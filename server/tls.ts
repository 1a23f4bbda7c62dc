/**
 * Certificate and key of the listener, read and checked before anything starts.
 *
 * @module
 */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import type { TlsConfig } from "./config.ts";
import type { Tls } from "./runtime.ts";

/**
 * Reads what `TLS_CERT` and `TLS_KEY` stand for.
 *
 * @param config - Each is PEM, or the path of a file of it.
 * @param warn - Gets a sentence when the certificate is not valid today; it is served all the same.
 * @returns Both as PEM; null without TLS.
 * @throws Error whose message is one sentence for a person: unreadable, no PEM, or not of one another.
 */
export function readTls(config: TlsConfig | null, warn: (reason: string) => void): Tls | null {
  if (config === null) return null;
  const cert = pemOf("TLS_CERT", config.cert);
  const key = pemOf("TLS_KEY", config.key);
  const certificate = parsed("TLS_CERT", "a certificate", () => new X509Certificate(cert));
  const privateKey = parsed("TLS_KEY", "a private key without a passphrase", () => createPrivateKey(key));
  if (!certificate.checkPrivateKey(privateKey))
    throw new Error("TLS_KEY: expected the key of TLS_CERT, got another one");
  const now = Date.now();
  if (now > Date.parse(certificate.validTo)) warn(`the certificate expired on ${certificate.validTo}`);
  if (now < Date.parse(certificate.validFrom)) warn(`the certificate begins on ${certificate.validFrom}`);
  return { cert, key };
}

function pemOf(name: string, value: string): string {
  if (value.includes("-----BEGIN ")) return value.replaceAll("\\n", "\n");
  try {
    return readFileSync(value, "utf8");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unreadable";
    throw new Error(`${name}: expected PEM or a readable file of it (${code})`, { cause: error });
  }
}

function parsed<T>(name: string, expected: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw new Error(`${name}: expected ${expected} in PEM`, { cause: error });
  }
}
