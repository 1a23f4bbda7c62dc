/**
 * A rolling upgrade: a newer version starts beside an old one that serves load on the same database, migrates it under
 * that load, and takes over. The history of everything that clients saw is checked.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import {
  appendFileSync,
  chmodSync,
  cpSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import postgres from "postgres";
import { migrations } from "../../schema/database/migrations.generated.ts";
import { type EmbeddedServer, startEmbedded } from "../../server/postgres/embedded.ts";
import { act, settle } from "../model/concurrent/run.ts";
import { Scene } from "../model/concurrent/scene.ts";
import { databaseSocket } from "../support/database.ts";
import { uniqueName } from "../support/names.ts";
import { Random, runSeed } from "../support/random.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { until } from "../support/wait.ts";

setDefaultTimeout(300_000);

const ROOT = join(import.meta.dirname, "..", "..");
const RUN_MS_MAX = 120_000;
/** Requests that each stage sees at least. */
const STAGE_REQUESTS = 400;

/** What a later version may do to tables that are in use, and to the functions that old servers call meanwhile. */
const NEXT_MIGRATION = [
  `do $$ declare t regclass; begin
     for t in select c.oid from pg_class c where c.relnamespace = 'queen'::regnamespace and c.relkind = 'r' order by c.relname
     loop execute format('alter table %s add column of_next_version boolean not null default false', t); end loop;
   end $$`,
  `do $$ declare f regprocedure; begin
     for f in select p.oid from pg_proc p where p.pronamespace = 'queen'::regnamespace and p.prokind = 'f'
     loop execute pg_get_functiondef(f); end loop;
   end $$`,
];

let folder: string;
let nextRoot: string;
let database: EmbeddedServer;
let sql: postgres.Sql;
const servers: TestServer[] = [];
/** Statements of the old version whose answers the migration gave another shape: the driver cannot live with that. */
const changedResults: string[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "queen-upgrade-"));
  chmodSync(folder, 0o755);
  database = await startEmbedded({
    dataDir: folder,
    log: (_level, _event, fields) => {
      if (String(fields?.text).includes("result type")) changedResults.push(String(fields?.text));
    },
    connectionsMax: 80,
  });
  const socket = await databaseSocket(folder);
  // Not prepared: the checks read whole rows, whose shape the migration changes.
  sql = postgres({
    path: `${socket.folder}/.s.PGSQL.${socket.port}`,
    user: socket.user,
    database: socket.database,
    max: 1,
    prepare: false,
    onnotice: () => {},
  });
  // Whoever looks on must not be the one that PostgreSQL ends when the migration and others wait for each other.
  await sql`set deadlock_timeout = '60s'`;
  nextRoot = mkdtempSync(join(tmpdir(), "queen-next-version-"));
  for (const part of ["schema", "server", "workers", "package.json", "tsconfig.json"])
    cpSync(join(ROOT, part), join(nextRoot, part), { recursive: true });
  symlinkSync(join(ROOT, "node_modules"), join(nextRoot, "node_modules"));
  writeNextMigration(join(nextRoot, "schema/database/migrations.generated.ts"));
});
afterAll(async () => {
  for (const server of servers) await server.stop();
  await sql?.end();
  await database?.stop();
  for (const path of [folder, nextRoot]) rmSync(path, { recursive: true, force: true });
});

function writeNextMigration(file: string): void {
  const next = { id: migrations.at(-1)!.id + 1, name: "next_version", statements: NEXT_MIGRATION };
  writeFileSync(file, readFileSync(file, "utf8").replace("export const migrations", "const present"));
  appendFileSync(file, `\nexport const migrations: typeof present = [...present, ${JSON.stringify(next)}];\n`);
}

async function serve(root: string): Promise<TestServer> {
  const { hosts, port, user, database: name } = database.target;
  const server = await startServer({
    env: { PG_HOST: hosts[0]!, PG_PORT: String(port), PG_USER: user, PG_DB: name, PG_PASSWORD: "" },
    command: [process.execPath, "run", join(root, "server/main.ts"), "serve"],
  });
  servers.push(server);
  return server;
}

const migrated = async () => (await sql`select from queen.schema_migrations where name = 'next_version'`).length === 1;

test("the next version migrates under load, serves beside this one, and goes on alone; the history holds", async () => {
  const old = await serve(ROOT);
  const random = new Random(runSeed());
  const scene = new Scene([old.url], uniqueName("upgrade"), Number.MAX_SAFE_INTEGER, RUN_MS_MAX);
  const requests = () => scene.history.pops.length + scene.history.pushes.length;
  const more = (what: string) => {
    const wanted = requests() + STAGE_REQUESTS;
    return until(() => requests() >= wanted, RUN_MS_MAX, `requests ${what}`);
  };
  await scene.prepare();
  const acting = act(scene, sql, random);
  await Promise.race([acting, more("before")]);
  expect(await migrated()).toBe(false);

  const fresh = await serve(nextRoot);
  expect(await migrated()).toBe(true);
  const both = new Scene([old.url, fresh.url], scene.queue, 0, 0).apis;
  scene.apis = both;
  await Promise.race([acting, more("on both")]);
  scene.apis = [both[1]!];
  expect(await old.stop()).toBe(0);
  servers.splice(servers.indexOf(old), 1);
  await Promise.race([acting, more("on the new one alone")]);
  scene.finish();
  await acting;
  await settle(scene, sql, random);

  // A job that PostgreSQL ends for the migration's sake runs again by itself.
  const isComplaint = (line: string) =>
    /"level":"(error|fatal)"|sweep_repaired/.test(line) && !/deadlock detected.*"job_failed"/.test(line);
  const complaints = [...old.log, ...fresh.log].filter(isComplaint);
  expect(complaints).toEqual([]);
  expect(changedResults).toEqual([]);
  expect(scene.history.pops.reduce((sum, { messages }) => sum + messages.length, 0)).toBeGreaterThan(STAGE_REQUESTS);
});

test("the old version does not start on the migrated database, and says why", async () => {
  expect(await migrated()).toBe(true);
  await expect(serve(ROOT)).rejects.toThrow(/newer/);
});
