/**
 * Runs once per `bun test`: stops the servers that test files started.
 *
 * @module
 */
import { afterAll } from "bun:test";
import { stopServers } from "./server.ts";

/** Stopping takes as long as what is in flight, and on a busy machine longer than the five seconds that hooks get. */
const STOP_MS_MAX = 120_000;

afterAll(
  async () => {
    await stopServers();
  },
  { timeout: STOP_MS_MAX },
);
