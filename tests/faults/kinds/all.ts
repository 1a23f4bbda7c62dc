/**
 * Every fault there is.
 *
 * @module
 */
import type { Fault } from "../campaign/fault.ts";
import { CLOCK_FAULTS } from "./clocks.ts";
import { MEMORY_FAULTS } from "./memory.ts";
import { SERVER_FAULTS } from "./servers.ts";
import { WORKER_FAULTS } from "./workers.ts";

/** In the order in which they are tried. */
export const FAULTS: readonly Fault[] = [...SERVER_FAULTS, ...WORKER_FAULTS, ...CLOCK_FAULTS, ...MEMORY_FAULTS];
