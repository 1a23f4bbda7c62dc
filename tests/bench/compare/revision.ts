/**
 * Puts a revision of this repository into a folder of its own, so that its server can run beside the one that is worked on.
 *
 * @module
 */

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const ROOT = new URL("../../../", import.meta.url).pathname;

/** The source of a server. */
export interface Source {
  /** Shown to people: `tree`, or what was asked for with its short commit. */
  name: string;
  root: string;
  /** Removes what {@link checkOut} made; the tree itself stays. */
  remove(): Promise<void>;
}

/** The files as they lie here, changed ones included. They must stay as they are until the server has started. */
export const workingTree: Source = { name: "tree", root: ROOT, remove: async () => undefined };

/**
 * Finds the source of a server.
 *
 * @param place - A revision, or a folder with the files of a server, which stays as it is.
 * @returns The source; whoever asked for it must remove it.
 * @throws {Error} as {@link checkOut} does.
 */
export async function findSource(place: string): Promise<Source> {
  if (place === "") return workingTree;
  if (!existsSync(join(place, "server/main.ts"))) return checkOut(place);
  return { name: place, root: place, remove: async () => undefined };
}

/**
 * Writes the files of a revision into a temporary folder. Its packages are this repository's.
 *
 * @param revision - Anything git resolves to a commit.
 * @returns The source; whoever asked for it must remove it.
 * @throws {Error} when git knows no such revision. No folder is left then.
 */
export async function checkOut(revision: string): Promise<Source> {
  const commit = (await git("rev-parse", "--short=10", "--verify", `${revision}^{commit}`)).trim();
  const root = await mkdtemp(join(tmpdir(), "queen-compare-"));
  const remove = () => rm(root, { recursive: true, force: true });
  try {
    // The database's owner need not be who runs this, and must be able to enter the folder.
    await chmod(root, 0o755);
    // By way of a file: a pipe between two children was seen to close before its end.
    const archive = join(root, ".archive.tar");
    await run("git", "archive", "--format=tar", `--output=${archive}`, commit);
    await run("tar", "-x", "-f", archive, "-C", root);
    await rm(archive);
    await symlink(join(ROOT, "node_modules"), join(root, "node_modules"));
  } catch (error) {
    await remove();
    throw error;
  }
  const name = commit.startsWith(revision) || revision.startsWith(commit) ? commit : `${revision} (${commit})`;
  return { name, root, remove };
}

async function git(...args: string[]): Promise<string> {
  return run("git", ...args);
}

async function run(program: string, ...args: string[]): Promise<string> {
  const child = spawn(program, args, { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"] });
  const [out, complaint, code] = await Promise.all([
    textOf(child.stdout),
    textOf(child.stderr),
    new Promise((resolve) => child.once("close", resolve)),
  ]);
  if (code !== 0) throw new Error(`${program} ${args[0]} failed: ${complaint.trim()}`);
  return out;
}

async function textOf(stream: NodeJS.ReadableStream): Promise<string> {
  let text = "";
  for await (const chunk of stream) text += String(chunk);
  return text;
}
