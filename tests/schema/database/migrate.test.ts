import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type postgres from "postgres";
import { DatabaseForeignError, DatabaseNewerError, migrate } from "../../../schema/database/migrate.ts";
import { migrations } from "../../../schema/database/migrations.generated.ts";
import { type EmbeddedServer, startEmbedded } from "../../../server/postgres/embedded.ts";
import { openPool } from "../../../workers/storage/database.ts";
import { startServer } from "../../support/server.ts";

setDefaultTimeout(120_000);

const ROOT = join(import.meta.dirname, "..", "..", "..");
const SERVERS = 10;

let dataDir: string;
let embedded: EmbeddedServer;

beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), "queen-migrate-"));
  embedded = await startEmbedded({ dataDir, log: () => {}, connectionsMax: 160 });
});

afterAll(async () => {
  await embedded.stop();
  rmSync(dataDir, { recursive: true, force: true });
});

function pool(database: string): postgres.Sql {
  const timeouts = {
    connectTimeoutMs: 5_000,
    idleTimeoutMs: 10_000,
    statementTimeoutMs: 30_000,
    lockTimeoutMs: 10_000,
  };
  return openPool({ ...embedded.target, database, tls: "off", prepare: true, ...timeouts }, 2, "migrate test");
}

/** Makes an empty database and lends a pool on it. */
async function withDatabase(name: string, use: (sql: postgres.Sql) => Promise<void>): Promise<void> {
  const first = pool("queen");
  await first.unsafe(`create database ${name}`);
  await first.end({ timeout: 5 });
  const sql = pool(name);
  try {
    await use(sql);
  } finally {
    await sql.end({ timeout: 5 });
  }
}

describe("migrate()", () => {
  test("makes an empty database ready, and finds nothing to do the second time", async () => {
    await withDatabase("empty", async (sql) => {
      const names = migrations.map((migration) => migration.name);
      expect(await migrate(sql)).toEqual({ applied: names, version: names.at(-1)! });
      expect(await migrate(sql)).toEqual({ applied: [], version: names.at(-1)! });
    });
  });

  test("refuses a database whose schema is another program's, as that of Queen 0.15, and leaves it alone", async () => {
    await withDatabase("foreign_tables", async (sql) => {
      await sql`create schema queen`;
      await sql`create table queen.queues (id uuid primary key, name text)`;
      await expect(migrate(sql)).rejects.toThrow(DatabaseForeignError);
      const tables = await sql`select tablename from pg_tables where schemaname = 'queen'`;
      expect(tables.map(({ tablename }) => tablename)).toEqual(["queues"]);
    });
  });

  test("refuses a database that a newer program made, and leaves it alone", async () => {
    await withDatabase("newer", async (sql) => {
      await migrate(sql);
      await sql`insert into queen.schema_migrations (id, name) values (9999, 'from_the_future')`;
      await expect(migrate(sql)).rejects.toThrow(DatabaseNewerError);
      await expect(migrate(sql)).rejects.toThrow("from_the_future");
    });
  });

  test("leaves nothing behind of a migration that fails", async () => {
    await withDatabase("failing", async (sql) => {
      // In the way of the first migration, after several of its tables.
      await sql`create schema queen`;
      await sql`create table queen.schema_migrations (id integer primary key, name text not null)`;
      await sql`create table queen.traces (id integer)`;
      await expect(migrate(sql)).rejects.toThrow("already exists");
      const tables = await sql<{ name: string }[]>`
        select relname as name from pg_class where relnamespace = 'queen'::regnamespace and relkind = 'r' order by 1`;
      expect(tables.map(({ name }) => name)).toEqual(["schema_migrations", "traces"]);
    });
  });
});

describe("servers on one database", () => {
  const env = (database: string) => ({
    PG_HOST: embedded.target.hosts[0]!,
    PG_PORT: String(embedded.target.port),
    PG_USER: embedded.target.user,
    PG_DB: database,
    NUM_WORKERS: "1",
    DB_POOL_SIZE: "8",
  });

  test("ten that start at once on an empty one all come up", async () => {
    await withDatabase("crowd", async (sql) => {
      const servers = await Promise.all(Array.from({ length: SERVERS }, () => startServer({ env: env("crowd") })));
      try {
        for (const server of servers) expect((await fetch(`${server.url}/health`)).status).toBe(200);
        const rows = await sql`select id from queen.schema_migrations order by id`;
        expect(rows.map((row) => row.id)).toEqual(migrations.map((migration) => migration.id));
        const applied = servers.filter((server) => server.log.some((line) => line.includes('"event":"migrated"')));
        expect(applied.length).toBeGreaterThan(0);
      } finally {
        expect(await Promise.all(servers.map((server) => server.stop()))).toEqual(servers.map(() => 0));
      }
    });
  });

  test("one that meets a newer database says so and exits 1", async () => {
    await withDatabase("future", async (sql) => {
      await migrate(sql);
      await sql`insert into queen.schema_migrations (id, name) values (9999, 'from_the_future')`;
      const run = spawnSync(process.execPath, ["run", join(ROOT, "server/main.ts"), "serve"], {
        env: { ...process.env, ...env("future"), HOST: "127.0.0.1", PORT: "0" },
        encoding: "utf8",
        timeout: 60_000,
      });
      expect(run.status).toBe(1);
      expect(run.stderr).toContain("newer version");
    });
  });
});

describe("db:generate", () => {
  /** A copy of what the command reads and writes. */
  function copy(): string {
    const root = mkdtempSync(join(tmpdir(), "queen-generate-"));
    mkdirSync(join(root, "schema"));
    cpSync(join(ROOT, "schema", "database"), join(root, "schema", "database"), { recursive: true });
    cpSync(join(ROOT, "package.json"), join(root, "package.json"));
    symlinkSync(join(ROOT, "node_modules"), join(root, "node_modules"));
    return root;
  }

  function generate(root: string, ...flags: string[]) {
    return spawnSync(process.execPath, ["run", join(root, "schema/database/generate.ts"), ...flags], {
      cwd: root,
      encoding: "utf8",
    });
  }

  test("finds a change of the tables, and writes a migration for it", () => {
    const root = copy();
    try {
      expect(generate(root, "--check").status).toBe(0);
      const tables = join(root, "schema", "database", "tables.ts");
      const text = readFileSync(tables, "utf8");
      writeFileSync(
        tables,
        text.replace('configVersion: integer("config_version")', 'added: integer("added"),\n    $&'),
      );
      expect(generate(root, "--check")).toMatchObject({ status: 1, stderr: expect.stringContaining("db:generate") });
      expect(generate(root).status).toBe(0);
      const folder = join(root, "schema", "database", "migrations");
      const newest = readdirSync(folder)
        .filter((name) => name.endsWith(".sql"))
        .sort()
        .at(-1)!;
      expect(readFileSync(join(folder, newest), "utf8")).toContain('ADD COLUMN "added" integer');
      expect(generate(root, "--check").status).toBe(0);
    } finally {
      rmSync(root, { recursive: true, force: true });
    }
  });
});
