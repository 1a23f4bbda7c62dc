/**
 * Tables of streaming queries: what is registered, how far each partition's cycles came, and the state they keep.
 *
 * @module
 */

import { sql } from "drizzle-orm";
import { bigint, doublePrecision, integer, primaryKey, text, uniqueIndex, uuid } from "drizzle-orm/pg-core";
import { instant, name255, queen } from "./columns.ts";

/** Ids of states: a query that is reset gets another one, which is what makes resetting cost nothing. */
export const streamStateIds = queen.sequence("stream_state_ids");

/** A streaming query, registered by name. */
export const streamQueries = queen.table(
  "stream_queries",
  {
    id: uuid("id").primaryKey().default(sql`gen_random_uuid()`),
    name: name255("name").notNull(),
    sourceQueue: name255("source_queue").notNull(),
    sinkQueue: name255("sink_queue"),
    /** Stands for the chain of operators; state of another chain cannot be used. */
    configHash: text("config_hash").notNull(),
    /** Rows of `stream_state` under any other id are of before a reset, and are cleared away by a job. */
    stateId: bigint("state_id", { mode: "number" }).notNull().default(sql`nextval('queen.stream_state_ids')`),
    createdAt: instant("created_at").notNull().default(sql`clock_timestamp()`),
    updatedAt: instant("updated_at").notNull().default(sql`clock_timestamp()`),
  },
  (table) => [uniqueIndex("stream_queries_name").on(table.name)],
);

/**
 * The last cycle of a query on a partition. Its row is locked from the beginning of a cycle to its end, so that cycles
 * follow one another; and it tells a cycle that is sent again that it was committed.
 */
export const streamCycles = queen.table(
  "stream_cycles",
  {
    queueId: integer("queue_id").notNull(),
    partitionId: bigint("partition_id", { mode: "number" }).notNull(),
    /** Not always a registered one: a cycle without state need not be. */
    queryId: uuid("query_id").notNull(),
    cycleId: uuid("cycle_id").notNull(),
    cycleCount: bigint("cycle_count", { mode: "number" }).notNull().default(1),
    committedAt: instant("committed_at").notNull().default(sql`clock_timestamp()`),
  },
  (table) => [primaryKey({ name: "stream_cycles_pkey", columns: [table.queueId, table.partitionId, table.queryId] })],
);

/** What a query keeps for a partition, by key. */
export const streamState = queen.table(
  "stream_state",
  {
    queueId: integer("queue_id").notNull(),
    stateId: bigint("state_id", { mode: "number" }).notNull(),
    partitionId: bigint("partition_id", { mode: "number" }).notNull(),
    /** Sorted by code points. */
    key: text("key").notNull(),
    /** JSON text, as it was sent. */
    value: text("value").notNull(),
    /** Its member `windowEnd`, when that is a number. */
    windowEnd: doublePrecision("window_end"),
    updatedAt: instant("updated_at").notNull().default(sql`clock_timestamp()`),
  },
  (table) => [
    primaryKey({
      name: "stream_state_pkey",
      columns: [table.queueId, table.stateId, table.partitionId, table.key],
    }),
  ],
);
