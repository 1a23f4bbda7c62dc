/**
 * The tables, as drizzle-kit reads them to make migrations. Hot statements never go through drizzle: they are functions
 * and raw SQL (`schema/database/migrations`, `workers/storage`), and name the queue first, so that every table can be
 * distributed by queue.
 *
 * How the tables hang together:
 *
 * - A `queue` has `partitions`; a partition is a log of `segments`; a segment holds `message_count` messages with the
 *   offsets `[first_offset, first_offset + message_count)`.
 * - A `consumer_group` has one `cursor` for each partition on which it has, or had, something to consume. **A missing
 *   cursor means: nothing to consume.** The push that first puts something into such a partition creates it.
 * - A cursor's `ready_at` is when it next may have something to deliver; `infinity` means drained. It may be too early
 *   (a pop then finds nothing and corrects it), never too late.
 *
 * @module
 */

import { sql } from "drizzle-orm";
import { bigint, boolean, index, integer, primaryKey, smallint, text, uniqueIndex, uuid } from "drizzle-orm/pg-core";
import { bytea, instant, name255, offset, offsets, queen } from "./columns.ts";

export { queen } from "./columns.ts";
export * from "./october-tables.ts";
export * from "./sample-tables.ts";
export * from "./stream-tables.ts";

/** Ids of partitions: one sequence for all, drawn only when a partition is made. */
export const partitionIds = queen.sequence("partition_ids", { cache: 32 });

/** A queue and its options (wire contract, section 5). Null options were not given by the client. */
export const queues = queen.table(
  "queues",
  {
    id: integer("id").primaryKey().generatedAlwaysAsIdentity(),
    name: name255("name").notNull(),
    namespace: name255("namespace").notNull().default(""),
    task: name255("task").notNull().default(""),
    /** Grows with every configure; a push made under an older version is refused and repeated. */
    configVersion: integer("config_version").notNull().default(1),
    leaseTimeS: integer("lease_time_s").notNull().default(300),
    retryLimit: integer("retry_limit").notNull().default(3),
    retryDelayMs: integer("retry_delay_ms"),
    maxSize: integer("max_size").notNull().default(0),
    ttlS: integer("ttl_s"),
    deadLetterQueue: boolean("dead_letter_queue").notNull().default(false),
    dlqAfterMaxRetries: boolean("dlq_after_max_retries").notNull().default(false),
    priority: integer("priority").notNull().default(0),
    delayedProcessingS: integer("delayed_processing_s").notNull().default(0),
    windowBufferS: integer("window_buffer_s").notNull().default(0),
    retentionS: integer("retention_s").notNull().default(0),
    completedRetentionS: integer("completed_retention_s").notNull().default(0),
    retentionEnabled: boolean("retention_enabled").notNull().default(false),
    encryptionEnabled: boolean("encryption_enabled").notNull().default(false),
    maxWaitTimeS: integer("max_wait_time_s").notNull().default(0),
    createdAt: instant("created_at").notNull().default(sql`clock_timestamp()`),
  },
  (table) => [
    uniqueIndex("queues_name").on(table.name),
    index("queues_namespace_task").on(table.namespace, table.task),
  ],
);

/** A partition: where its log begins and ends. Updated by every push to it, so it stays narrow and HOT. */
export const partitions = queen.table(
  "partitions",
  {
    queueId: integer("queue_id").notNull(),
    id: bigint("id", { mode: "number" }).notNull().default(sql`nextval('queen.partition_ids')`),
    name: name255("name").notNull(),
    /** Offset the next message gets. */
    head: offset("head").notNull().default(0),
    /** Offset of the oldest message still kept. */
    tail: offset("tail").notNull().default(0),
    /** Largest time-ordered transaction id ever appended: newer ids need no look-up. */
    txHigh: uuid("tx_high"),
    /** Grows when messages are taken out of the middle, so that no worker's memory of ids outlives them. */
    epoch: integer("epoch").notNull().default(0),
    /** How many single messages were deleted out of the kept log. */
    tombstoneCount: integer("tombstone_count").notNull().default(0),
    pushedAt: instant("pushed_at"),
    createdAt: instant("created_at").notNull().default(sql`clock_timestamp()`),
    generation: integer("generation").notNull().default(0),
  },
  (table) => [
    // The newest version stands last, where a search from the end finds it at once: see docs/decisions/0009-generations.md.
    primaryKey({ name: "partitions_pkey", columns: [table.queueId, table.id, table.generation] }),
    // Names are unique because `partition_ensure` makes partitions one transaction at a time: a unique index would have
    // every new version compared with all dead ones.
    index("partitions_name").on(table.queueId, table.name),
  ],
);

/** A run of messages of one partition, written once and never changed. */
export const segments = queen.table(
  "segments",
  {
    queueId: integer("queue_id").notNull(),
    partitionId: bigint("partition_id", { mode: "number" }).notNull(),
    firstOffset: offset("first_offset").notNull(),
    messageCount: integer("message_count").notNull(),
    /** Bits: see `schema/wire/segment.ts`. */
    format: smallint("format").notNull(),
    /** Bytes of the body before compression. */
    rawBytes: integer("raw_bytes").notNull(),
    createdAt: instant("created_at").notNull(),
    /** Message id of the first message; the others count up from it. */
    idBase: uuid("id_base").notNull(),
    /** Smallest and largest time-ordered transaction id inside, or null when there is none. */
    txMin: uuid("tx_min"),
    txMax: uuid("tx_max"),
    /** 16 bytes a message, in order: the key of its transaction id. */
    txKeys: bytea("tx_keys").notNull(),
    body: bytea("body").notNull(),
  },
  (table) => [
    primaryKey({ name: "segments_pkey", columns: [table.queueId, table.partitionId, table.firstOffset] }),
    index("segments_tx").on(table.queueId, table.partitionId, table.txMax, table.txMin),
    index("segments_created").on(table.queueId, table.createdAt),
  ],
);

/** Transaction ids that are not time-ordered, one row each, for exact duplicates. */
export const transactionKeys = queen.table(
  "transaction_keys",
  {
    queueId: integer("queue_id").notNull(),
    partitionId: bigint("partition_id", { mode: "number" }).notNull(),
    key: uuid("key").notNull(),
    messageOffset: offset("message_offset").notNull(),
  },
  (table) => [
    primaryKey({ name: "transaction_keys_pkey", columns: [table.queueId, table.partitionId, table.key] }),
    // For clearing away alone. The condition always holds, but statements that look up keys do not name it: without
    // statistics the planner would take this index for theirs.
    index("transaction_keys_offset")
      .on(table.queueId, table.partitionId, table.messageOffset)
      .where(sql`message_offset >= 0`),
  ],
);

/** Offsets deleted one by one out of a segment that is otherwise kept. */
export const tombstones = queen.table(
  "tombstones",
  {
    queueId: integer("queue_id").notNull(),
    partitionId: bigint("partition_id", { mode: "number" }).notNull(),
    messageOffset: offset("message_offset").notNull(),
  },
  (table) => [
    primaryKey({ name: "tombstones_pkey", columns: [table.queueId, table.partitionId, table.messageOffset] }),
  ],
);

/** A consumer group of one queue. `__QUEUE_MODE__` is the group of consumers that name none. */
export const consumerGroups = queen.table(
  "consumer_groups",
  {
    queueId: integer("queue_id").notNull(),
    id: integer("id").notNull().generatedAlwaysAsIdentity(),
    name: name255("name").notNull(),
    /** `all`, `new` or `timestamp`; null until a pop over the whole queue decides it. */
    subscriptionMode: text("subscription_mode"),
    /** Start of a `new` or `timestamp` subscription. */
    subscribedFrom: instant("subscribed_from"),
    /** False once the group was deleted and only its subscription kept. */
    active: boolean("active").notNull().default(true),
    /** While cursors are being made for messages from before the group: those of partitions up to this one are. */
    filledTo: bigint("filled_to", { mode: "number" }),
    createdAt: instant("created_at").notNull().default(sql`clock_timestamp()`),
  },
  (table) => [
    primaryKey({ name: "consumer_groups_pkey", columns: [table.queueId, table.id] }),
    uniqueIndex("consumer_groups_name").on(table.queueId, table.name),
    index("consumer_groups_by_name").on(table.name),
  ],
);

/** Where one group stands on one partition, and the lease it may hold there. */
export const cursors = queen.table(
  "cursors",
  {
    queueId: integer("queue_id").notNull(),
    partitionId: bigint("partition_id", { mode: "number" }).notNull(),
    groupId: integer("group_id").notNull(),
    /** First offset not yet resolved (acknowledged or dead-lettered). */
    nextOffset: offset("next_offset").notNull(),
    readyAt: instant("ready_at").notNull(),
    leaseId: uuid("lease_id"),
    leaseExpiresAt: instant("lease_expires_at"),
    /** The lease covers offsets `[lease_first, lease_end)`, less those resolved before it. */
    leaseFirst: offset("lease_first"),
    leaseEnd: offset("lease_end"),
    /** Offsets beyond `next_offset` that are resolved already; null when there are none. */
    resolved: offsets("resolved"),
    /** Whether rows of `retries` exist for this cursor. */
    hasRetries: boolean("has_retries").notNull().default(false),
    consumedCount: bigint("consumed_count", { mode: "number" }).notNull().default(0),
    batchCount: bigint("batch_count", { mode: "number" }).notNull().default(0),
    consumedAt: instant("consumed_at"),
    generation: integer("generation").notNull().default(0),
  },
  (table) => [
    // As of partitions. Cursors are made under their partition's lock or their queue's, which keeps them unique.
    primaryKey({ name: "cursors_pkey", columns: [table.queueId, table.partitionId, table.groupId, table.generation] }),
    index("cursors_ready")
      .on(table.queueId, table.groupId, table.readyAt)
      .where(sql`ready_at < 'infinity'::timestamptz`),
  ],
);

/** How often a message failed for a group; only messages that failed and are not yet resolved have a row. */
export const retries = queen.table(
  "retries",
  {
    queueId: integer("queue_id").notNull(),
    partitionId: bigint("partition_id", { mode: "number" }).notNull(),
    groupId: integer("group_id").notNull(),
    messageOffset: offset("message_offset").notNull(),
    failureCount: integer("failure_count").notNull(),
    error: text("error"),
    failedAt: instant("failed_at").notNull().default(sql`clock_timestamp()`),
  },
  (table) => [
    primaryKey({
      name: "retries_pkey",
      columns: [table.queueId, table.partitionId, table.groupId, table.messageOffset],
    }),
  ],
);

/** Messages a group gave up on. The payload stays in the segment. */
export const deadLetters = queen.table(
  "dead_letters",
  {
    queueId: integer("queue_id").notNull(),
    partitionId: bigint("partition_id", { mode: "number" }).notNull(),
    groupId: integer("group_id").notNull(),
    messageOffset: offset("message_offset").notNull(),
    error: text("error").notNull(),
    failureCount: integer("failure_count").notNull(),
    failedAt: instant("failed_at").notNull().default(sql`clock_timestamp()`),
  },
  (table) => [
    primaryKey({
      name: "dead_letters_pkey",
      columns: [table.queueId, table.partitionId, table.groupId, table.messageOffset],
    }),
    index("dead_letters_failed").on(table.queueId, table.failedAt),
  ],
);

/** Events that clients attached to a message. */
export const traces = queen.table(
  "traces",
  {
    queueId: integer("queue_id").notNull(),
    id: uuid("id").notNull(),
    partitionId: bigint("partition_id", { mode: "number" }).notNull(),
    messageOffset: offset("message_offset").notNull(),
    transactionId: name255("transaction_id").notNull(),
    consumerGroup: name255("consumer_group"),
    eventType: text("event_type").notNull(),
    /** JSON text, as it was sent. */
    data: text("data").notNull(),
    names: text("names").array().notNull(),
    workerId: text("worker_id").notNull(),
    createdAt: instant("created_at").notNull().default(sql`clock_timestamp()`),
  },
  (table) => [
    primaryKey({ name: "traces_pkey", columns: [table.queueId, table.id] }),
    index("traces_message").on(table.queueId, table.partitionId, table.messageOffset),
    index("traces_names").using("gin", table.names),
  ],
);

/** Switches of the whole system. */
export const systemFlags = queen.table("system_flags", {
  name: text("name").primaryKey(),
  enabled: boolean("enabled").notNull(),
  updatedAt: instant("updated_at").notNull().default(sql`clock_timestamp()`),
});

/** Queues that were deleted and whose rows a job still clears away, in bounded steps. */
export const purges = queen.table("purges", {
  queueId: integer("queue_id").primaryKey(),
  deletedAt: instant("deleted_at").notNull().default(sql`clock_timestamp()`),
});
