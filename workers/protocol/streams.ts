/**
 * Parameters of the operations of streaming queries.
 *
 * @module
 */

/** See the module. */
export interface StreamOperations {
  streamQueryRegister: Record<string, never>;
  streamCycle: Record<string, never>;
  streamStateGet: Record<string, never>;
}
