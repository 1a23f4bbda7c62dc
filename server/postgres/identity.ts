import { randomBytes } from "node:crypto";
import { open, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

/** Bytes of `pg_control` in front of its sum lie in this range, in every version of PostgreSQL there is. */
const SUM_PLACE_MIN = 200;
const SUM_PLACE_MAX = 480;
/** `mock_authentication_nonce` ends right before the sum, padded to its alignment: here on a machine of 64 bits. */
const NONCE_BYTES = 32;
const NONCE_PADDING = 3;
/** `xlp_info` of a page of the write-ahead log, its flag for a long header, and `xlp_sysid` in that one. */
const PAGE_INFO_AT = 2;
const PAGE_LONG_HEADER = 0x0002;
const PAGE_IDENTIFIER_AT = 24;
const SUPPORTED_CONTROL_VERSION = 1800;

/**
 * Gives a copy of a cluster an identity of its own, as `initdb` would have: PostgreSQL and its tools take two clusters
 * with the same system identifier for copies of one history, and would mix their logs. It stands in `pg_control` and on
 * the first page of each file of the write-ahead log. The secret that answers to unknown users' names are made with is
 * drawn anew, too.
 *
 * @param cluster - A cluster that was shut down, made by PostgreSQL 18 on a little-endian machine of 64 bits.
 * @returns The new identifier.
 * @throws Error when the files are not what they should be; nothing has been changed then.
 */
export async function renewIdentity(cluster: string): Promise<bigint> {
  const identifier = newIdentifier();
  const controlFile = join(cluster, "global", "pg_control");
  const control = await readFile(controlFile);
  const version = control.readUInt32LE(8);
  const sumAt = findSum(control);
  if (version !== SUPPORTED_CONTROL_VERSION || sumAt === null) {
    throw new Error(`${controlFile} is not of PostgreSQL 18 (version ${version})`);
  }
  const logs = (await readdir(join(cluster, "pg_wal"))).filter((name) => /^[0-9A-F]{24}$/.test(name));
  const logFiles = logs.map((name) => join(cluster, "pg_wal", name));
  const previous = control.readBigUInt64LE(0);
  for (const file of logFiles) await checkLogFile(file, previous);

  for (const file of logFiles) await writeAt(file, identifierBytes(identifier), PAGE_IDENTIFIER_AT);
  control.writeBigUInt64LE(identifier, 0);
  randomBytes(NONCE_BYTES).copy(control, sumAt - NONCE_PADDING - NONCE_BYTES);
  control.writeUInt32LE(crc32c(control.subarray(0, sumAt)), sumAt);
  await writeAt(controlFile, control, 0);
  return identifier;
}

/** Seconds in the upper half, as PostgreSQL makes it; the lower half is drawn, where it has microseconds and a pid. */
function newIdentifier(): bigint {
  return (BigInt(Math.floor(Date.now() / 1000)) << 32n) | BigInt(randomBytes(4).readUInt32LE(0));
}

/** The sum stands where it is right: one place in 2^32 would be so by chance. */
function findSum(control: Buffer): number | null {
  for (let at = SUM_PLACE_MIN; at <= SUM_PLACE_MAX; at += 4) {
    if (control.readUInt32LE(at) === crc32c(control.subarray(0, at))) return at;
  }
  return null;
}

async function checkLogFile(file: string, identifier: bigint): Promise<void> {
  const handle = await open(file, "r");
  try {
    const page = Buffer.alloc(PAGE_IDENTIFIER_AT + 8);
    await handle.read(page, 0, page.length, 0);
    const hasLongHeader = (page.readUInt16LE(PAGE_INFO_AT) & PAGE_LONG_HEADER) !== 0;
    if (!hasLongHeader || page.readBigUInt64LE(PAGE_IDENTIFIER_AT) !== identifier) {
      throw new Error(`${file} is not of this cluster`);
    }
  } finally {
    await handle.close();
  }
}

async function writeAt(file: string, bytes: Uint8Array, position: number): Promise<void> {
  const handle = await open(file, "r+");
  try {
    await handle.write(bytes, 0, bytes.length, position);
    await handle.datasync();
  } finally {
    await handle.close();
  }
}

function identifierBytes(identifier: bigint): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(identifier);
  return bytes;
}

/**
 * The sum PostgreSQL uses: CRC-32C (Castagnoli).
 *
 * @param bytes - What is summed.
 * @returns 32 bits, not negative.
 */
export function crc32c(bytes: Uint8Array): number {
  let sum = 0xffffffff;
  for (const byte of bytes) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit++) sum = (sum >>> 1) ^ (sum & 1 ? 0x82f63b78 : 0);
  }
  return ~sum >>> 0;
}
