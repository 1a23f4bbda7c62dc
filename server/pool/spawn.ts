/**
 * The one place that spawns workers.
 *
 * @module
 */

/** In a compiled binary every module is at the root of a virtual folder, and other entry points lie below it. */
const COMPILED_ROOT = "/$bunfs/root/";
const COMPILED_WORKER = "./workers/worker.ts";

/**
 * Starts a worker thread. The shape of the last expression is literal on purpose: bundlers recognise a worker's entry
 * point by it. The build of the single binary names `workers/worker.ts` as an entry point of its own.
 *
 * @returns The worker, waiting for the protocol's `start`.
 */
export function spawnWorker(): Worker {
  if (import.meta.url.includes(COMPILED_ROOT)) {
    return new Worker(new URL(COMPILED_WORKER, import.meta.url), { type: "module" });
  }
  return new Worker(new URL("../../workers/worker.ts", import.meta.url), { type: "module" });
}
