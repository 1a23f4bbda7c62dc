/**
 * Disks that are full: that of PostgreSQL, and that of the server's spool.
 *
 * @module
 */
import { closeSync, mkdirSync, openSync, rmSync, statSync, truncateSync, writeSync } from "node:fs";
import { join } from "node:path";
import { mountSmallDisk, type SmallDisk, smallDiskMissing } from "../../support/small-disk.ts";
import { untilTime } from "../../support/wait.ts";
import { type DatabaseGround, openDatabaseGround } from "../campaign/database-ground.ts";
import type { Fault, Form } from "../campaign/fault.ts";

/** Room for a database, its log, and what the load writes. */
const DISK_MB = 400;
const FULL_MS: Readonly<Record<Form, number>> = { short: 2_000, long: 15_000 };
/** Room for the spool: it holds more than what the load pushes during an injection. */
const SPOOL_DISK_MB = 16;
const SPOOL_FULL_MS: Readonly<Record<Form, number>> = { short: 2_000, long: 10_000 };
/** Between an end of the room and the next bit of it. */
const SPOOL_TURN_MS = 200;
/** Largest bit of room, in bytes: some pushes fit, and one is cut in the middle. */
const SPOOL_ROOM_MAX = 64 * 1024;
const PIECE = new Uint8Array(64 * 1024);

interface DiskGround extends DatabaseGround {
  disk: SmallDisk;
}

/** The ground takes its disk away when it closes. */
async function withDisk(disk: SmallDisk, open: () => Promise<DatabaseGround>): Promise<DiskGround> {
  try {
    const ground = await open();
    const close = ground.close.bind(ground);
    return Object.assign(ground, { disk, close: () => close().finally(() => disk.remove()) });
  } catch (error) {
    disk.remove();
    throw error;
  }
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
    return await withDisk(disk, () => openDatabaseGround({}, folder));
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

const spoolDiskFull: Fault = {
  name: "spool-disk-full",
  what: "PostgreSQL is stopped for 10 s (2 s in CI) and the disk of the spool full, but for a little room now and then",
  times: { short: 1, long: 20 },
  unable: smallDiskMissing,
  open: () => {
    const disk = mountSmallDisk(SPOOL_DISK_MB)!;
    return withDisk(disk, () => openDatabaseGround({ FILE_BUFFER_DIR: disk.folder }));
  },
  inject: async (some, { form, healed, random }) => {
    const ground = some as DiskGround;
    const ballast = join(ground.disk.folder, "ballast");
    await ground.database.stop();
    const until = Date.now() + SPOOL_FULL_MS[form];
    while (Date.now() < until) {
      fill(ballast);
      await untilTime(Math.min(until, Date.now() + SPOOL_TURN_MS));
      truncateSync(ballast, Math.max(0, statSync(ballast).size - random.int(1, SPOOL_ROOM_MAX)));
      await untilTime(Math.min(until, Date.now() + SPOOL_TURN_MS));
    }
    rmSync(ballast);
    await ground.startDatabase();
    healed();
  },
};

/** See the module comment. */
export const DISK_FAULTS: readonly Fault[] = [databaseDiskFull, spoolDiskFull];
