/**
 * The one place that spawns workers.
 *
 * @module
 */

/**
 * Starts a worker thread. The shape of this expression is literal on purpose: `bun build --compile` and Deno's bundler
 * recognise a worker's entry point by it, and the build lists `workers/worker.ts` as an entry point of its own.
 *
 * @returns The worker, not started yet: it waits for the protocol's `start`.
 */
export function spawnWorker(): Worker {
  return new Worker(new URL("../../workers/worker.ts", import.meta.url), { type: "module" });
}
