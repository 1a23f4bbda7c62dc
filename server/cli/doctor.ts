/**
 * `queen doctor`.
 *
 * @module
 */
import { existsSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { dirname } from "node:path";
import type { DatabaseTarget } from "../../workers/protocol.ts";
import { databaseState } from "../../workers/storage/backup.ts";
import { openPool } from "../../workers/storage/database.ts";
import { databaseHealth } from "../../workers/storage/doctor.ts";
import type { Config } from "../config.ts";
import { addressText, openDatabase } from "../database.ts";
import type { Client } from "./client.ts";
import type { Invocation } from "./command.ts";
import { configOf, runningTarget } from "./database.ts";
import { databaseChecks, newestMigration } from "./doctor-database.ts";
import { CliError, Exit } from "./exit.ts";
import { bold, bytes, harmless, print, printJson } from "./output.ts";

/** What a check found. */
export interface Check {
  readonly name: string;
  readonly state: "ok" | "warning" | "failed";
  readonly found: string;
  /** What to do about it; absent when nothing is to be done. */
  readonly advice?: string;
}

const DISK_FREE_BYTES_MIN = 2_000_000_000;
const DISK_FREE_SHARE_MIN = 0.1;
/** Leases and delays are told by the database's clock, what a person reads by that of the machine. */
const CLOCK_SKEW_MS_MAX = 1_000;

/** Checks everything. @returns `failed` when something is broken; warnings are none. */
export async function doctor({ options, client }: Invocation<{ server: boolean }>): Promise<number> {
  const checks: Check[] = [];
  const config = settings(checks);
  if (config !== null) {
    checks.push(...access(config));
    checks.push(...(await disks(config)));
    checks.push(...(await database(config)));
  }
  if (options.server) checks.push(...(await server(client)));
  if (options.json) await printJson({ checks });
  else for (const check of checks) await print(line(check));
  return checks.some(({ state }) => state === "failed") ? Exit.failed : Exit.ok;
}

function line({ name, state, found, advice }: Check): string {
  const mark = { ok: "ok     ", warning: "warning", failed: "FAILED " }[state];
  const text = `${state === "ok" ? mark : bold(mark)}  ${name.padEnd(12)}  ${harmless(found)}`;
  return advice === undefined ? text : `${text}\n${" ".repeat(23)}→ ${advice}`;
}

function settings(checks: Check[]): Config | null {
  try {
    const config = configOf();
    checks.push({
      name: "settings",
      state: "ok",
      found: `${config.workerCount} workers, ${config.connections.total} connections`,
    });
    return config;
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    for (const problem of error.message.split("\n")) {
      checks.push({
        name: "settings",
        state: "failed",
        found: problem,
        advice: "docs/configuration.md has every variable",
      });
    }
    return null;
  }
}

function access(config: Config): Check[] {
  const name = "access";
  const local = ["127.0.0.1", "::1", "localhost"].includes(config.host);
  if (config.auth !== null) return [{ name, state: "ok", found: "tokens are asked for" }];
  if (local) return [{ name, state: "ok", found: `no tokens, and only this machine reaches ${config.host}` }];
  return [
    {
      name,
      state: "warning",
      found: `no tokens, and every machine that reaches ${config.host}:${config.port} may do everything`,
      advice: "set JWT_ENABLED=true (docs/security.md), or HOST=127.0.0.1",
    },
  ];
}

async function disks(config: Config): Promise<Check[]> {
  const folders = new Map<string, string>([["spool", config.spool.folder]]);
  if (config.database.kind === "embedded") folders.set("data", config.database.dataDir);
  const checks: Check[] = [];
  for (const [what, folder] of folders) {
    let there = folder;
    while (!existsSync(there) && dirname(there) !== there) there = dirname(there);
    const { bavail, blocks, bsize } = await statfs(there);
    const [free, share] = [bavail * bsize, bavail / blocks];
    const found = `${bytes(free)} (${Math.round(share * 100)} %) free for ${what} in ${folder}`;
    const tight = free < DISK_FREE_BYTES_MIN || (share < DISK_FREE_SHARE_MIN && free < 10 * DISK_FREE_BYTES_MIN);
    checks.push(
      tight
        ? {
            name: "disk",
            state: "warning",
            found,
            advice: "make room, or set retention on large queues (queen queues)",
          }
        : { name: "disk", state: "ok", found },
    );
  }
  return checks;
}

async function database(config: Config): Promise<Check[]> {
  const name = "database";
  let target: DatabaseTarget | null;
  try {
    target =
      config.database.kind === "embedded" ? runningTarget(config) : (await openDatabase(config, () => {})).target;
  } catch (error) {
    return [{ name, state: "failed", found: messageOf(error), advice: "mend DATABASE_URL or the PG_ variables" }];
  }
  if (target === null) {
    const found = "the embedded database does not run, so it was not looked at";
    return [{ name, state: "warning", found, advice: 'start the server with "queen serve"' }];
  }
  const sql = openPool(target, 1, "queen doctor");
  try {
    const askedAt = Date.now();
    const health = await databaseHealth(sql);
    const skewMs = Date.parse(health.now) - (askedAt + Date.now()) / 2;
    const { migration, foreign } = await databaseState(sql);
    const place = config.database.kind === "embedded" ? "embedded" : `at ${addressText(target)}`;
    return [...databaseChecks(health, config, place), schema(migration, foreign), clock("database", skewMs)];
  } catch (error) {
    const found = `${addressText(target)}: ${messageOf(error)}`;
    return [{ name, state: "failed", found, advice: "is it running, and are user and password right?" }];
  } finally {
    await sql.end({ timeout: 1 });
  }
}

function schema(migration: { id: number; name: string } | null, foreign: boolean): Check {
  const name = "schema";
  if (foreign) {
    const advice = "use another database: this one is not touched";
    return { name, state: "failed", found: 'there is a schema "queen" of another program', advice };
  }
  const newest = newestMigration();
  if (migration === null) return { name, state: "ok", found: "none yet; the first start makes it" };
  if (migration.id > newest.id) {
    const found = `${migration.name}, which this program does not know`;
    return { name, state: "failed", found, advice: "use the version of Queen that made it, or a newer one" };
  }
  if (migration.id === newest.id) return { name, state: "ok", found: migration.name };
  const found = `${migration.name}, ${newest.id - migration.id} behind this program`;
  return { name, state: "warning", found, advice: "the next start brings it up to date; or run queen migrate" };
}

function clock(whose: string, skewMs: number): Check {
  const found = `the ${whose}'s is ${Math.abs(skewMs).toFixed(0)} ms ${skewMs < 0 ? "behind" : "ahead"}`;
  if (Math.abs(skewMs) <= CLOCK_SKEW_MS_MAX) return { name: "clock", state: "ok", found };
  return { name: "clock", state: "warning", found, advice: "synchronise the clocks of all machines (NTP)" };
}

async function server(client: Client): Promise<Check[]> {
  const name = "server";
  try {
    const startedAt = performance.now();
    const health = await client.get("/health", {}, { again: false, timeoutMs: 10_000 });
    const took = performance.now() - startedAt;
    const found = `${client.url} is ${harmless(String(health.status))}, version ${harmless(String(health.version))}, answers in ${took.toFixed(0)} ms`;
    const checks: Check[] = [{ name, state: "ok", found }];
    const askedAt = Date.now();
    const { timestamp } = await client.get("/api/v1/resources/overview");
    return [
      ...checks,
      { name: "token", state: "ok", found: "it may read" },
      clock("server", Date.parse(timestamp) - (askedAt + Date.now()) / 2),
    ];
  } catch (error) {
    const denied = error instanceof CliError && error.code === Exit.denied;
    return [{ name: denied ? "token" : name, state: "failed", found: messageOf(error) }];
  }
}

function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return error.errors.map(messageOf).join("; ");
  if (!(error instanceof Error)) return String(error);
  return error.message || String((error as { code?: string }).code ?? error.name);
}
