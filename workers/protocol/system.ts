/**
 * Parameters of the operations on the server as a whole: health, maintenance, statistics.
 *
 * @module
 */

/** See the module. */
export interface SystemOperations {
  /** Answers 200 when the database answers a trivial query, 503 otherwise; body `{"database":"connected"|"disconnected", ...}`. */
  health: Record<string, never>;
}
