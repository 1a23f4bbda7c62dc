/**
 * At most so many calls in each window of time for each customer, with any number of consumers and no shared counter: a
 * batch is one window's budget, and it is acknowledged only when the window is over. Until then its lease keeps
 * everybody away from that customer's partition, and from no other.
 */
import { setTimeout as sleep } from "node:timers/promises";

const server = process.env.QUEEN_URL ?? "http://localhost:6632";
const WINDOW_MS = 400;
const CALLS_PER_WINDOW = 5;
const CALLS = 15;

async function call(method: string, path: string, body?: object) {
  const answer = await fetch(server + path, { method, body: body && JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return answer.status === 204 ? { messages: [] } : answer.json();
}

type Message = { partition: string };
/** When each customer's calls were made. */
const made = new Map<string, number[]>([
  ["ada", []],
  ["bob", []],
]);
const isDone = () => [...made.values()].every((times) => times.length === CALLS);

async function consumer(): Promise<void> {
  while (!isDone()) {
    const path = `/api/v1/pop/queue/example-calls?batch=${CALLS_PER_WINDOW}&wait=true&timeout=200`;
    const { messages, leaseId } = await call("GET", path);
    if (messages.length === 0) continue;
    for (const { partition } of messages as Message[]) made.get(partition)!.push(performance.now());
    await sleep(WINDOW_MS + 5); // Timers may be a little early.
    await call("POST", `/api/v1/lease/${leaseId}/ack`);
  }
}

await call("DELETE", "/api/v1/resources/queues/example-calls");
// A lease must outlive the window. It is also the pause after a consumer died.
await call("POST", "/api/v1/configure", { queue: "example-calls", options: { leaseTime: 10 } });
const items = [...made.keys()].flatMap((partition) =>
  Array.from({ length: CALLS }, (_, number) => ({ queue: "example-calls", partition, payload: { number } })),
);
await call("POST", "/api/v1/push", { items });
await Promise.all([consumer(), consumer(), consumer(), consumer()]);

for (const [customer, times] of made) {
  // A window may begin anywhere: with each call, how many follow within its length?
  const most = Math.max(
    ...times.map((start) => times.filter((time) => time >= start && time < start + WINDOW_MS).length),
  );
  console.log(`${customer}: ${times.length} calls, at most ${most} in any ${WINDOW_MS} ms`);
}
