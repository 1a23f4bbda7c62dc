/**
 * Every fault there is.
 *
 * @module
 */
import type { Fault } from "../campaign/fault.ts";
import { SERVER_FAULTS } from "./servers.ts";

/** In the order in which they are tried. */
export const FAULTS: readonly Fault[] = [...SERVER_FAULTS];
