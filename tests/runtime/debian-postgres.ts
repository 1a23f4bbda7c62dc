/**
 * A PostgreSQL 15 as Debian ships it, standing in for one of the user's own: over TCP, with a password, and a role that
 * owns nothing but its database.
 *
 * @module
 */
import { spawn, spawnSync } from "node:child_process";
import { chownSync, existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import postgres from "postgres";
import { until } from "../support/wait.ts";
import { temporaryFolder } from "./program.ts";

const PROGRAMS = "/usr/lib/postgresql/15/bin";
/** PostgreSQL refuses to run as root. */
export const UNPRIVILEGED = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
/** Of the role `app`. */
export const PASSWORD = "it's a secret";

/** Why tests with it cannot run on this machine; null when they can. */
export const debianPostgresMissing: string | null = existsSync(join(PROGRAMS, "postgres"))
  ? null
  : `no PostgreSQL 15 in ${PROGRAMS}: apt-get install postgresql-15`;

/** A running server with one empty database. */
export interface DebianPostgres {
  /** For `DATABASE_URL`. */
  readonly url: string;
  readonly port: number;
  /** Ends it and removes its data. */
  stop(): Promise<void>;
}

/**
 * Starts one in a temporary folder.
 *
 * @returns Once it accepts connections; the caller stops it.
 */
export async function startDebianPostgres(): Promise<DebianPostgres> {
  const folder = temporaryFolder();
  const data = join(folder, "data");
  const passwordFile = join(folder, "password");
  mkdirSync(data);
  writeFileSync(passwordFile, PASSWORD);
  if (UNPRIVILEGED.uid !== undefined) chownSync(data, UNPRIVILEGED.uid, UNPRIVILEGED.gid);
  const made = spawnSync(
    join(PROGRAMS, "initdb"),
    [
      "-D",
      data,
      "-U",
      "postgres",
      "--auth=scram-sha-256",
      `--pwfile=${passwordFile}`,
      "--encoding=UTF8",
      "--no-locale",
    ],
    { ...UNPRIVILEGED, encoding: "utf8" },
  );
  if (made.status !== 0) throw new Error(`initdb failed: ${made.stderr}`);
  const port = await freePort();
  const args = ["-D", data, "-p", String(port), "-h", "127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off"];
  const server = spawn(join(PROGRAMS, "postgres"), args, { ...UNPRIVILEGED, stdio: "ignore" });
  const exited = new Promise<void>((resolve) => server.once("close", () => resolve()));
  const stop = async () => {
    server.kill("SIGINT");
    await exited;
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await makeDatabase(port);
  } catch (error) {
    await stop();
    throw error;
  }
  return { port, url: `postgres://app:${encodeURIComponent(PASSWORD)}@127.0.0.1:${port}/app`, stop };
}

async function makeDatabase(port: number): Promise<void> {
  const sql = postgres({ host: "127.0.0.1", port, user: "postgres", password: PASSWORD, max: 1, onnotice: () => {} });
  try {
    await until(
      () =>
        sql`select 1`.then(
          () => true,
          () => false,
        ),
      30_000,
      "PostgreSQL 15 accepting connections",
    );
    await sql.unsafe(`create role app login password '${PASSWORD.replaceAll("'", "''")}'`);
    await sql.unsafe("create database app owner app");
  } finally {
    await sql.end();
  }
}

/** A TCP port of 127.0.0.1 that nothing listened on just now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}
