/**
 * Several faults on one ground, one after another: a short form that pays for one server and one check only.
 *
 * @module
 */
import type { Fault } from "./fault.ts";

/**
 * Makes one fault of several that share a kind of ground, which the last of them opens. Those that this machine cannot inject are left
 * out, and named on the console.
 *
 * @param rounds - How often each is injected.
 */
export function medley(name: string, what: string, faults: readonly Fault[], rounds = 1): Fault {
  const able = faults.filter((fault) => {
    const reason = fault.unable?.() ?? null;
    if (typeof reason === "string") console.info(`${fault.name} is not tried here: ${reason}`);
    return reason === null;
  });
  const times = able.length * rounds;
  let at = 0;
  return {
    name,
    what: `${what}: ${able.map((fault) => fault.name).join(", ")}`,
    times: { short: times, long: times },
    open: able.at(-1)!.open,
    inject: async (ground, blow) => {
      const fault = able[at % able.length]!;
      at += 1;
      await fault.inject(ground, blow);
    },
  };
}
