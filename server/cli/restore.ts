/**
 * `queen restore`.
 *
 * @module
 */
import { once } from "node:events";
import type { Writable } from "node:stream";
import { finished } from "node:stream/promises";
import type postgres from "postgres";
import { makeSchemaAnew, migrate } from "../../schema/database/migrate.ts";
import {
  analyzeAll,
  type BackupSequence,
  backupTables,
  copyIn,
  databaseState,
  otherConnections,
  queueCount,
  rowCount,
  setSequence,
  withoutTimeLimits,
} from "../../workers/storage/backup.ts";
import { type BackupHeader, Block, readBackup } from "./backup-file.ts";
import type { Invocation } from "./command.ts";
import { confirm } from "./confirm.ts";
import { type CliDatabase, connectDatabase } from "./database.ts";
import { CliError, Exit } from "./exit.ts";
import { bytes, count, counted, note, print, printJson } from "./output.ts";
import { type Progress, startProgress } from "./progress.ts";

/** Options of restore. */
export interface RestoreOptions {
  readonly force?: boolean;
  readonly check?: boolean;
  readonly progress: boolean;
}

interface Contents {
  readonly header: BackupHeader;
  readonly rows: number;
  readonly tables: number;
  /** Bytes of the copies, unpacked. */
  readonly bytes: number;
}

/** Checks a file, and loads it unless only that was asked for. */
export async function restore({ args, options }: Invocation<RestoreOptions>): Promise<number> {
  const path = args[0]!;
  // Whole, before anything is touched.
  const contents = await check(path);
  const { header } = contents;
  const what = `${counted(header.queues, "queue")}, ${counted(contents.rows, "row")}, as of ${header.createdAt}`;
  if (options.check) {
    if (options.json) await printJson({ file: path, ...contents });
    else
      await print(`${path} is whole: ${what}, ${bytes(contents.bytes)} unpacked, written by Queen ${header.version}`);
    return Exit.ok;
  }
  const database = await connectDatabase("queen restore");
  const progress = await startProgress("bytes", options.progress && !options.json);
  try {
    await refuseUnlessFree(database, options);
    await database.sql.begin((transaction) => load(transaction, path, contents, progress));
    // What this program's schema has beyond that of the file.
    await migrate(database.sql);
    await analyzeAll(database.sql);
    progress.stop();
  } catch (error) {
    progress.stop();
    if (error instanceof CliError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new CliError(`Nothing was restored, the database is as it was: ${reason}`);
  } finally {
    await database.close();
  }
  if (options.json) await printJson({ file: path, ...contents });
  else await print(`Restored ${what}`);
  if (header.encrypted > 0) {
    note(
      `${count(header.encrypted)} of them are encrypted: servers need the QUEEN_ENCRYPTION_KEY they were written with.`,
    );
  }
  return Exit.ok;
}

/** Reads the whole file. */
async function check(path: string): Promise<Contents> {
  let header: BackupHeader | null = null;
  let [rows, tables, unpacked] = [0, 0, 0];
  for await (const { kind, json, data } of readBackup(path)) {
    if (kind === Block.header) {
      header = json as BackupHeader;
      if (json.format !== 1) throw new CliError(`${path} was written by a newer version of Queen (${json.version}).`);
    } else if (header === null) throw new CliError(`${path} is no backup of Queen.`);
    if (kind === Block.data) unpacked += data.length;
    if (kind !== Block.tableEnd) continue;
    tables += 1;
    rows += json.rows;
  }
  return { header: header!, rows, tables, bytes: unpacked };
}

async function refuseUnlessFree({ sql }: CliDatabase, options: RestoreOptions & { yes?: boolean }): Promise<void> {
  const others = (await otherConnections(sql)).filter((name) => name !== "queen restore");
  if (others.length > 0) {
    throw new CliError(`A server uses this database (${others[0]}): stop it first. Nothing was changed.`);
  }
  const { migration, foreign } = await databaseState(sql);
  if (foreign) throw new CliError('The database holds a schema "queen" of another program: use another database.');
  if (migration === null) return;
  const { queues } = await queueCount(sql);
  if (queues === 0) return;
  if (!options.force) {
    throw new CliError(
      `The database holds ${counted(queues, "queue")}: add --force to replace what is there. Nothing was changed.`,
    );
  }
  await confirm(
    options,
    `The database's ${counted(queues, "queue")} will be replaced and cannot be brought back.`,
    "replace",
  );
}

async function load(sql: postgres.TransactionSql, path: string, contents: Contents, progress: Progress): Promise<void> {
  await withoutTimeLimits(sql);
  await makeSchemaAnew(sql, contents.header.migration.id);
  const known = new Set((await backupTables(sql)).map(({ name }) => name));
  let into: Writable | null = null;
  let loaded = 0;
  for await (const { kind, json, data } of readBackup(path)) {
    if (kind === Block.table) {
      if (!known.has(json.name))
        throw new CliError(`The file has a table that its version does not know: ${json.name}`);
      into = await copyIn(sql, json);
    } else if (kind === Block.data) {
      await put(into!, data);
      loaded += data.length;
      progress.set(loaded, contents.bytes);
    } else if (kind === Block.tableEnd) {
      const done = finished(into!);
      into!.end();
      await done;
      const rows = await rowCount(sql, json.name);
      if (rows !== json.rows)
        throw new CliError(`${json.name} got ${rows} of ${json.rows} rows: nothing was restored.`);
    } else if (kind === Block.end) {
      for (const sequence of json.sequences as BackupSequence[]) await setSequence(sql, sequence);
    }
  }
}

/** Writes, and waits while the database cannot take more. */
async function put(into: Writable, data: Uint8Array): Promise<void> {
  if (into.errored) throw into.errored;
  if (!into.write(data)) await once(into, "drain");
}
