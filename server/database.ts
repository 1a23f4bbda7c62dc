/**
 * From the configuration to a database that is ready to serve: started if it is ours, and migrated.
 *
 * @module
 */
import { migrate } from "../schema/database/migrate.ts";
import type { DatabaseTarget } from "../workers/protocol.ts";
import { openPool } from "../workers/storage/database.ts";
import { databaseVersion } from "../workers/storage/queue-admin.ts";
import type { Config } from "./config.ts";
import type { Log } from "./observe/log.ts";
import { carriedAmong } from "./postgres/carried.ts";
import { CLUSTER_DATABASE, CLUSTER_USER } from "./postgres/cluster.ts";
import { type EmbeddedServer, startEmbedded } from "./postgres/embedded.ts";
import { SOCKET_PORT } from "./postgres/settings.ts";
import { type DatabaseAddress, parseDatabaseUrl } from "./postgres/target.ts";
import { embeddedFiles } from "./runtime.ts";

/** Connections beside those of the workers: migration, and some to look around with. */
const EXTRA_CONNECTIONS = 4;

/** A database that answers. */
export interface OpenDatabase {
  readonly target: DatabaseTarget;
  /** The server that was started for it; null when it is the user's own. */
  readonly embedded: EmbeddedServer | null;
}

/**
 * Finds the database, and starts the embedded one when none is configured.
 *
 * @returns Where it is. The caller stops `embedded`.
 * @throws EmbeddedError or DatabaseUrlError with one sentence for a person.
 */
export async function openDatabase(config: Config, log: Log): Promise<OpenDatabase> {
  const { database, connections } = config;
  if (database.kind === "embedded") {
    const connectionsMax = connections.total + EXTRA_CONNECTIONS;
    const carried = carriedAmong(embeddedFiles());
    const embedded = await startEmbedded({ dataDir: database.dataDir, log, connectionsMax, carried });
    return { embedded, target: targetOf(config, { ...embedded.target, tls: "off" }) };
  }
  if (database.kind === "parts")
    return { embedded: null, target: targetOf(config, { ...database, hosts: [...database.hosts] }) };
  const { ignored, ...address } = parseDatabaseUrl(database.url);
  if (ignored.length > 0) log("warn", "database_url_parameters_ignored", { parameters: ignored });
  return { embedded: null, target: targetOf(config, address) };
}

/** The embedded database that another process runs, by the folder of its socket. */
export function runningEmbedded(config: Config, socketDir: string): DatabaseTarget {
  const place = {
    hosts: [socketDir],
    port: SOCKET_PORT,
    user: CLUSTER_USER,
    password: null,
    database: CLUSTER_DATABASE,
  };
  return targetOf(config, { ...place, tls: "off" });
}

/** What {@link prepareDatabase} found. */
export interface PreparedDatabase {
  /** Version of PostgreSQL. */
  version: string;
  /** Names of the migrations applied now. */
  applied: string[];
}

/**
 * Connects once and brings the schema up to date.
 *
 * @throws Error with one sentence for a person: cannot connect, refused, or newer than this program.
 */
export async function prepareDatabase(target: DatabaseTarget): Promise<PreparedDatabase> {
  const sql = openPool(target, 1, "queen migrate");
  try {
    const version = await databaseVersion(sql);
    const { applied } = await migrate(sql);
    return { version, applied };
  } catch (error) {
    if (error instanceof Error && error.name === "DatabaseNewerError") throw error;
    throw new Error(`Cannot use the database ${addressText(target)}: ${reasonOf(error)}`, { cause: error });
  } finally {
    await sql.end({ timeout: 1 });
  }
}

/** How a person would name the place: never with the password. */
export function addressText(target: DatabaseTarget): string {
  return `${target.user}@${target.hosts.join(",")}:${target.port}/${target.database}`;
}

/** The part of an error that helps: connecting to several addresses fails with a message-less list of errors. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return error.errors.map(reasonOf).join("; ");
  if (!(error instanceof Error)) return String(error);
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  return error.message === "" || error.message === code ? code || error.name : error.message;
}

function targetOf(config: Config, address: DatabaseAddress): DatabaseTarget {
  const { prepare, connectTimeoutMs, idleTimeoutMs, statementTimeoutMs, lockTimeoutMs } = config.connections;
  const { hosts, port, user, password, database, tls } = address;
  return {
    hosts,
    port,
    user,
    password,
    database,
    tls,
    prepare,
    connectTimeoutMs,
    idleTimeoutMs,
    statementTimeoutMs,
    lockTimeoutMs,
  };
}
