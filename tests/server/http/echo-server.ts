/**
 * The HTTP application over echoing workers, on a real socket.
 *
 * @module
 */
import { loadConfig } from "../../../server/config.ts";
import { buildApp } from "../../../server/http/app.ts";
import { type Listener, listen } from "../../../server/runtime.ts";
import { Http } from "../../support/http.ts";
import { echoPool, type LogEntry } from "../pool/echo-pool.ts";

/** A listening application. */
export interface EchoServer {
  http: Http;
  listener: Listener;
  log: LogEntry[];
  stop(): Promise<void>;
}

/** Starts an application on a free port of 127.0.0.1. `env` are settings as in the environment. */
export async function startEcho(env: Record<string, string> = {}): Promise<EchoServer> {
  const config = loadConfig({ NUM_WORKERS: "2", HOST: "127.0.0.1", PORT: "0", WORKER_ID: "echo", ...env });
  const { pool, log } = echoPool({ workerCount: config.workerCount, backlog: config.backlog });
  await pool.start();
  const app = buildApp({
    pool,
    config,
    log: (level, event, fields) => log.push({ level, event, fields }),
    version: "0.0.0-test",
  });
  const listener = listen(config.host, config.port, (request, connection) => app.fetch(request, connection));
  return {
    http: new Http(listener.url, false),
    listener,
    log,
    async stop() {
      await pool.stop(1_000);
      await listener.close();
    },
  };
}
