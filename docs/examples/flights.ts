/**
 * Real flights, partitioned by the airport they leave from, to two consumer groups: one counts, the other adds up delays.
 * Proves that each saw every flight once and in order. `bun run example:flights` is the long form.
 */
import { readFile } from "node:fs/promises";

const server = process.env.QUEEN_URL ?? "http://localhost:6632";

async function call(method: string, path: string, body?: object) {
  const answer = await fetch(server + path, { method, body: body && JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return answer.status === 204 ? { messages: [] } : answer.json();
}

type Flight = { date: string; delay: number; origin: string };
const file = new URL("../../node_modules/vega-datasets/data/flights-2k.json", import.meta.url);
const flights: Flight[] = JSON.parse(await readFile(file, "utf8"));
flights.sort((a, b) => (a.date < b.date ? -1 : a.date > b.date ? 1 : 0));

async function consume(consumerGroup: string, see: (flight: Flight) => void): Promise<string> {
  const last = new Map<string, string>();
  let [seen, late] = [0, 0];
  while (seen < flights.length) {
    const path = `/api/v1/pop/queue/example-flights?batch=500&partitions=20&wait=true&consumerGroup=${consumerGroup}`;
    const { messages, leaseId } = await call("GET", path);
    if (messages.length === 0) continue;
    for (const { data } of messages as { data: Flight }[]) {
      if (data.date < (last.get(data.origin) ?? "")) late++;
      last.set(data.origin, data.date);
      see(data);
      seen++;
    }
    await call("POST", `/api/v1/lease/${leaseId}/ack`, { consumerGroup });
  }
  return `${consumerGroup}: ${seen} flights of ${last.size} airports, ${late} out of order`;
}

await call("DELETE", "/api/v1/resources/queues/example-flights");
const counts = new Map<string, number>();
let minutes = 0;
const done = Promise.all([
  consume("counting", ({ origin }) => counts.set(origin, (counts.get(origin) ?? 0) + 1)),
  consume("delays", ({ delay }) => {
    minutes += delay;
  }),
]);
for (let start = 0; start < flights.length; start += 500) {
  const page = flights.slice(start, start + 500);
  const items = page.map((payload) => ({ queue: "example-flights", partition: payload.origin, payload }));
  await call("POST", "/api/v1/push", { items });
}
for (const line of await done) console.log(line);
const [airport, count] = [...counts].sort((a, b) => b[1] - a[1])[0]!;
console.log(
  `busiest: ${airport} with ${count}; delays: ${minutes === flights.reduce((sum, { delay }) => sum + delay, 0)}`,
);
