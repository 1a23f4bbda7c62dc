/**
 * Packs PostgreSQL for a full build: its programs, and a cluster that they made. Used by the build alone.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { chmod, mkdtemp, readdir, readFile, readlink, realpath, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { constants, zstdCompress } from "node:zlib";
import { chooseAccount } from "./postgres/account.ts";
import { type Binaries, prepareBinaries } from "./postgres/binaries.ts";
import { CLUSTER_NAME, programsName } from "./postgres/carried.ts";
import { ensureCluster } from "./postgres/cluster.ts";
import { type TarEntry, tarEnd, tarEntry } from "./postgres/tar.ts";

/** More would make the build a quarter of a minute longer and the binary 2 MB smaller. */
const ZSTD_LEVEL = 9;
/** For building against PostgreSQL, not for running it. */
const SUPERFLUOUS = [/\.a$/, /^native\/lib\/pkgconfig(\/|$)/, /^native\/lib\/postgresql\/pgxs(\/|$)/];
/** What the libraries of PostgreSQL want beyond the C library, and a minimal machine may lack. */
const FALLBACK_LIBRARIES = ["libstdc++.so.6", "libgcc_s.so.1"];

/**
 * Packs programs.
 *
 * @param native - Folder with `bin`, `lib` and `share`, links included.
 * @param fallback - Libraries for machines that have none, by the name they are looked for.
 * @param folder - Where the archive is put.
 * @returns Path of the archive.
 */
export async function packPrograms(
  native: string,
  fallback: ReadonlyMap<string, string>,
  folder: string,
): Promise<string> {
  const entries = [folderEntry("native"), ...(await entriesOf(native, "native"))].filter(
    ({ name }) => !SUPERFLUOUS.some((pattern) => pattern.test(name)),
  );
  if (fallback.size > 0) entries.push(folderEntry("fallback"));
  for (const [name, path] of fallback) {
    entries.push({ kind: "file", name: `fallback/${name}`, mode: 0o755, content: await readFile(path), target: "" });
  }
  const archive = await compress(entries);
  const path = join(folder, programsName(createHash("sha256").update(archive).digest("hex")));
  await writeFile(path, archive);
  return path;
}

/**
 * Makes a cluster with the programs of this machine and packs it. Whoever unpacks it must give it another identity.
 *
 * @param native - Folder of the programs.
 * @param folder - Where the archive is put.
 * @returns Path of the archive.
 * @throws EmbeddedError when the programs cannot run here.
 */
export async function packCluster(native: string, folder: string): Promise<string> {
  // Root's PostgreSQL is another user, who must get there.
  const dataDir = await realpath(await mkdtemp(join(tmpdir(), "queen-build-")));
  try {
    await chmod(dataDir, 0o711);
    const account = await chooseAccount([]);
    const binaries: Binaries = await prepareBinaries({ native, copyDir: join(dataDir, "programs"), account });
    const cluster = join(dataDir, "postgres");
    await ensureCluster({ dataDir, cluster, binaries, template: null, account, log: () => {} });
    const entries = await entriesOf(cluster, "");
    // The same tables lie in each database: side by side they compress to one.
    const rank = (entry: TarEntry) => (entry.kind === "folder" ? "" : basename(entry.name));
    entries.sort((one, other) => (rank(one) < rank(other) ? -1 : rank(one) > rank(other) ? 1 : 0));
    const path = join(folder, CLUSTER_NAME);
    await writeFile(path, await compress(entries));
    return path;
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
}

/**
 * Finds the C++ library of this machine.
 *
 * @returns Paths by name; empty where it is not at one of the usual places.
 */
export async function findFallbackLibraries(): Promise<Map<string, string>> {
  const folders = [`/lib/${process.arch === "arm64" ? "aarch64" : "x86_64"}-linux-gnu`, "/usr/lib64", "/lib64"];
  for (const folder of folders) {
    const paths = FALLBACK_LIBRARIES.map((name) => [name, join(folder, name)] as const);
    const found = await Promise.all(paths.map(([, path]) => stat(path).catch(() => null)));
    if (found.every((status) => status?.isFile())) return new Map(paths);
  }
  return new Map();
}

/** All below a folder, each folder before what is in it. */
async function entriesOf(folder: string, prefix: string): Promise<TarEntry[]> {
  const entries: TarEntry[] = [];
  const found = await readdir(folder, { withFileTypes: true });
  for (const item of found.sort((one, other) => (one.name < other.name ? -1 : 1))) {
    const path = join(folder, item.name);
    const name = prefix === "" ? item.name : `${prefix}/${item.name}`;
    const mode = item.isSymbolicLink() ? 0o777 : (await stat(path)).mode & 0o777;
    if (item.isDirectory()) {
      entries.push({ ...folderEntry(name), mode }, ...(await entriesOf(path, name)));
    } else if (item.isSymbolicLink()) {
      entries.push({ kind: "link", name, mode, content: new Uint8Array(0), target: await readlink(path) });
    } else entries.push({ kind: "file", name, mode, content: await readFile(path), target: "" });
  }
  return entries;
}

function folderEntry(name: string): TarEntry {
  return { kind: "folder", name, mode: 0o755, content: new Uint8Array(0), target: "" };
}

async function compress(entries: readonly TarEntry[]): Promise<Buffer> {
  const archive = Buffer.concat([...entries.map(tarEntry), tarEnd()]);
  return await promisify(zstdCompress)(archive, {
    params: { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL, [constants.ZSTD_c_checksumFlag]: 1 },
  });
}
