import { chmodSync, lchownSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { Account } from "./account.ts";
import { EmbeddedError } from "./errors.ts";

/** Ownership of a data folder, held until released or until this process ends, however it ends. */
export interface OwnerLock {
  /** Gives the folder up. Calling it again does nothing. */
  release(): void;
}

/**
 * Takes a data folder for this process.
 *
 * The lock is a file lock of the kernel, not a pid in a file: it dies with the process even on kill -9, a reused pid
 * cannot fool it, two servers that start at once cannot both get it, and it holds between containers that share the
 * folder. `node:` has no call for file locks, so an SQLite database that is never written holds it (SQLite locks its
 * file with `fcntl`). Nothing else in this process may open that file: closing it would drop the lock.
 *
 * @param dataDir - Absolute path of an existing folder.
 * @param account - Gets the files, so that a later server run as that user can take the lock.
 * @returns The lock. `owner.json` beside it tells people who holds it, and decides nothing.
 * @throws {@link EmbeddedError} `DATA_DIR_IN_USE` when a live process owns the folder, `DATA_DIR_UNWRITABLE` when the lock
 *   file cannot be made.
 */
export function acquireOwner(dataDir: string, account: Account): OwnerLock {
  const lockFile = join(dataDir, "owner.lock");
  const infoFile = join(dataDir, "owner.json");
  const database = openLocked(lockFile, dataDir, infoFile);
  chmodSync(lockFile, 0o600);
  const draft = `${infoFile}.${process.pid}`;
  writeFileSync(draft, `${JSON.stringify({ pid: process.pid, startedAt: new Date().toISOString() })}\n`);
  if (account.switched) for (const file of [lockFile, draft]) lchownSync(file, account.uid, account.gid);
  renameSync(draft, infoFile);
  let held = true;
  return {
    release() {
      if (!held) return;
      held = false;
      rmSync(infoFile, { force: true });
      database.close();
    },
  };
}

function openLocked(lockFile: string, dataDir: string, infoFile: string): DatabaseSync {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(lockFile);
    database.exec("pragma journal_mode = memory; begin exclusive");
    return database;
  } catch (error) {
    database?.close();
    const reason = error instanceof Error ? error.message : String(error);
    if (reason.includes("locked")) {
      throw new EmbeddedError(
        "DATA_DIR_IN_USE",
        `Another Queen server${describeOwner(infoFile)} is using the data folder ${dataDir}; stop it, or give this one a folder of its own with QUEEN_DATA_DIR`,
        error,
      );
    }
    throw new EmbeddedError(
      "DATA_DIR_UNWRITABLE",
      `The data folder ${dataDir} cannot be locked (${lockFile}: ${reason}); make it writable for this user, or set QUEEN_DATA_DIR to another folder on a local disk`,
      error,
    );
  }
}

function describeOwner(infoFile: string): string {
  try {
    const info: unknown = JSON.parse(readFileSync(infoFile, "utf8"));
    if (typeof info !== "object" || info === null || !("pid" in info) || !("startedAt" in info)) return "";
    return ` (process ${info.pid}, started ${info.startedAt})`;
  } catch {
    return "";
  }
}
