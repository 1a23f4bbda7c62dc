/**
 * The database that the environment names, for commands that work on it directly.
 *
 * @module
 */
import { readFileSync, realpathSync } from "node:fs";
import { join } from "node:path";
import type { DatabaseTarget } from "../../workers/protocol.ts";
import { openPool } from "../../workers/storage/database.ts";
import { databaseVersion } from "../../workers/storage/queue-admin.ts";
import { type Config, ConfigError, loadConfig } from "../config.ts";
import { openDatabase, runningEmbedded } from "../database.ts";
import { EmbeddedError } from "../postgres/embedded.ts";
import { CliError, Exit } from "./exit.ts";

/** Connections to the database, and how to give them up. */
export interface CliDatabase {
  readonly sql: ReturnType<typeof openPool>;
  readonly target: DatabaseTarget;
  /** Ends the connections, and the database where it was started for this. */
  close(): Promise<void>;
}

/**
 * Connects; an embedded database that does not run is started for the time being.
 *
 * @param name - What the connections are called in `pg_stat_activity`.
 * @throws {@link CliError} when there is no database, or none to be made of the settings.
 */
export async function connectDatabase(name: string): Promise<CliDatabase> {
  const config = configOf();
  const { target, stop } = await openTarget(config);
  const sql = openPool(target, 2, name);
  const close = async () => {
    await sql.end({ timeout: 1 });
    await stop();
  };
  try {
    await databaseVersion(sql);
  } catch (error) {
    await close();
    const reason = error instanceof Error ? error.message || String((error as { code?: string }).code) : String(error);
    throw new CliError(`Cannot use the database: ${reason}`, Exit.unreachable);
  }
  return { sql, target, close };
}

/** The settings, or a sentence for each that is wrong. */
export function configOf(): Config {
  try {
    return loadConfig();
  } catch (error) {
    if (error instanceof ConfigError) throw new CliError(error.problems.join("\n"), Exit.usage);
    throw error;
  }
}

async function openTarget(config: Config): Promise<{ target: DatabaseTarget; stop: () => Promise<void> }> {
  try {
    const { target, embedded } = await openDatabase(config, () => {});
    return { target, stop: async () => await embedded?.stop() };
  } catch (error) {
    // A server has the folder: its database runs, and can be connected to.
    if (!(error instanceof EmbeddedError) || error.code !== "DATA_DIR_IN_USE") throw error;
    const target = runningTarget(config);
    if (target === null) throw error;
    return { target, stop: async () => {} };
  }
}

/** How to reach the embedded database that a server runs in the data folder; null when there is none to be found. */
export function runningTarget(config: Config): DatabaseTarget | null {
  if (config.database.kind !== "embedded") return null;
  try {
    const folder = socketFolder(realpathSync(config.database.dataDir));
    return folder === null ? null : runningEmbedded(config, folder);
  } catch {
    return null;
  }
}

/** The folder with the socket, as the running database itself notes it in the fifth line of `postmaster.pid`. */
function socketFolder(dataDir: string): string | null {
  const noted = readFileSync(join(dataDir, "postgres", "postmaster.pid"), "utf8")
    .split("\n")[4]
    ?.trim();
  return noted === undefined || noted === "" ? null : noted;
}
