/**
 * Loaded before the server of a test (`bun --preload`): has each worker load `worker.ts` first, and passes on to the workers
 * what the test asks for over a socket of its own, whose path `QUEEN_TEST_SABOTAGE` names.
 *
 * @module
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { setClock } from "./clock.ts";
import { type Order, SABOTAGE_CHANNEL, SABOTAGE_VARIABLE } from "./protocol.ts";

const unix = process.env[SABOTAGE_VARIABLE];
const preload = join(import.meta.dirname, "worker.ts");

if (unix !== undefined) {
  const Plain = globalThis.Worker;
  globalThis.Worker = class extends Plain {
    constructor(url: string | URL, options: WorkerOptions = {}) {
      super(url, { ...options, preload });
    }
  };
  const channel = new BroadcastChannel(SABOTAGE_CHANNEL);
  // Left there by a server that crashed.
  rmSync(unix, { force: true });
  Bun.serve({
    unix,
    fetch: async (request) => {
      const order: Order = await request.json();
      channel.postMessage(order);
      if (order.kind === "clock") setClock(order.ms);
      return new Response();
    },
  });
}
