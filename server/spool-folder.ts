/**
 * The folder of the spool, held by this process alone.
 *
 * @module
 */
import { accessSync, chmodSync, constants, mkdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { SpoolConfig } from "./config-spool.ts";
import type { Log } from "./observe/log.ts";

/** A folder that is held. */
export interface SpoolFolder {
  /** Gives it free. Calling it again does nothing. */
  release(): void;
}

/**
 * Takes the folder for this process, making it when it is missing.
 *
 * The lock is the kernel's, on a file, as for the data folder of the embedded PostgreSQL: it ends with the process, however
 * that ends. It is held by the process and not by worker 0, because a worker that is replaced may be slow to die.
 *
 * @returns Null, with a warning in the log, when the folder is nobody's choice and cannot be had.
 * @throws Error with one sentence for a person when it was chosen and cannot be had.
 */
export function holdSpoolFolder({ folder, required }: SpoolConfig, log: Log): SpoolFolder | null {
  let database: DatabaseSync | undefined;
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK);
    const file = join(folder, "owner.lock");
    database = new DatabaseSync(file);
    database.exec("pragma journal_mode = memory; begin exclusive");
    chmodSync(file, 0o600);
  } catch (error) {
    database?.close();
    const reason = error instanceof Error ? error.message : String(error);
    const why = reason.includes("locked") ? "another Queen server uses it" : reason;
    const sentence = `The folder for buffered pushes ${folder} cannot be used (${why}): give this server one of its own with FILE_BUFFER_DIR`;
    if (required) throw new Error(sentence, { cause: error });
    log("warn", "spool_unavailable", { reason: sentence });
    return null;
  }
  let held = true;
  return {
    release() {
      if (held) database.close();
      held = false;
    },
  };
}
