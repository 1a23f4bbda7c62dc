/**
 * Bounds of what clients may send and what a segment may hold, with their units in their names.
 *
 * @module
 */

/** Longest queue, partition, group, namespace, task or transaction id, in UTF-16 code units (the columns are varchar(255)). */
export const NAME_LENGTH_MAX = 255;

/** Deepest nesting of a body. JSON.parse itself gives up at some thousands; this is far below and far above real data. */
export const DEPTH_MAX = 512;

/** Most messages in one segment. The last 20 bits of a message id count within its segment. */
export const SEGMENT_MESSAGE_COUNT_MAX = 16_384;

/** Size in bytes, before compression, at which a segment is closed. One larger message still makes a segment of its own. */
export const SEGMENT_BYTES_TARGET = 4 * 1024 * 1024;

/** Bodies below this many bytes are stored as they are: compressing them gains less than it costs. */
export const COMPRESS_BYTES_MIN = 200;

/** Name that partitions get when a producer names none. */
export const DEFAULT_PARTITION = "Default";

/** Consumer group of consumers that name none. */
export const QUEUE_MODE_GROUP = "__QUEUE_MODE__";

/** Most messages one pop may ask for. */
export const POP_BATCH_MAX = 100_000;

/** Most partitions one pop may claim. */
export const POP_PARTITIONS_MAX = 1_000;
