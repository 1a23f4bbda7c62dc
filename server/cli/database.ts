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
import { addressText, openDatabase, runningEmbedded } from "../database.ts";
import { CliError, Exit } from "./exit.ts";

const POOL = 2;

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
  // One that runs is used as it is: this program need not have a PostgreSQL to start.
  const running = runningTarget(config);
  if (running !== null) {
    const sql = openPool(running, POOL, name);
    try {
      await databaseVersion(sql);
      return { sql, target: running, close: () => sql.end({ timeout: 1 }) };
    } catch {
      // What a killed server left behind: the start below takes care of it, or says who has the folder.
      await sql.end({ timeout: 0 });
    }
  }
  const { target, embedded } = await openDatabase(config, () => {});
  const sql = openPool(target, POOL, name);
  const close = async () => {
    await sql.end({ timeout: 1 });
    await embedded?.stop();
  };
  try {
    await databaseVersion(sql);
  } catch (error) {
    await close();
    throw new CliError(`Cannot use the database ${addressText(target)}: ${reasonOf(error)}`, Exit.unreachable);
  }
  return { sql, target, close };
}

function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return error.errors.map(reasonOf).join("; ");
  if (!(error instanceof Error)) return String(error);
  return error.message || String((error as { code?: string }).code ?? error.name);
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
