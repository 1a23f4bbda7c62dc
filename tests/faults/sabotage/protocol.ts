/**
 * What is asked of a sabotaged worker.
 *
 * @module
 */

/** Environment variable with the path of the socket that takes orders. */
export const SABOTAGE_VARIABLE = "QUEEN_TEST_SABOTAGE";
/** Name of the channel between the threads of the server. */
export const SABOTAGE_CHANNEL = "queen-test-sabotage";

/** For one worker, or for all of them. */
export type Order =
  /** An error that nobody catches, from the event loop. */
  | { kind: "throw"; worker: number }
  /** A rejection that nobody catches. */
  | { kind: "reject"; worker: number }
  /** Computes for so long: nothing else happens in the thread meanwhile. */
  | { kind: "loop"; worker: number; ms: number }
  /** Takes memory until there is none, in large pieces or in small ones. */
  | { kind: "eat-buffers" | "eat-objects"; worker: number }
  /** Sets the clock of all threads, so far from the system's. */
  | { kind: "clock"; worker: "all"; ms: number };
