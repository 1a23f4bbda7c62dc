/**
 * A clock that can be moved: `Date` of one thread, as a step of the system's clock would move it. Timers and
 * `performance.now()` go on as they do then.
 *
 * @module
 */

let offsetMs = 0;
const Real = Date;

/** Sets the clock of this thread. @param ms - So far ahead of the system's, or behind it when negative. */
export function setClock(ms: number): void {
  offsetMs = ms;
  if (globalThis.Date !== Real) return;
  globalThis.Date = class extends Real {
    constructor(...args: unknown[]) {
      if (args.length === 0) super(Real.now() + offsetMs);
      else super(...(args as [number]));
    }
    static override now(): number {
      return Real.now() + offsetMs;
    }
  } as DateConstructor;
}
