/**
 * The environment variables of the spool: where pushes wait while the database does not take them.
 *
 * @module
 */
import type { Variable } from "./config-variables.ts";

/** As `VARIABLES`, of which they are a part. */
export const SPOOL_VARIABLES = {
  FILE_BUFFER_DIR: {
    type: "text",
    default: null,
    defaultText: "buffers in the data folder (see QUEEN_DATA_DIR)",
    description:
      "Folder of this instance alone where pushes wait while the database is away or push maintenance is on.",
  },
  SPOOL_MAX_BYTES: {
    type: "integer",
    default: 1_073_741_824,
    min: 1_048_576,
    max: 1_099_511_627_776,
    unit: "bytes",
    description: "Most bytes in that folder; past it pushes are answered 503.",
  },
  FILE_BUFFER_EVENTS_PER_FILE: {
    type: "integer",
    default: 10_000,
    min: 1,
    max: 10_000_000,
    unit: "messages",
    description: "Messages after which the next file is begun.",
  },
  FILE_BUFFER_MAX_BATCH: {
    type: "integer",
    default: 20_000,
    min: 1,
    max: 1_000_000,
    unit: "messages",
    description: "Most buffered messages that are stored at once.",
  },
  FILE_BUFFER_FLUSH_MS: {
    type: "integer",
    default: 100,
    min: 1,
    max: 60_000,
    unit: "ms",
    description: "First pause between attempts to store what is buffered; it doubles up to a second.",
  },
} as const satisfies Record<string, Variable>;
