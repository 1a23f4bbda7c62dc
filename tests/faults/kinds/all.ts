/**
 * Every fault there is.
 *
 * @module
 */
import type { Fault } from "../campaign/fault.ts";
import { CLOCK_FAULTS } from "./clocks.ts";
import { DATABASE_FAULTS } from "./database.ts";
import { DISK_FAULTS } from "./disk.ts";
import { FAILOVER_FAULTS } from "./failover.ts";
import { MEMORY_FAULTS } from "./memory.ts";
import { NETWORK_FAULTS } from "./network.ts";
import { POOLER_FAULTS } from "./pooler.ts";
import { SERVER_FAULTS } from "./servers.ts";
import { WORKER_FAULTS } from "./workers.ts";

/** In the order in which they are tried. */
export const FAULTS: readonly Fault[] = [
  ...SERVER_FAULTS,
  ...WORKER_FAULTS,
  ...CLOCK_FAULTS,
  ...MEMORY_FAULTS,
  ...DATABASE_FAULTS,
  ...DISK_FAULTS,
  ...NETWORK_FAULTS,
  ...POOLER_FAULTS,
  ...FAILOVER_FAULTS,
];
