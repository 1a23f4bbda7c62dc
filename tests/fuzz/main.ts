/**
 * `bun run fuzz [requests] [seed]`: hostile requests to a server of its own, 200,000 unless told otherwise. Prints the seed,
 * progress with the server's memory, and what came back; ends with 1 when anything was wrong.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import process from "node:process";
import { startServer } from "../support/server.ts";
import { Fuzzer } from "./run.ts";
import { faultsOf } from "./verdict.ts";

const requests = Number(process.argv[2] ?? 200_000);
const seed = Number(process.argv[3] ?? Math.floor(Math.random() * 2 ** 31));
const STEP = 10_000;

/** Resident memory of a process in MiB; null where the system does not tell. */
function residentMb(pid: number): number | null {
  try {
    return Math.round(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]) / 1_024);
  } catch {
    return null;
  }
}

process.stdout.write(`${requests} requests, seed ${seed}\n`);
const server = await startServer({ env: { BACKLOG_REQUESTS_MAX: "10000" } });
let failed = false;
try {
  let next = STEP;
  const report = await new Fuzzer(server.url).run(seed, requests, (sent) => {
    if (sent < next) return;
    next += STEP;
    process.stdout.write(`${sent} sent, ${residentMb(server.pid)} MiB\n`);
  });
  const statuses = Object.entries(report.statuses).map(([status, count]) => `${count} x ${status}`);
  process.stdout.write(
    `${report.requests} answered: ${statuses.join(", ")}; ${report.succeeded.size} routes with success\n`,
  );
} catch (error) {
  failed = true;
  process.stdout.write(`${error instanceof Error ? error.message : error}\n`);
}
const faults = await faultsOf(server).catch((error: unknown) => [String(error)]);
for (const fault of faults) process.stdout.write(`${fault}\n`);
await server.stop();
process.exit(failed || faults.length > 0 ? 1 : 0);
