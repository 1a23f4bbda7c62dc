/**
 * A root of the file system with the GNU C library and nothing else in it.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import { chmodSync, chownSync, copyFileSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

const LIBRARIES = ["libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1"];
const LOADERS = ["/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1"];
const LIBRARY_FOLDERS = ["/lib/x86_64-linux-gnu", "/lib/aarch64-linux-gnu", "/lib64"];
/** What every machine has, a container's too; Bun aborts without any of the last two. */
const DEVICES = ["/dev/null", "/dev/urandom"];

/** Why there can be no such root here, or null when there can. */
export const emptyRootMissing = whyNot();

/**
 * Makes an empty root.
 *
 * @param root - Folder that does not exist yet.
 * @param program - The one program in it, at `/queen`.
 * @param uid - Owner of `/home`, the one folder an ordinary user may write to.
 */
export function makeEmptyRoot(root: string, program: string, uid: number): void {
  for (const folder of ["tmp", "dev", "proc", "home"]) mkdirSync(join(root, folder), { recursive: true });
  chmodSync(root, 0o755);
  chownSync(join(root, "home"), uid, uid);
  for (const device of DEVICES) writeFileSync(join(root, device), "");
  for (const file of libraryFiles()) {
    mkdirSync(join(root, dirname(file)), { recursive: true });
    copyFileSync(file, join(root, file));
  }
  copyFileSync(program, join(root, "queen"));
  chmodSync(join(root, "queen"), 0o755);
}

/**
 * A command that runs a program in an empty root: it is the very process that is started, so that signals reach it, and
 * what is mounted is seen by it alone.
 *
 * @param root - What {@link makeEmptyRoot} made.
 * @param uid - Who runs it.
 * @param args - Arguments of `/queen`.
 */
export function inEmptyRoot(root: string, uid: number, args: readonly string[]): [string, ...string[]] {
  const script = [
    'mount -t proc proc "$1/proc"',
    ...DEVICES.map((device) => `mount --bind ${device} "$1${device}"`),
    'root=$1 uid=$2; shift 2; exec chroot --userspec="$uid:$uid" "$root" /queen "$@"',
  ].join(" && ");
  return ["unshare", "--mount", "sh", "-c", script, "sh", root, String(uid), ...args];
}

function libraryFiles(): string[] {
  const folder = LIBRARY_FOLDERS.find((path) => LIBRARIES.every((name) => existsSync(join(path, name))));
  const loader = LOADERS.find((path) => existsSync(path));
  return folder === undefined || loader === undefined ? [] : [loader, ...LIBRARIES.map((name) => join(folder, name))];
}

function whyNot(): string | null {
  if (process.platform !== "linux") return "an empty root is made on Linux only";
  if (process.getuid?.() !== 0) return "an empty root needs root to be entered";
  if (libraryFiles().length === 0) return "the GNU C library is not where it usually is";
  const tried = spawnSync("unshare", ["--mount", "sh", "-c", "mount --bind /dev/null /dev/null && chroot / true"]);
  return tried.status === 0 ? null : "unshare, mount and chroot are not allowed here";
}
