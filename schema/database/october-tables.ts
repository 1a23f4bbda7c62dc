/**
 * Tables of the October 2025 dialect, whose clients name a message by its transaction id alone. Only requests of that
 * dialect write here; a job clears away what has outlived its messages.
 *
 * @module
 */

import { bigint, integer, primaryKey, uuid } from "drizzle-orm/pg-core";
import { offset, offsets, queen } from "./columns.ts";

/** Where the messages with a transaction id lie. Looked up by the id, hence not keyed by queue first. */
export const octoberMessages = queen.table(
  "october_messages",
  {
    key: uuid("key").notNull(),
    queueId: integer("queue_id").notNull(),
    partitionId: bigint("partition_id", { mode: "number" }).notNull(),
    messageOffset: offset("message_offset").notNull(),
  },
  (table) => [
    primaryKey({
      name: "october_messages_pkey",
      columns: [table.key, table.queueId, table.partitionId, table.messageOffset],
    }),
  ],
);

/** Segments whose messages are all in `october_messages`. */
export const octoberSegments = queen.table(
  "october_segments",
  {
    queueId: integer("queue_id").notNull(),
    partitionId: bigint("partition_id", { mode: "number" }).notNull(),
    firstOffset: offset("first_offset").notNull(),
  },
  (table) => [
    primaryKey({ name: "october_segments_pkey", columns: [table.queueId, table.partitionId, table.firstOffset] }),
  ],
);

/** What was said to have failed under a lease that is still held: it is answered, and yet to be delivered again. */
export const octoberAnswers = queen.table(
  "october_answers",
  {
    queueId: integer("queue_id").notNull(),
    partitionId: bigint("partition_id", { mode: "number" }).notNull(),
    groupId: integer("group_id").notNull(),
    leaseId: uuid("lease_id").notNull(),
    failed: offsets("failed").notNull(),
  },
  (table) => [primaryKey({ name: "october_answers_pkey", columns: [table.queueId, table.partitionId, table.groupId] })],
);
