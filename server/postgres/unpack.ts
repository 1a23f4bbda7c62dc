/**
 * Unpacks the PostgreSQL that a full build carries: its programs, once, and the cluster it was given at the build.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { mkdir, open, readdir, readFile, rename, rm, stat, symlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { createZstdDecompress } from "node:zlib";
import { type Account, handOver, makeFolders, statOrNull } from "./account.ts";
import { EmbeddedError } from "./errors.ts";
import type { EmbeddedLog } from "./log.ts";
import { readTar, type TarEntry } from "./tar.ts";

/** Archives inside a full build: tar, compressed with zstd. */
export interface CarriedPostgres {
  /** Path of the archive of `native/` (programs) and `fallback/` (libraries that a machine may lack). */
  programs: string;
  /** First half of the SHA-256 sum of that archive, 32 hexadecimal digits. */
  checksum: string;
  /** Path of the archive of a new cluster; null when the build could not make one, and `initdb` has to. */
  cluster: string | null;
}

/** Files written at once: enough to keep a disk busy with syncing, few enough for the open-file limit. */
const WRITES_MAX = 32;
const DRAFT_PREFIX = "draft-";

/** What {@link unpackPrograms} works on. */
export interface UnpackOptions {
  carried: CarriedPostgres;
  /** Folder for unpacked programs; the caller owns the data folder it lies in. */
  programsDir: string;
  account: Account;
  log: EmbeddedLog;
}

/**
 * Unpacks the programs, unless that was done before. They appear by one rename after all is on disk, under a name that
 * carries the archive's checksum, so a folder that exists is whole and of this build; an interrupted attempt leaves a
 * draft, which the next start removes.
 *
 * @param options - Archive and place.
 * @returns Folder with `bin`, `lib` and `share`.
 * @throws {@link EmbeddedError} `BINARIES_MISSING` when the archive is damaged; the system's error when the disk refuses.
 */
export async function unpackPrograms({ carried, programsDir, account, log }: UnpackOptions): Promise<string> {
  const done = join(programsDir, carried.checksum);
  const native = join(done, "native");
  await makeFolders(programsDir);
  for (const name of await readdir(programsDir)) {
    if (name.startsWith(DRAFT_PREFIX)) await rm(join(programsDir, name), { recursive: true, force: true });
  }
  if (await statOrNull(native)) return native;
  log("info", "database_unpack", { folder: done });
  await checkArchive(carried);
  const draft = join(programsDir, DRAFT_PREFIX + crypto.randomUUID());
  try {
    await unpack(carried.programs, draft);
    // Root's own programs stay root's; in a user's folder they become the user's, who may want to delete them.
    const ownerUid = (await stat(dirname(programsDir))).uid;
    if (account.switched && ownerUid === account.uid) await handOver(programsDir, account);
    await rename(draft, done);
    await syncFolder(programsDir);
  } catch (error) {
    await rm(draft, { recursive: true, force: true }).catch(() => {});
    throw error;
  }
  return native;
}

/**
 * Gives programs the C++ library of the build, for a machine that has none. Its own is preferred, since that one fits
 * its C library for certain.
 *
 * @param native - What {@link unpackPrograms} returned.
 * @returns Whether there was something to add.
 */
export async function addFallbackLibraries(native: string): Promise<boolean> {
  const names = await readdir(join(dirname(native), "fallback")).catch(() => []);
  for (const name of names) {
    await symlink(join("..", "..", "fallback", name), join(native, "lib", name)).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    });
  }
  return names.length > 0;
}

/**
 * Removes programs of other builds. Nothing may run from them any more.
 *
 * @param programsDir - As above.
 * @param native - The programs that stay.
 */
export async function removeOtherPrograms(programsDir: string, native: string): Promise<void> {
  for (const name of await readdir(programsDir)) {
    if (name === basename(dirname(native))) continue;
    // Another user's leftovers cost space and nothing else.
    await rm(join(programsDir, name), { recursive: true, force: true }).catch(() => {});
  }
}

/**
 * Unpacks an archive into a new folder. All is on disk when this returns.
 *
 * @param archive - Path of a compressed archive.
 * @param folder - Made, with its missing parents.
 * @throws {@link EmbeddedError} `BINARIES_MISSING` when the archive is damaged; the system's error when the disk
 *   refuses. What was unpacked so far stays there.
 */
export async function unpack(archive: string, folder: string): Promise<void> {
  const folders = [folder];
  const writes = new Set<Promise<void>>();
  let failure: unknown = null;
  await makeFolder(folder, 0o755);
  for await (const entry of readArchive(archive)) {
    const path = join(folder, entry.name);
    if (entry.kind === "folder") {
      await makeFolder(path, entry.mode);
      folders.push(path);
    } else if (entry.kind === "link") await symlink(entry.target, path);
    else {
      const write: Promise<void> = writeSynced(path, entry)
        .catch((error: unknown) => {
          failure ??= error;
        })
        .finally(() => writes.delete(write));
      writes.add(write);
      if (writes.size >= WRITES_MAX) await Promise.race(writes);
    }
    if (failure !== null) break;
  }
  await Promise.all(writes);
  if (failure !== null) throw failure;
  await Promise.all(folders.map(syncFolder));
}

async function* readArchive(archive: string): AsyncGenerator<TarEntry> {
  const bytes = createZstdDecompress();
  // At once: Bun cannot open what a binary carries as a stream.
  bytes.end(await readFile(archive));
  try {
    yield* readTar(bytes as AsyncIterable<Uint8Array>);
  } catch (error) {
    throw damaged(error);
  }
}

async function checkArchive({ programs, checksum }: CarriedPostgres): Promise<void> {
  const found = createHash("sha256")
    .update(await readFile(programs))
    .digest("hex");
  if (!found.startsWith(checksum)) throw damaged();
}

function damaged(cause?: unknown): EmbeddedError {
  const reason = cause instanceof Error ? ` (${cause.message})` : "";
  return new EmbeddedError(
    "BINARIES_MISSING",
    `The PostgreSQL inside this program is damaged${reason}; get the program anew, or set DATABASE_URL to a PostgreSQL server of your own`,
    cause,
  );
}

async function makeFolder(path: string, mode: number): Promise<void> {
  await mkdir(path, { recursive: true });
  const handle = await open(path, "r");
  try {
    // Not by mkdir's mode: a strict umask would close the way.
    await handle.chmod(mode);
  } finally {
    await handle.close();
  }
}

async function writeSynced(path: string, { content, mode }: TarEntry): Promise<void> {
  const handle = await open(path, "wx");
  try {
    await handle.writeFile(content);
    await handle.chmod(mode);
    await handle.datasync();
  } finally {
    await handle.close();
  }
}

/**
 * Puts the names in a folder on disk.
 *
 * @param folder - Absolute path.
 */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
