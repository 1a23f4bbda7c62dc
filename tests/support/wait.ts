/**
 * Waiting for conditions, never for luck.
 *
 * @module
 */

/** How often a condition is looked at, in milliseconds. */
const POLL_MS = 20;

/**
 * Looks at a condition until it holds.
 *
 * @param condition - Asked every 20 ms, one call at a time. `undefined`, `null` and `false` mean "not yet".
 * @param timeoutMs - Gives up after this many milliseconds.
 * @param what - Named in the error when the time runs out.
 * @returns The first value that is not "not yet".
 * @throws Error when the time runs out; what `condition` throws is passed on at once.
 */
export async function until<T>(
  condition: () => Promise<T | undefined | null | false> | T | undefined | null | false,
  timeoutMs = 5_000,
  what = "the condition",
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const value = await condition();
    if (value !== undefined && value !== null && value !== false) return value;
    if (performance.now() > deadline) throw new Error(`${what} did not hold within ${timeoutMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/**
 * Waits for an instant of the clock that server and tests share. For the time limits that are themselves the feature.
 *
 * @param epochMs - Milliseconds since 1970; a past instant returns at once.
 */
export async function untilTime(epochMs: number): Promise<void> {
  for (let left = epochMs - Date.now(); left > 0; left = epochMs - Date.now()) {
    await new Promise((resolve) => setTimeout(resolve, left));
  }
}
