/**
 * Where and how pushes are spooled, as configured.
 *
 * @module
 */
import { join } from "node:path";
import type { Values } from "./config-variables.ts";

/** Settings of the spool. */
export interface SpoolConfig {
  readonly folder: string;
  /** Somebody chose the folder: a start without it is refused. */
  readonly required: boolean;
  readonly bytesMax: number;
  readonly fileMessagesMax: number;
  readonly batchMessagesMax: number;
  readonly retryMs: number;
}

/** Reads the settings. @param dataDir - Where the data of this server belongs. */
export function spoolConfig(values: Values, dataDir: string): SpoolConfig {
  return {
    folder: values.FILE_BUFFER_DIR ?? join(dataDir, "buffers"),
    required: values.FILE_BUFFER_DIR !== null,
    bytesMax: values.SPOOL_MAX_BYTES,
    fileMessagesMax: values.FILE_BUFFER_EVENTS_PER_FILE,
    batchMessagesMax: values.FILE_BUFFER_MAX_BATCH,
    retryMs: values.FILE_BUFFER_FLUSH_MS,
  };
}
