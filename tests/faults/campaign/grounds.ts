/**
 * Where faults are injected: servers on databases of their own.
 *
 * @module
 */
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import postgres from "postgres";
import { type EmbeddedServer, startEmbedded } from "../../../server/postgres/embedded.ts";
import { openDatabase } from "../../support/database.ts";
import { type StartOptions, startServer, type TestServer } from "../../support/server.ts";
import type { Ground } from "./fault.ts";

/** A server that keeps its database itself. */
export interface OwnGround extends Ground {
  /** Starts a server in the place of one that is gone, over the same data, with the same settings. */
  restart(at: number): Promise<void>;
}

/** Servers on one database that the test keeps. */
export interface SharedGround extends OwnGround {
  database: EmbeddedServer;
}

/** Opens one server that keeps its database itself. */
export async function openOwnGround(options: StartOptions = {}): Promise<OwnGround> {
  const servers = [await startServer(options)];
  return {
    servers,
    openSql: () => openDatabase(servers[0]!.dataDir),
    restart: async () => {
      servers[0] = await startServer({ ...options, dataDir: servers[0]!.dataDir });
    },
    close: async () => {
      await servers[0]!.stop();
    },
  };
}

/**
 * Opens servers on one database.
 *
 * @param count - Of servers.
 * @param options - For each server; `env` is added to where the database is.
 * @param prepare - Called with the folder that the database will be in.
 */
export async function openSharedGround(
  count: number,
  options: StartOptions = {},
  prepare: (folder: string) => void = () => {},
): Promise<SharedGround> {
  const folder = mkdtempSync(join(tmpdir(), "queen-ground-"));
  chmodSync(folder, 0o755);
  const servers: TestServer[] = [];
  prepare(folder);
  const remove = () => rmSync(folder, { recursive: true, force: true });
  const database = await startEmbedded({ dataDir: folder, log: () => {}, connectionsMax: count * 16 + 10 });
  const { hosts, port, user, database: name } = database.target;
  const place = { PG_HOST: hosts[0]!, PG_PORT: String(port), PG_USER: user, PG_DB: name, PG_PASSWORD: "" };
  const start = (dataDir?: string) =>
    startServer({ ...options, env: { ...place, ...options.env }, ...(dataDir === undefined ? {} : { dataDir }) });
  const close = async () => {
    for (const server of servers) await server.stop();
    await database.stop();
    remove();
  };
  try {
    for (let at = 0; at < count; at += 1) servers.push(await start());
  } catch (error) {
    await close();
    throw error;
  }
  return {
    servers,
    database,
    openSql: async () =>
      postgres({ path: `${hosts[0]}/.s.PGSQL.${port}`, user, database: name, max: 1, onnotice: () => {} }),
    restart: async (at) => {
      servers[at] = await start(servers[at]!.dataDir);
    },
    close,
  };
}

/** Kills a server with -9. @returns Once it is gone; its data is left. */
export async function kill(server: TestServer): Promise<void> {
  process.kill(server.pid, "SIGKILL");
  await server.exited;
  await server.stop(true);
}
