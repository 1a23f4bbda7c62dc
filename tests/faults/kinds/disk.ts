/**
 * PostgreSQL whose disk is full.
 *
 * @module
 */
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { mountSmallDisk, type SmallDisk, smallDiskMissing } from "../../support/small-disk.ts";
import { untilTime } from "../../support/wait.ts";
import { type DatabaseGround, openDatabaseGround } from "../campaign/database-ground.ts";
import type { Fault, Form } from "../campaign/fault.ts";

/** Room for a database, its log, and what the load writes. */
const DISK_MB = 400;
const FULL_MS: Readonly<Record<Form, number>> = { short: 2_000, long: 15_000 };
const PIECE = new Uint8Array(64 * 1024);

interface DiskGround extends DatabaseGround {
  disk: SmallDisk;
}

/** Writes until nothing more fits. */
function fill(file: string): void {
  const handle = openSync(file, "a");
  try {
    for (let size = PIECE.length; size >= 1; size = Math.floor(size / 2)) {
      try {
        for (;;) writeSync(handle, PIECE, 0, size);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
      }
    }
  } finally {
    closeSync(handle);
  }
}

const databaseDiskFull: Fault = {
  name: "database-disk-full",
  what: "the disk of PostgreSQL is full for 15 s (2 s in CI); it is started again when it ended of that",
  times: { short: 1, long: 8 },
  unable: smallDiskMissing,
  open: async () => {
    const disk = mountSmallDisk(DISK_MB, "755")!;
    const folder = join(disk.folder, "ground");
    mkdirSync(folder);
    try {
      const ground: DatabaseGround = await openDatabaseGround({}, folder);
      const close = ground.close.bind(ground);
      return Object.assign(ground, { disk, close: () => close().finally(() => disk.remove()) });
    } catch (error) {
      disk.remove();
      throw error;
    }
  },
  inject: async (some, { form, healed }) => {
    const ground = some as DiskGround;
    const ballast = join(ground.disk.folder, "ballast");
    let ended = false;
    ground.database.exited.then(() => (ended = true));
    const until = Date.now() + FULL_MS[form];
    while (Date.now() < until) {
      fill(ballast);
      await untilTime(Math.min(until, Date.now() + 100));
    }
    rmSync(ballast);
    if (ended) {
      await ground.database.stop();
      await ground.startDatabase();
    }
    healed();
  },
};

/** See the module comment. */
export const DISK_FAULTS: readonly Fault[] = [databaseDiskFull];
