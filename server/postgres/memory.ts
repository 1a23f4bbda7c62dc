import { readFileSync } from "node:fs";
import { totalmem } from "node:os";
import { posix } from "node:path";

/** Reads a small file; null when it cannot be read. */
export type FileReader = (path: string) => string | null;

/**
 * Tells how much memory this process may use: that of the machine, or less when a control group (a container, a
 * systemd slice) sets a limit on it or on any group above it.
 *
 * @param read - Reads a file by absolute path, null when it does not exist.
 * @param machineBytes - Memory of the machine in bytes.
 * @returns Bytes, never more than `machineBytes`.
 */
export function memoryBytesUsable(read: FileReader = readOrNull, machineBytes: number = totalmem()): number {
  const limits = limitFiles(read("/proc/self/cgroup") ?? "").map((path) => Number(read(path)?.trim() || Number.NaN));
  return Math.min(machineBytes, ...limits.filter((limit) => Number.isFinite(limit) && limit > 0));
}

/** Files that may hold a limit: version 2 first, then version 1, each from the own group up to the root. */
function limitFiles(membership: string): string[] {
  const files: string[] = [];
  for (const line of membership.split("\n")) {
    const [, controllers, group] = line.match(/^\d+:([^:]*):(.*)$/) ?? [];
    if (group === undefined || controllers === undefined) continue;
    if (controllers === "") files.push(...ancestors("/sys/fs/cgroup", group, "memory.max"));
    if (controllers.split(",").includes("memory")) {
      files.push(...ancestors("/sys/fs/cgroup/memory", group, "memory.limit_in_bytes"));
    }
  }
  return files;
}

/** Inside a container the group path may not exist under the mount; the walk up still meets the container's own root. */
function ancestors(mount: string, group: string, file: string): string[] {
  const paths: string[] = [];
  for (let at = posix.normalize(`/${group}`); ; at = posix.dirname(at)) {
    paths.push(posix.join(mount, at, file));
    if (at === "/") return paths;
  }
}

function readOrNull(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}
