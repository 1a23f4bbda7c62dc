/**
 * Delayed jobs: a message of a queue with `delayedProcessing` cannot be popped before it is that old. The delay belongs to
 * the queue, so there is a queue for each delay; a pop by namespace takes from all of them, whichever is due.
 */
const server = process.env.QUEEN_URL ?? "http://localhost:6632";

async function call(method: string, path: string, body?: object) {
  const answer = await fetch(server + path, { method, body: body && JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return answer.status === 204 ? { messages: [] } : answer.json();
}

type Reminder = { createdAt: string; data: { text: string; delay: number } };
const DELAYS = [1, 2]; // Seconds.

for (const delay of DELAYS) {
  const queue = `example-remind-${delay}s`;
  await call("DELETE", `/api/v1/resources/queues/${queue}`);
  const options = { delayedProcessing: delay };
  await call("POST", "/api/v1/configure", { queue, namespace: "example-reminders", options });
}

const remind = (text: string, delay: number) =>
  call("POST", "/api/v1/push", { items: [{ queue: `example-remind-${delay}s`, payload: { text, delay } }] });
await remind("look at the oven again", 2);
await remind("look at the oven", 1);

// A pop that waits is answered when the first message is due. Nobody polls.
const path = "/api/v1/pop?namespace=example-reminders&wait=true&timeout=30000&autoAck=true";
for (let count = 0; count < DELAYS.length; ) {
  const { messages } = await call("GET", path);
  for (const { createdAt, data } of messages as Reminder[]) {
    count++;
    // Both clocks must agree for this figure: the creation time is the database's.
    const early = Date.now() - Date.parse(createdAt) < data.delay * 1000;
    console.log(`${data.text}: ${early ? "too early" : `not before ${data.delay} s`}`);
  }
}

export {};
