/**
 * How PostgreSQL is doing, by its own statistics.
 *
 * @module
 */

import { toMilliseconds } from "../../schema/wire/instant.ts";
import { isAway } from "../storage/failures.ts";
import {
  activeQueries,
  type BlocksRow,
  type BufferRow,
  bufferSetting,
  bufferUsage,
  databaseBlocks,
  relationBlocks,
  type TableRow,
  tableStatistics,
} from "../storage/postgres-statistics.ts";
import { type Answer, type EngineContext, ok } from "./context.ts";

/** A share in percent, two decimals. */
function percent(part: number, whole: number): number {
  return whole === 0 ? 0 : Math.round((part / whole) * 10_000) / 100;
}

function ratio({ disk_reads, cache_hits }: Pick<BlocksRow, "disk_reads" | "cache_hits">): number {
  return percent(cache_hits, disk_reads + cache_hits);
}

function blocksOf(rows: readonly BlocksRow[], label: "table" | "index"): object[] {
  return rows.map((row) => ({
    [label]: row.name,
    diskReads: row.disk_reads,
    cacheHits: row.cache_hits,
    cacheHitRatio: ratio(row),
  }));
}

function summaryOf(rows: readonly BlocksRow[]): object {
  const all = {
    disk_reads: rows.reduce((sum, row) => sum + row.disk_reads, 0),
    cache_hits: rows.reduce((sum, row) => sum + row.cache_hits, 0),
  };
  return { diskReads: all.disk_reads, cacheHits: all.cache_hits, hitRatio: ratio(all) };
}

const UNITS = ["bytes", "kB", "MB", "GB", "TB"];

/** A size as people read it. */
export function sizeText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 10_240 && unit < UNITS.length - 1) {
    value /= 1_024;
    unit += 1;
  }
  return `${Math.round(value)} ${UNITS[unit]}`;
}

function tableFigures(tables: readonly TableRow[]): Record<string, object[]> {
  const time = (instant: string | null) => (instant === null ? null : toMilliseconds(instant));
  return {
    deadTuples: tables.map((row) => ({
      schema: row.schema,
      table: row.name,
      deadTuples: row.dead,
      liveTuples: row.live,
      deadPercentage: percent(row.dead, row.live + row.dead),
      lastVacuum: time(row.last_vacuum),
      lastAutovacuum: time(row.last_autovacuum),
    })),
    hotUpdates: tables.map((row) => ({
      schema: row.schema,
      table: row.name,
      totalUpdates: row.updates,
      hotUpdates: row.hot_updates,
      hotUpdatePercentage: percent(row.hot_updates, row.updates),
    })),
    autovacuumStatus: tables.map((row) => ({
      table: row.name,
      lastAutovacuum: time(row.last_autovacuum),
      deadTuples: row.dead,
      autovacuumCount: row.autovacuum_count,
      autoanalyzeCount: row.autoanalyze_count,
    })),
    tableSizes: tables.map((row) => ({
      table: row.name,
      totalSize: sizeText(row.total_bytes),
      totalSizeBytes: row.total_bytes,
      tableSize: sizeText(row.table_bytes),
      tableSizeBytes: row.table_bytes,
      indexSize: sizeText(row.index_bytes),
      indexSizeBytes: row.index_bytes,
    })),
  };
}

/** What the cache holds; nothing where this user may not look into it. */
async function usage(context: EngineContext): Promise<BufferRow[]> {
  try {
    return await bufferUsage(context.database.look);
  } catch (error) {
    if (isAway(error)) throw error;
    return [];
  }
}

/** Answers what PostgreSQL knows of itself, as far as it concerns our database. */
export async function postgresStatistics(context: EngineContext): Promise<Answer> {
  const sql = context.database.look;
  const database = await databaseBlocks(sql);
  const tables = await relationBlocks(sql, "tables");
  const indexes = await relationBlocks(sql, "indexes");
  const statistics = await tableStatistics(sql);
  const active = await activeQueries(sql);
  const buffers = await bufferSetting(sql);
  const held = await usage(context);
  return ok({
    timestamp: new Date().toISOString(),
    database: database.name,
    databaseCache: {
      database: database.name,
      diskReads: database.disk_reads,
      cacheHits: database.cache_hits,
      cacheHitRatio: ratio(database),
    },
    tableCache: blocksOf(tables, "table"),
    indexCache: blocksOf(indexes, "index"),
    cacheSummary: { tables: summaryOf(tables), indexes: summaryOf(indexes) },
    ...tableFigures(statistics),
    activeQueries: active.map((row) => ({
      pid: row.pid,
      duration: Math.round(row.duration * 1_000) / 1_000,
      state: row.state,
      query: row.query,
      waitEventType: row.wait_event_type,
      waitEvent: row.wait_event,
    })),
    bufferConfig: { sharedBuffers: buffers.text, sharedBuffersSize: buffers.bytes },
    bufferUsage: held.map(({ name, bytes }) => ({
      object: name,
      bufferedSize: sizeText(bytes),
      bufferedBytes: bytes,
      percentOfCache: percent(bytes, buffers.bytes),
    })),
  });
}
