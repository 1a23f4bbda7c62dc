/**
 * What PostgreSQL tells of itself.
 *
 * @module
 */
import { Type } from "typebox";
import { count, exact, Instant, nullable } from "./shapes.ts";

const Percent = Type.Number({ minimum: 0, maximum: 100 });
const reads = { diskReads: count(), cacheHits: count() };
const table = { schema: Type.String(), table: Type.String() };

/** The answer. */
export const PostgresStatistics = exact(
  {
    timestamp: Instant,
    database: Type.String(),
    databaseCache: exact({ database: Type.String(), ...reads, cacheHitRatio: Percent }),
    tableCache: Type.Array(exact({ table: Type.String(), ...reads, cacheHitRatio: Percent })),
    indexCache: Type.Array(exact({ index: Type.String(), ...reads, cacheHitRatio: Percent })),
    cacheSummary: exact({
      tables: exact({ ...reads, hitRatio: Percent }),
      indexes: exact({ ...reads, hitRatio: Percent }),
    }),
    deadTuples: Type.Array(
      exact({
        ...table,
        deadTuples: count(),
        liveTuples: count(),
        deadPercentage: Percent,
        lastVacuum: nullable(Instant),
        lastAutovacuum: nullable(Instant),
      }),
    ),
    hotUpdates: Type.Array(
      exact({ ...table, totalUpdates: count(), hotUpdates: count(), hotUpdatePercentage: Percent }),
    ),
    activeQueries: Type.Array(
      exact({
        pid: count(),
        duration: Type.Number({ description: "Seconds." }),
        state: nullable(Type.String()),
        query: Type.String(),
        waitEventType: nullable(Type.String()),
        waitEvent: nullable(Type.String()),
      }),
    ),
    autovacuumStatus: Type.Array(
      exact({
        table: Type.String(),
        lastAutovacuum: nullable(Instant),
        deadTuples: count(),
        autovacuumCount: count(),
        autoanalyzeCount: count(),
      }),
    ),
    bufferConfig: exact({ sharedBuffers: Type.String(), sharedBuffersSize: Type.Union([count(), Type.String()]) }),
    bufferUsage: Type.Array(
      exact({ object: Type.String(), bufferedSize: Type.String(), bufferedBytes: count(), percentOfCache: Percent }),
      { description: "Empty where pg_buffercache is not there, or not to be read." },
    ),
    tableSizes: Type.Array(
      exact({
        table: Type.String(),
        totalSize: Type.String(),
        totalSizeBytes: count(),
        tableSize: Type.String(),
        tableSizeBytes: count(),
        indexSize: Type.String(),
        indexSizeBytes: count(),
      }),
    ),
  },
  { title: "PostgresStatistics" },
);
