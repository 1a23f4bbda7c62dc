import type { Stats } from "node:fs";
import { chmod, lchown, mkdir, readdir, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { EmbeddedError, systemErrorCode } from "./errors.ts";

/** Conventional "nobody", used when root starts a server on a folder that belongs to root. */
const NOBODY = 65534;

/** The user PostgreSQL runs as. PostgreSQL refuses to run as root. */
export interface Account {
  uid: number;
  gid: number;
  /** True when this process is root and PostgreSQL runs as somebody else. */
  switched: boolean;
}

/**
 * Chooses who runs PostgreSQL: this user; or, when this process is root, whoever already owns the data, so that a folder
 * made by an ordinary user stays theirs; or nobody.
 *
 * @param folders - Folders that may hold data, the most telling first. They need not exist.
 * @returns The account.
 */
export async function chooseAccount(folders: string[]): Promise<Account> {
  const uid = process.getuid?.() ?? -1;
  if (uid !== 0) return { uid, gid: process.getgid?.() ?? -1, switched: false };
  for (const folder of folders) {
    const found = await statOrNull(folder);
    if (found && found.uid !== 0) return { uid: found.uid, gid: found.gid, switched: true };
  }
  return { uid: NOBODY, gid: NOBODY, switched: true };
}

/**
 * Options that make `spawn` run a program as an account.
 *
 * @param account - Who shall run it.
 * @returns Empty when this process already is that user.
 */
export function spawnAs(account: Account): { uid?: number; gid?: number } {
  return account.switched ? { uid: account.uid, gid: account.gid } : {};
}

/**
 * Makes a folder and its missing parents. As root they may be passed through by others (0711), because PostgreSQL is
 * another user then; the data itself lies deeper, under 0700.
 *
 * @param folder - Absolute path.
 * @throws The system's error when a folder cannot be made.
 */
export async function makeFolders(folder: string): Promise<void> {
  const found = await statOrNull(folder);
  if (found?.isDirectory()) return;
  if (folder !== dirname(folder)) await makeFolders(dirname(folder));
  try {
    await mkdir(folder);
    // Not by mkdir's mode: a strict umask of root would close the way.
    await chmod(folder, process.getuid?.() === 0 ? 0o711 : 0o700);
  } catch (error) {
    // A second server may make the same folder at the same time.
    if (systemErrorCode(error) !== "EEXIST" || !(await statOrNull(folder))?.isDirectory()) throw error;
  }
}

/**
 * Makes sure that an account can reach a folder. A root-owned data folder itself is opened for passing through; folders
 * above it are the machine's and are never changed.
 *
 * @param folder - Absolute path without symbolic links.
 * @param account - Who must reach it.
 * @throws {@link EmbeddedError} `DATA_DIR_UNWRITABLE` that names the closed folder.
 */
export async function openWay(folder: string, account: Account): Promise<void> {
  if (!account.switched) return;
  const own = await stat(folder);
  if (own.uid === 0 && !mayPass(own, account)) await chmod(folder, (own.mode & 0o7777) | 0o011);
  const closed = await closedFolder(folder, account);
  if (closed === null) return;
  throw new EmbeddedError(
    "DATA_DIR_UNWRITABLE",
    `The data folder ${folder} cannot be used: as root, PostgreSQL runs as the unprivileged user ${account.uid}, which may not pass through ${closed}; set QUEEN_DATA_DIR to a folder elsewhere (/var/lib/queen, say) or start Queen as an ordinary user`,
  );
}

/**
 * Looks for a folder on the way that an account may not pass through. Access lists are not looked at.
 *
 * @param path - Absolute path without symbolic links; the file or folder itself counts as part of the way.
 * @param account - Who must reach it.
 * @returns The first closed folder from the root down, or null when the way is open.
 */
export async function closedFolder(path: string, account: Account): Promise<string | null> {
  if (!account.switched) return null;
  const above = dirname(path) === path ? null : await closedFolder(dirname(path), account);
  if (above !== null) return above;
  return mayPass(await stat(path), account) ? null : path;
}

/**
 * Hands a folder and all it holds to an account. Does nothing unless this process switches users.
 *
 * @param path - File or folder; symbolic links are handed over, not followed.
 * @param account - New owner.
 */
export async function handOver(path: string, account: Account): Promise<void> {
  if (!account.switched) return;
  await lchown(path, account.uid, account.gid);
  const entries = await readdir(path, { withFileTypes: true }).catch(() => []);
  for (const entry of entries) {
    const inner = join(path, entry.name);
    if (entry.isDirectory()) await handOver(inner, account);
    else await lchown(inner, account.uid, account.gid);
  }
}

/**
 * Looks at a file.
 *
 * @param path - Absolute path.
 * @returns Its status, or null when there is nothing to be seen.
 */
export async function statOrNull(path: string): Promise<Stats | null> {
  return await stat(path).catch(() => null);
}

function mayPass(found: Stats, account: Account): boolean {
  if (found.uid === account.uid) return (found.mode & 0o100) !== 0;
  if (found.gid === account.gid) return (found.mode & 0o010) !== 0;
  return (found.mode & 0o001) !== 0;
}
