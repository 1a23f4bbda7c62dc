/**
 * A server, its database and its clients with a proxy in each gap, so that everything between them can be broken.
 *
 * @module
 */
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import postgres from "postgres";
import { type EmbeddedServer, startEmbedded } from "../../../server/postgres/embedded.ts";
import { startProxy, type TcpProxy } from "../../support/proxy.ts";
import { startServer } from "../../support/server.ts";
import type { Ground } from "./fault.ts";

const CONNECTIONS_MAX = 40;

/** See the module comment. */
export interface DatabaseGround extends Ground {
  database: EmbeddedServer;
  /** Between the server and its database. */
  readonly inner: TcpProxy;
  /** Between clients and the server. */
  readonly outer: TcpProxy;
  /** Starts the database, which ended, over its data. */
  startDatabase(): Promise<void>;
}

/**
 * Opens one.
 *
 * @param env - For the server; or makes it, from where the database is.
 * @param folder - Where the database is kept; one of its own in the temporary folder unless told. It is removed in the end.
 */
export async function openDatabaseGround(
  env: Record<string, string> | ((target: EmbeddedServer["target"]) => Promise<Record<string, string>>) = {},
  folder: string = mkdtempSync(join(tmpdir(), "queen-ground-")),
): Promise<DatabaseGround> {
  chmodSync(folder, 0o755);
  const dataDir = join(folder, "data");
  const start = () => startEmbedded({ dataDir, log: () => {}, connectionsMax: CONNECTIONS_MAX });
  const socketOf = ({ target }: EmbeddedServer) => ({ path: `${target.hosts[0]}/.s.PGSQL.${target.port}` });
  const database = await start();
  const { user, database: name } = database.target;
  const inner = await startProxy(socketOf(database));
  const place = { PG_HOST: "127.0.0.1", PG_PORT: String(inner.port), PG_USER: user, PG_DB: name, PG_PASSWORD: "" };
  const own = typeof env === "function" ? await env(database.target) : env;
  const server = await startServer({ env: { ...place, ...own } });
  const outer = await startProxy({ host: "127.0.0.1", port: server.port });
  const ground: DatabaseGround = {
    servers: [server],
    database,
    inner,
    outer,
    urls: () => [`http://127.0.0.1:${outer.port}`],
    startDatabase: async () => {
      ground.database = await start();
      inner.target = socketOf(ground.database);
    },
    openSql: async () => postgres({ ...socketOf(ground.database), user, database: name, max: 1, onnotice: () => {} }),
    close: async () => {
      await server.stop();
      await outer.close();
      await inner.close();
      await ground.database.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return ground;
}
