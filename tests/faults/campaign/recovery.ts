/**
 * How soon a server serves again.
 *
 * @module
 */
import { uniqueName } from "../../support/names.ts";

/** Longest wait of a single request, and the pause before the next one. */
const REQUEST_MS_MAX = 2_000;
const PAUSE_MS = 5;

async function ask(url: string, init: RequestInit): Promise<Response | null> {
  try {
    return await fetch(url, { ...init, signal: AbortSignal.timeout(REQUEST_MS_MAX) });
  } catch {
    return null;
  }
}

/**
 * Waits until a server has answered a push `queued` and a pop with a message.
 *
 * @param url - Base address.
 * @param timeoutMs - Gives up after this.
 * @throws Error with the last answers, when the time runs out.
 */
export async function recovered(url: string, timeoutMs: number): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  const queue = uniqueName("probe");
  let [stored, last] = [false, "no answer"];
  while (performance.now() < deadline) {
    if (stored) {
      const answer = await ask(`${url}/api/v1/pop/queue/${queue}?autoAck=true&wait=true&timeout=500`, {});
      last = `pop: ${answer?.status ?? "no answer"}`;
      if (answer?.status === 200) return;
    } else {
      const item = { queue, transactionId: uniqueName("probe"), payload: 0 };
      const headers = { "content-type": "application/json" };
      const answer = await ask(`${url}/api/v1/push`, {
        method: "POST",
        headers,
        body: JSON.stringify({ items: [item] }),
      });
      const text = (await answer?.text().catch(() => "broken off")) ?? "";
      last = `push: ${answer?.status ?? "no answer"} ${text}`;
      stored = answer?.status === 201 && text.includes('"queued"');
      if (stored) continue;
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  throw new Error(`${url} did not recover within ${timeoutMs} ms; ${last}`);
}
