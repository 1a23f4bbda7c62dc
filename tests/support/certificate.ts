/**
 * Certificates made on the spot by openssl.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";

/** A certificate for 127.0.0.1 and localhost that vouches for itself, and its key. */
export interface Certificate {
  readonly certFile: string;
  readonly keyFile: string;
  readonly cert: string;
  readonly key: string;
}

/**
 * Makes a certificate.
 *
 * @param folder - Where its files go.
 * @param name - Beginning of their names.
 * @param notAfter - Its end as openssl has it (`YYYYMMDDHHMMSSZ`), ten days from now unless given; the beginning is before it.
 * @throws Error with what openssl said.
 */
export function makeCertificate(folder: string, name: string, notAfter?: string): Certificate {
  const [certFile, keyFile] = [join(folder, `${name}-cert.pem`), join(folder, `${name}-key.pem`)];
  const validity =
    notAfter === undefined ? ["-days", "10"] : ["-not_before", "20200101000000Z", "-not_after", notAfter];
  const made = spawnSync(
    "openssl",
    [
      ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", ...validity],
      ...["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
      ...["-keyout", keyFile, "-out", certFile],
    ],
    { encoding: "utf8" },
  );
  if (made.status !== 0) throw new Error(`openssl: ${made.stderr}`);
  return { certFile, keyFile, cert: readFileSync(certFile, "utf8"), key: readFileSync(keyFile, "utf8") };
}
