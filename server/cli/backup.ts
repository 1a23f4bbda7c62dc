/**
 * `queen backup`.
 *
 * @module
 */
import type postgres from "postgres";
import packageJson from "../../package.json" with { type: "json" };
import {
  backupSequences,
  backupTables,
  copyOut,
  databaseState,
  queueCount,
  rowCount,
  withoutTimeLimits,
} from "../../workers/storage/backup.ts";
import { type BackupHeader, BackupWriter, Block } from "./backup-file.ts";
import type { Invocation } from "./command.ts";
import { connectDatabase } from "./database.ts";
import { CliError, Exit } from "./exit.ts";
import { bytes, counted, print, printJson } from "./output.ts";
import { type Progress, startProgress } from "./progress.ts";

interface Summary {
  readonly tables: number;
  readonly rows: number;
  readonly header: BackupHeader;
}

/** Writes all queue data to a file. @returns `nothing` when the database holds no schema of ours. */
export async function backup({ args, options }: Invocation<{ progress: boolean }>): Promise<number> {
  const path = args[0]!;
  const database = await connectDatabase("queen backup");
  try {
    const writer = await BackupWriter.create(path);
    const progress = await startProgress("bytes", options.progress && !options.json);
    try {
      // One snapshot for all: what is committed from now on is in none of the tables.
      const summary = (await database.sql.begin("isolation level repeatable read read only", (transaction) =>
        copyAll(transaction, writer, progress),
      )) as Summary;
      progress.stop();
      const { tables, rows, header } = summary;
      const size = writer.bytes;
      if (options.json) await printJson({ file: path, bytes: size, tables, rows, ...header });
      else await print(`${path}: ${counted(header.queues, "queue")}, ${counted(rows, "row")}, ${bytes(size)}`);
    } catch (error) {
      progress.stop();
      await writer.abandon();
      throw error;
    }
  } finally {
    await database.close();
  }
  return Exit.ok;
}

async function copyAll(sql: postgres.TransactionSql, writer: BackupWriter, progress: Progress): Promise<Summary> {
  await withoutTimeLimits(sql);
  const state = await databaseState(sql);
  if (state.migration === null)
    throw new CliError("The database holds no queues: there is nothing to back up.", Exit.nothing);
  const header: BackupHeader = {
    format: 1,
    createdAt: new Date().toISOString(),
    version: packageJson.version,
    postgres: state.postgres,
    migration: state.migration,
    ...(await queueCount(sql)),
  };
  await writer.json(Block.header, header);
  const tables = await backupTables(sql);
  let [rows, before] = [0, 0];
  for (const table of tables) {
    const tableRows = await rowCount(sql, table.name);
    await writer.json(Block.table, table);
    before += await writer.data(copyOut(sql, table), (copied) => progress.set(before + copied, before + copied));
    await writer.json(Block.tableEnd, { name: table.name, rows: tableRows });
    rows += tableRows;
  }
  await writer.finish({ tables: tables.length, rows, sequences: await backupSequences(sql) });
  return { tables: tables.length, rows, header };
}
