/**
 * `queen serve` and `queen migrate`.
 *
 * @module
 */
import process from "node:process";
import packageJson from "../package.json" with { type: "json" };
import { type Config, ConfigError, type Flags, loadConfig } from "./config.ts";
import { addressText, openDatabase, prepareDatabase } from "./database.ts";
import { createLog, type Log } from "./observe/log.ts";
import { onStopSignal } from "./runtime.ts";
import { Server, type ServerFacts } from "./serve.ts";

const { version } = packageJson;
/** A second signal this soon after the first is the same one, delivered twice. */
const REPEATED_SIGNAL_MS = 500;
const isTerminal = process.stdout.isTTY === true;

/** Starts the server and keeps it until a signal. Ends the process, with 1 when it cannot start. */
export async function serve(flags: Flags): Promise<void> {
  const config = configOrExit(flags);
  const log = createLog(config.logLevel, isTerminal);
  const server = new Server(config, log, version);
  let stoppingSince: number | null = null;
  onStopSignal((signal) => {
    if (stoppingSince !== null) {
      // Under `npm start` one Ctrl-C arrives twice, from the terminal and from npm: only a later one means "at once".
      if (performance.now() - stoppingSince > REPEATED_SIGNAL_MS) process.exit(1);
      return;
    }
    stoppingSince = performance.now();
    log("info", "stopping", { signal });
    void server.stop().then(() => {
      log("info", "stopped");
      process.exit(0);
    });
  });
  try {
    const facts = await server.start(() => {
      log("error", "database_lost", { reason: "the embedded PostgreSQL ended by itself" });
      void server.stop().then(() => process.exit(1));
    });
    if (facts !== null) announce(facts, log);
  } catch (error) {
    if (stoppingSince !== null) return;
    await server.stop();
    fail(error);
  }
}

/** Brings the database to this version's schema. Ends the process with 1 when it cannot. */
export async function migrate(): Promise<void> {
  const config = configOrExit({});
  const log = createLog(config.logLevel, isTerminal);
  try {
    const { target, embedded } = await openDatabase(config, log);
    try {
      const { applied } = await prepareDatabase(target);
      log("info", "migrated", { applied, database: embedded === null ? addressText(target) : embedded.dataDir });
    } finally {
      await embedded?.stop();
    }
  } catch (error) {
    fail(error);
  }
}

function configOrExit(flags: Flags): Config {
  try {
    return loadConfig(undefined, flags);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    for (const problem of error.problems) process.stderr.write(`queen: ${problem}\n`);
    process.exit(1);
  }
}

/** One line for programs, or some for a person. */
function announce(facts: ServerFacts, log: Log): void {
  if (!isTerminal) {
    log("info", "listening", { ...facts });
    return;
  }
  const data = facts.dataDir === null ? "" : `, data in ${facts.dataDir}`;
  process.stdout.write(
    `\nQueen ${facts.version} is listening on ${facts.url}\n  workers   ${facts.workers}\n` +
      `  database  ${facts.database}${data}\n  started   in ${(facts.startMs / 1000).toFixed(1)} s\n\nCtrl-C stops it.\n\n`,
  );
}

function fail(error: unknown): never {
  process.stderr.write(`queen: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
