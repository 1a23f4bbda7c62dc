/**
 * Runs once per `bun test`: stops the servers that test files started.
 *
 * @module
 */
import { afterAll } from "bun:test";
import { stopServers } from "./server.ts";

afterAll(async () => {
  await stopServers();
});
