import { createHash } from "node:crypto";
import { chmod, lstat, mkdir, mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Account, closedFolder, handOver } from "./account.ts";
import { systemErrorCode } from "./errors.ts";
import { SOCKET_PORT } from "./settings.ts";

/** Longest path of a unix socket in bytes on the strictest system (macOS: 104 with the closing zero; Linux has 108). */
const SOCKET_PATH_BYTES_MAX = 103;

/**
 * Provides the folder for the socket: `socket` in the data folder, or, when that path is too long for a socket, a folder
 * under the temporary one that is named after the data folder.
 *
 * The folder is 0700 and belongs to the user who runs PostgreSQL, which is what makes `trust` authentication safe: only
 * that user and root can get to the socket. A queue server that runs as root reaches it because root passes everywhere.
 *
 * @param dataDir - Absolute path without symbolic links; the caller owns it, so no live server uses the folder.
 * @param account - Who runs PostgreSQL.
 * @returns Absolute path of an empty folder.
 */
export async function provideSocketDir(dataDir: string, account: Account): Promise<string> {
  const near = join(dataDir, "socket");
  if (fits(near)) return await clearFolder(near, account);
  const parent = await temporaryFolder(account);
  const far = join(parent, `queen-${createHash("sha256").update(dataDir).digest("hex").slice(0, 16)}`);
  // A temporary folder is open to all: one that somebody else put there is left alone.
  if (await belongsToOther(far, account)) {
    const own = await mkdtemp(`${far}-`);
    await handOver(own, account);
    return own;
  }
  return await clearFolder(far, account);
}

/**
 * Removes the socket and its lock after a stop, and the folder when it lies outside the data folder.
 *
 * @param socketDir - Folder from {@link provideSocketDir}.
 */
export async function removeSocketDir(socketDir: string): Promise<void> {
  await rm(socketDir, { recursive: true, force: true }).catch(() => {});
}

async function clearFolder(folder: string, account: Account): Promise<string> {
  // After a crash the socket and its lock file remain, and the lock names a pid that anybody may have by now.
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { mode: 0o700 });
  await chmod(folder, 0o700);
  await handOver(folder, account);
  return folder;
}

async function temporaryFolder(account: Account): Promise<string> {
  for (const candidate of [tmpdir(), "/tmp"]) {
    const folder = await realpath(candidate).catch(() => null);
    const longest = join(folder ?? "", `queen-${"0".repeat(16)}-XXXXXX`);
    if (folder !== null && fits(longest) && (await closedFolder(folder, account)) === null) return folder;
  }
  return "/tmp";
}

async function belongsToOther(folder: string, account: Account): Promise<boolean> {
  try {
    const found = await lstat(folder);
    return !found.isDirectory() || (found.uid !== account.uid && found.uid !== process.getuid?.());
  } catch (error) {
    return systemErrorCode(error) !== "ENOENT";
  }
}

function fits(folder: string): boolean {
  return Buffer.byteLength(join(folder, `.s.PGSQL.${SOCKET_PORT}`)) <= SOCKET_PATH_BYTES_MAX;
}
