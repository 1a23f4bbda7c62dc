/**
 * Tables of measurements: what each process of the server counted, by the minute (or `METRICS_AGGREGATE_INTERVAL_S`). A
 * process writes its own rows only, with the figures of the whole interval, so that writing them again changes nothing.
 *
 * @module
 */

import { sql } from "drizzle-orm";
import { bigint, doublePrecision, integer, jsonb, primaryKey, text } from "drizzle-orm/pg-core";
import { instant, queen } from "./columns.ts";

const count = (name: string) => bigint(name, { mode: "number" }).notNull().default(0);
const measure = (name: string) => doublePrecision(name).notNull().default(0);

/** What is counted by queue and by worker: see `workers/protocol/observation.ts`. */
const traffic = () => ({
  pushRequests: count("push_requests"),
  pushMessages: count("push_messages"),
  popRequests: count("pop_requests"),
  popMessages: count("pop_messages"),
  popEmpty: count("pop_empty"),
  ackRequests: count("ack_requests"),
  ackSuccess: count("ack_success"),
  ackFailed: count("ack_failed"),
  autoAcked: count("auto_acked"),
  transactions: count("transactions"),
  deadLetters: count("dead_letters"),
  partitionsCreated: count("partitions_created"),
  partitionsDeleted: count("partitions_deleted"),
  lagCount: count("lag_count"),
  lagSumMs: count("lag_sum_ms"),
  lagMaxMs: count("lag_max_ms"),
});

/** Processes of the server, one row a start. Row 0 stands for those that were forgotten. */
export const instances = queen.table("instances", {
  id: integer("id").primaryKey().generatedByDefaultAsIdentity(),
  hostname: text("hostname").notNull(),
  port: integer("port").notNull(),
  pid: integer("pid").notNull(),
  startedAt: instant("started_at").notNull().default(sql`clock_timestamp()`),
  seenAt: instant("seen_at").notNull().default(sql`clock_timestamp()`),
  /** Counts since the start, by name. */
  totals: jsonb("totals").notNull().default({}),
});

/** What each worker did in an interval that begins at `at`. */
export const workerSamples = queen.table(
  "worker_samples",
  {
    at: instant("at").notNull(),
    instanceId: integer("instance_id").notNull(),
    worker: integer("worker").notNull(),
    ...traffic(),
    databaseErrors: count("database_errors"),
    jobsDone: count("jobs_done"),
    retentionMessages: count("retention_messages"),
    completedRetentionMessages: count("completed_retention_messages"),
    evictionMessages: count("eviction_messages"),
    retentionEvents: count("retention_events"),
    loopLagSumMs: measure("loop_lag_sum_ms"),
    loopLagMaxMs: measure("loop_lag_max_ms"),
    loopLagCount: count("loop_lag_count"),
    /** How often the figures below were looked at. */
    looks: count("looks"),
    freeSlotsSum: count("free_slots_sum"),
    freeSlotsMin: count("free_slots_min"),
    jobQueueSum: count("job_queue_sum"),
    jobQueueMax: count("job_queue_max"),
    parkedMax: count("parked_max"),
    connections: count("connections"),
  },
  (table) => [primaryKey({ name: "worker_samples_pkey", columns: [table.at, table.instanceId, table.worker] })],
);

/** What each worker did for a queue in an interval. Only queues with which something was done have a row. */
export const queueSamples = queen.table(
  "queue_samples",
  {
    at: instant("at").notNull(),
    queueId: integer("queue_id").notNull(),
    instanceId: integer("instance_id").notNull(),
    worker: integer("worker").notNull(),
    ...traffic(),
    parkedMax: count("parked_max"),
  },
  (table) => [
    primaryKey({ name: "queue_samples_pkey", columns: [table.at, table.queueId, table.instanceId, table.worker] }),
  ],
);

/** How each process did in an interval. */
export const instanceSamples = queen.table(
  "instance_samples",
  {
    at: instant("at").notNull(),
    instanceId: integer("instance_id").notNull(),
    sampleCount: integer("sample_count").notNull(),
    /** By the path of the measurement: its sum, smallest, largest and last value. */
    metrics: jsonb("metrics").notNull(),
  },
  (table) => [primaryKey({ name: "instance_samples_pkey", columns: [table.at, table.instanceId] })],
);
