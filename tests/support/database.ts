/**
 * A look into the embedded database of a test server, for what HTTP does not show.
 *
 * @module
 */
import { existsSync, readFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import postgres from "postgres";
import { CLUSTER_DATABASE, CLUSTER_USER } from "../../server/postgres/cluster.ts";

/** How to reach the database of a server. */
export interface DatabaseSocket {
  /** Folder of the socket. */
  folder: string;
  port: number;
  user: string;
  database: string;
  /** The postmaster. */
  pid: number;
}

/**
 * Finds the database that a server keeps under its data folder.
 *
 * @param dataDir - `dataDir` of a running server.
 * @throws Error when no running PostgreSQL is found there.
 */
export async function databaseSocket(dataDir: string): Promise<DatabaseSocket> {
  const [pid, , , port, folder] = readFileSync(await findPidFile(dataDir), "utf8").split("\n");
  return { folder: folder!, port: Number(port), user: CLUSTER_USER, database: CLUSTER_DATABASE, pid: Number(pid) };
}

/**
 * Connects to the database that a server keeps under its data folder.
 *
 * @param dataDir - `dataDir` of a running server.
 * @returns One connection; the caller ends it.
 * @throws Error when no running PostgreSQL is found there.
 */
export async function openDatabase(dataDir: string): Promise<postgres.Sql> {
  const { folder, port, user, database } = await databaseSocket(dataDir);
  return postgres({ path: `${folder}/.s.PGSQL.${port}`, user, database, max: 1, onnotice: () => {} });
}

async function findPidFile(dataDir: string): Promise<string> {
  const folders = [dataDir, ...(await readdir(dataDir)).map((name) => join(dataDir, name))];
  const found = folders.map((folder) => join(folder, "postmaster.pid")).find((path) => existsSync(path));
  if (found === undefined) throw new Error(`no running PostgreSQL under ${dataDir}`);
  return found;
}
