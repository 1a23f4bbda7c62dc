/**
 * Loaded in each worker before its own module: carries out the orders that are for it.
 *
 * @module
 */

import { setClock } from "./clock.ts";
import { type Order, SABOTAGE_CHANNEL } from "./protocol.ts";

const MEAL_BYTES = 64 * 1024 * 1024;

let index = -1;
const eaten: unknown[] = [];

addEventListener("message", ({ data }) => {
  // The router's first message tells who this is; later ones need not be looked at.
  if (index === -1 && typeof data === "object" && data?.kind === "start") index = data.settings.index;
});

function loop(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

function eatBuffers(): never {
  for (;;) eaten.push(new Uint8Array(MEAL_BYTES).fill(1));
}

function eatObjects(): never {
  for (let at = 0; ; at += 1) eaten.push({ at, list: [at], text: `text ${at}` });
}

new BroadcastChannel(SABOTAGE_CHANNEL).onmessage = (event: MessageEvent<Order>) => {
  const order = event.data;
  if (order.worker !== "all" && order.worker !== index) return;
  if (order.kind === "throw") {
    setTimeout(() => {
      throw new Error("thrown by a test");
    });
  } else if (order.kind === "reject") Promise.reject(new Error("rejected by a test"));
  else if (order.kind === "loop") loop(order.ms);
  else if (order.kind === "eat-buffers") eatBuffers();
  else if (order.kind === "eat-objects") eatObjects();
  else if (order.kind === "clock") setClock(order.ms);
};
