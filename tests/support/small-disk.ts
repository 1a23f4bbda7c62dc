/**
 * A file system of a few megabytes that a test can fill.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** See the module comment. */
export interface SmallDisk {
  readonly folder: string;
  /** Takes it away, with all that is on it. */
  remove(): void;
}

/**
 * Mounts one in a temporary folder.
 *
 * @param megabytes - Its size.
 * @param mode - Of its root, in octal.
 * @returns Null where it cannot be mounted: only root can, and not in every container.
 */
export function mountSmallDisk(megabytes: number, mode = "700"): SmallDisk | null {
  const folder = mkdtempSync(join(tmpdir(), "queen-disk-"));
  const options = `size=${megabytes}m,mode=${mode}`;
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", options, "tmpfs", folder]).status === 0;
  const remove = () => {
    if (mounted) spawnSync("umount", ["-l", folder]);
    rmSync(folder, { recursive: true, force: true });
  };
  if (mounted) return { folder, remove };
  remove();
  return null;
}

/** Why {@link mountSmallDisk} gives none here; null: it does. */
export function smallDiskMissing(): string | null {
  const disk = mountSmallDisk(1);
  disk?.remove();
  return disk === null ? "a small file system cannot be mounted here" : null;
}
