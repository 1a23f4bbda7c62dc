/**
 * Life of the server: started step by step, stopped in reverse.
 *
 * @module
 */
import type { DatabaseTarget, WorkerSettings } from "../workers/protocol.ts";
import type { Config } from "./config.ts";
import { addressText, type OpenDatabase, openDatabase, type PreparedDatabase, prepareDatabase } from "./database.ts";
import { buildApp } from "./http/app.ts";
import type { Log } from "./observe/log.ts";
import { Observer } from "./observe/observer.ts";
import { createPool, type Pool } from "./pool/pool.ts";
import { spawnWorker } from "./pool/spawn.ts";
import { type Listener, listen, type Tls } from "./runtime.ts";
import { holdSpoolFolder } from "./spool-folder.ts";
import { readTls } from "./tls.ts";

/** How long requests in flight may take to finish at a stop, in milliseconds. */
const DRAIN_MS = 10_000;
/** How long finished answers may take to leave after that. */
const LEAVE_MS = 2_000;

/** What a running server is, for whoever prints it. */
export interface ServerFacts {
  readonly url: string;
  readonly port: number;
  readonly version: string;
  readonly workers: number;
  /** `PostgreSQL 18.4, embedded` or `PostgreSQL 15.4 at user@host:port/name`. */
  readonly database: string;
  /** Folder of the embedded database; null when the database is the user's own. */
  readonly dataDir: string | null;
  readonly startMs: number;
}

/** A server, running or partly so. */
export class Server {
  readonly #config: Config;
  readonly #log: Log;
  readonly #version: string;
  /** What was started, last first at a stop. */
  readonly #closers: { name: string; close: () => Promise<unknown> }[] = [];
  #starting: Promise<unknown> = Promise.resolve();
  #stopped: Promise<void> | null = null;

  constructor(config: Config, log: Log, version: string) {
    this.#config = config;
    this.#log = log;
    this.#version = version;
  }

  /**
   * Starts database, workers and listener, in this order.
   *
   * @param onDatabaseLost - Called when the embedded database ends by itself.
   * @returns Facts once requests are accepted; null when {@link Server.stop} was called meanwhile.
   * @throws Error whose message is one sentence for a person. What was started stays for `stop()` to end.
   */
  start(onDatabaseLost: () => void): Promise<ServerFacts | null> {
    const facts = this.#start(onDatabaseLost);
    this.#starting = facts.catch(() => {});
    return facts;
  }

  async #start(onDatabaseLost: () => void): Promise<ServerFacts | null> {
    const startedAt = performance.now();
    const tls = readTls(this.#config.tls, (reason) => this.#log("warn", "tls_certificate", { reason }));
    const open = await openDatabase(this.#config, this.#log);
    const { embedded } = open;
    if (embedded !== null) {
      this.#closers.push({ name: "database", close: () => embedded.stop() });
      embedded.exited.then(() => this.#stopped === null && onDatabaseLost());
    }
    if (this.#stopped !== null) return null;
    const prepared = await prepareDatabase(open.target);
    if (prepared.applied.length > 0) this.#log("info", "migrated", { applied: prepared.applied });
    if (this.#stopped !== null) return null;
    const spoolFolder = holdSpoolFolder(this.#config.spool, this.#log);
    this.#closers.push({ name: "spool", close: async () => spoolFolder?.release() });
    const pool = createPool({
      workerCount: this.#config.workerCount,
      settings: (index) => settingsFor(this.#config, open.target, index, spoolFolder !== null),
      backlog: this.#config.backlog,
      stuckMs: this.#config.workerStuckMs,
      spawn: spawnWorker,
      log: this.#log,
    });
    this.#closers.push({ name: "workers", close: () => pool.stop(DRAIN_MS) });
    await pool.start();
    if (this.#stopped !== null) return null;
    const observer = new Observer({ pool, config: this.#config, log: this.#log });
    const listener = this.#listen(pool, observer, tls);
    this.#closers.push({ name: "listener", close: () => drain(listener, pool) });
    observer.start(listener.port);
    this.#closers.push({ name: "measurements", close: () => observer.stop() });
    return factsOf(this.#config, this.#version, listener, open, prepared, startedAt);
  }

  /**
   * Stops accepting, finishes what is in flight (parked polls are answered empty), and ends what was started, the
   * database last. Safe to call at any time and again.
   */
  stop(): Promise<void> {
    // A step of the start may be under way: what it still brings up is ended as well.
    this.#stopped ??= this.#closeAll()
      .then(() => this.#starting)
      .then(() => this.#closeAll());
    return this.#stopped;
  }

  async #closeAll(): Promise<void> {
    for (let closer = this.#closers.pop(); closer !== undefined; closer = this.#closers.pop()) {
      try {
        await closer.close();
      } catch (error) {
        this.#log("error", "stop_failed", { what: closer.name, error: String(error) });
      }
    }
  }

  #listen(pool: Pool, observer: Observer, tls: Tls | null): Listener {
    const app = buildApp({ pool, config: this.#config, log: this.#log, version: this.#version, observer });
    try {
      return listen(this.#config.host, this.#config.port, (request, connection) => app.fetch(request, connection), tls);
    } catch (error) {
      throw new Error(listenFailure(error, this.#config), { cause: error });
    }
  }
}

async function drain(listener: Listener, pool: Pool): Promise<void> {
  const finished = listener.stop();
  await pool.stop(DRAIN_MS);
  let timer: ReturnType<typeof setTimeout> | undefined;
  await Promise.race([finished, new Promise((resolve) => (timer = setTimeout(resolve, LEAVE_MS)))]);
  clearTimeout(timer);
  await listener.close();
}

function listenFailure(error: unknown, config: Config): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const place = `port ${config.port} of ${config.host}`;
  if (code === "EADDRINUSE")
    return `Cannot listen on ${place}: another program uses it (choose another with --port or PORT)`;
  if (code === "EACCES")
    return `Cannot listen on ${place}: this user may not (choose a port above 1023 with --port or PORT)`;
  if (code === "EADDRNOTAVAIL")
    return `Cannot listen on ${place}: this machine has no such address (see --host or HOST)`;
  return `Cannot listen on ${place}: ${error instanceof Error ? error.message : String(error)}`;
}

function factsOf(
  config: Config,
  version: string,
  listener: Listener,
  { embedded, target }: OpenDatabase,
  prepared: PreparedDatabase,
  startedAt: number,
): ServerFacts {
  return {
    url: listener.url,
    port: listener.port,
    version,
    workers: config.workerCount,
    database: `PostgreSQL ${prepared.version}${embedded === null ? ` at ${addressText(target)}` : ", embedded"}`,
    dataDir: embedded === null ? null : embedded.dataDir,
    startMs: Math.round(performance.now() - startedAt),
  };
}

function settingsFor(config: Config, database: DatabaseTarget, index: number, spools: boolean): WorkerSettings {
  const { retentionIntervalMs, retentionBatchSize, evictionIntervalMs, evictionBatchSize, partitionCleanupDays } =
    config.jobs;
  return {
    index,
    workerCount: config.workerCount,
    instanceId: config.instanceId,
    database,
    connectionsMax: config.connections.perWorker,
    encryptionKeys: [...config.encryptionKeys],
    autoCreateQueues: config.autoCreateQueues,
    defaultSubscriptionMode: config.pop.subscriptionMode,
    popPollMs: { ...config.pop.pollMs },
    retentionIntervalMs,
    retentionBatchSize,
    evictionIntervalMs,
    evictionBatchSize,
    partitionCleanupDays,
    metricsRetentionDays: config.metrics.retentionDays,
    segmentCacheBytesMax: config.segmentCacheBytesMax,
    logLevel: config.logLevel,
    spool: spools ? { ...config.spool } : null,
  };
}
