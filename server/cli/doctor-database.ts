/**
 * What `queen doctor` thinks of a database.
 *
 * @module
 */
import { migrations } from "../../schema/database/migrations.generated.ts";
import type { DatabaseHealth } from "../../workers/storage/doctor.ts";
import type { Config } from "../config.ts";
import type { Check } from "./doctor.ts";
import { bytes, count, seconds } from "./output.ts";

/** The oldest PostgreSQL that will do. */
const VERSION_MIN = 140_000;
const SHARED_BUFFERS_BYTES_MIN = 128 * 1024 * 1024;
/** A transaction open for longer keeps dead rows from being cleared away. */
const TRANSACTION_S_MAX = 600;
const TRANSACTION_ID_AGE_MAX = 1_000_000_000;
/** Beside the workers': migrations, jobs, and some to look around with. */
const EXTRA_CONNECTIONS = 4;

/** The newest migration of this program. */
export function newestMigration(): { id: number; name: string } {
  return migrations.at(-1)!;
}

/** Judges a database. */
export function databaseChecks(health: DatabaseHealth, config: Config, place: string): Check[] {
  return [version(health, place), ...writing(health), ...settings(health), connections(health, config), ...age(health)];
}

function version(health: DatabaseHealth, place: string): Check {
  const found = `PostgreSQL ${health.version} ${place}, ${bytes(health.database_bytes)}`;
  if (health.version_number >= VERSION_MIN) return { name: "database", state: "ok", found };
  return { name: "database", state: "failed", found, advice: "use PostgreSQL 14 or newer" };
}

function writing(health: DatabaseHealth): Check[] {
  const name = "database";
  const checks: Check[] = [];
  if (health.in_recovery) {
    const advice = "name the primary, or several hosts separated by commas";
    checks.push({ name, state: "failed", found: "it is a replica and takes no writes", advice });
  }
  if (!health.may_create) {
    const advice = "grant create on database … to the user";
    checks.push({ name, state: "warning", found: "the user may not create schemas, so cannot migrate", advice });
  }
  return checks;
}

/** Settings that decide whether what was answered is kept, and how fast. */
function settings(health: DatabaseHealth): Check[] {
  const off: [setting: string, value: string, state: Check["state"], why: string][] = [
    ["fsync", health.fsync, "failed", "a crash of the machine may destroy the database"],
    ["full_page_writes", health.full_page_writes, "failed", "a crash of the machine may destroy the database"],
    ["synchronous_commit", health.synchronous_commit, "warning", "a crash may lose messages that were answered"],
    ["autovacuum", health.autovacuum, "warning", "dead rows pile up, and everything gets slower"],
  ];
  const checks: Check[] = off
    .filter(([, value]) => value === "off")
    .map(([setting, , state, why]) => ({
      name: "durability",
      state,
      found: `${setting} is off: ${why}`,
      advice: `switch ${setting} on`,
    }));
  if (checks.length === 0)
    checks.push({ name: "durability", state: "ok", found: "fsync, synchronous_commit and autovacuum are on" });
  if (health.shared_buffers_bytes < SHARED_BUFFERS_BYTES_MIN) {
    const found = `shared_buffers is ${bytes(health.shared_buffers_bytes)}`;
    checks.push({ name: "memory", state: "warning", found, advice: "set it to a quarter of the memory" });
  }
  return checks;
}

function connections(health: DatabaseHealth, config: Config): Check {
  const name = "connections";
  const wanted = config.connections.total + EXTRA_CONNECTIONS;
  const found = `${count(health.connections)} of ${count(health.connections_max)} in use; a server with these settings opens up to ${count(wanted)}`;
  if (health.connections_max >= wanted) return { name, state: "ok", found };
  return { name, state: "failed", found, advice: "raise max_connections, or lower DB_POOL_SIZE or NUM_WORKERS" };
}

function age(health: DatabaseHealth): Check[] {
  const checks: Check[] = [];
  if (health.oldest_transaction_s > TRANSACTION_S_MAX) {
    const found = `one has been open for ${seconds(health.oldest_transaction_s)}: dead rows cannot be cleared away`;
    checks.push({
      name: "transactions",
      state: "warning",
      found,
      advice: "find it in pg_stat_activity (xact_start) and end it",
    });
  }
  if (health.transaction_id_age > TRANSACTION_ID_AGE_MAX) {
    const found = `the oldest transaction id is ${count(health.transaction_id_age)} old`;
    checks.push({
      name: "transactions",
      state: "warning",
      found,
      advice: "run vacuum (freeze), and see why autovacuum does not",
    });
  }
  return checks;
}
