/**
 * Tells the router that a thread's event loop runs, in shared memory: no message that a busy loop would have to send or read.
 *
 * @module
 */

/** Often enough for the shortest limit that makes sense, and nearly free. */
const BEAT_MS = 250;

/**
 * Counts up four times a second from now on, for as long as the thread lives and its event loop runs.
 *
 * @param beats - 32-bit counters, one a worker.
 * @param index - Of the caller's own counter.
 */
export function startHeartbeat(beats: SharedArrayBuffer, index: number): void {
  const counters = new Int32Array(beats);
  Atomics.add(counters, index, 1);
  setInterval(() => Atomics.add(counters, index, 1), BEAT_MS);
}
