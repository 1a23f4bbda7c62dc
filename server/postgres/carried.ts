import type { CarriedPostgres } from "./unpack.ts";

/** Half a SHA-256 sum says enough, and keeps the path of the socket's folder's neighbours short. */
const CHECKSUM_DIGITS = 32;

/**
 * Names an archive of programs, so that a running binary knows it again.
 *
 * @param sha256 - Sum of the archive in hexadecimal digits.
 * @returns File name.
 */
export function programsName(sha256: string): string {
  return `postgres-programs-${sha256.slice(0, CHECKSUM_DIGITS)}.tar.zst`;
}

/** File name of the archive of a new cluster. */
export const CLUSTER_NAME = "postgres-cluster.tar.zst";

/**
 * Finds the PostgreSQL among the files of a binary. The bundler puts something of its own between name and extension.
 *
 * @param files - Paths of the files.
 * @returns The archives, or null for a build without them.
 */
export function carriedAmong(files: readonly string[]): CarriedPostgres | null {
  for (const programs of files) {
    const checksum = /\/postgres-programs-([0-9a-f]{32})\.tar[^/]*\.zst$/.exec(programs)?.[1];
    if (checksum === undefined) continue;
    const cluster = files.find((file) => /\/postgres-cluster\.tar[^/]*\.zst$/.test(file)) ?? null;
    return { programs, checksum, cluster };
  }
  return null;
}
