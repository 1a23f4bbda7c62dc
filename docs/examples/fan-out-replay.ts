/**
 * Events for several readers: every consumer group gets all of them, at its own pace; a group that comes later reads from
 * the beginning, or from now; any group can be moved back in time and read again.
 */
const server = process.env.QUEEN_URL ?? "http://localhost:6632";

async function call(method: string, path: string, body?: object) {
  const answer = await fetch(server + path, { method, body: body && JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return answer.status === 204 ? { messages: [] } : answer.json();
}

type Event = { createdAt: string; data: string };

/** Reads until nothing is left. `autoAck` counts an event as read when it is delivered. */
async function read(group: string, more = ""): Promise<Event[]> {
  const events: Event[] = [];
  for (;;) {
    const path = `/api/v1/pop/queue/example-events?batch=100&autoAck=true&consumerGroup=${group}${more}`;
    const { messages } = await call("GET", path);
    if (messages.length === 0) return events;
    events.push(...messages);
  }
}

async function publish(...names: string[]): Promise<void> {
  const items = names.map((payload) => ({ queue: "example-events", partition: "shop", payload }));
  await call("POST", "/api/v1/push", { items });
}

const show = (who: string, events: Event[]) => console.log(`${who}: ${events.map(({ data }) => data).join(" ")}`);

await call("DELETE", "/api/v1/resources/queues/example-events");
await publish("opened", "sold", "closed");
const first = await read("billing");
show("billing", first);

// A group that names no subscription begins with the oldest event that is kept; this one begins with the next.
show("newsletter, new", await read("newsletter", "&subscriptionMode=new"));
await publish("reopened");
show("billing", await read("billing"));
show("newsletter", await read("newsletter"));
show("audit, late", await read("audit"));

// Billing had a bug. It reads everything after an instant again; the others are not touched.
const timestamp = new Date(Date.parse(first[0]!.createdAt) - 1).toISOString();
await call("POST", "/api/v1/consumer-groups/billing/queues/example-events/seek", { timestamp });
show("billing, replay", await read("billing"));
show("audit", await read("audit"));

export {};
