/**
 * Order by customer: a partition for each. Any number of consumers work at once, yet the events of one customer are handled
 * one after another, in the order of their pushes. There can be millions of partitions.
 */
const server = process.env.QUEEN_URL ?? "http://localhost:6632";
const CUSTOMERS = 50;
const EVENTS = 20;

async function call(method: string, path: string, body?: object) {
  const answer = await fetch(server + path, { method, body: body && JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return answer.status === 204 ? { messages: [] } : answer.json();
}

type Message = { transactionId: string; partition: string; data: { sequence: number } };
const next = new Map<string, number>();
const consumers = new Set<string>();
let handled = 0;
let outOfOrder = 0;

async function consumer(name: string): Promise<void> {
  while (handled < CUSTOMERS * EVENTS) {
    // Up to 100 messages of up to 10 customers, all under one lease.
    const path = "/api/v1/pop/queue/example-customers?batch=100&partitions=10&wait=true&timeout=500";
    const { messages, leaseId } = await call("GET", path);
    if (messages.length === 0) continue;
    consumers.add(name);
    for (const { partition, data } of messages as Message[]) {
      if (data.sequence !== (next.get(partition) ?? 0)) outOfOrder++;
      next.set(partition, data.sequence + 1);
      handled++;
    }
    // Everything under the lease is done; singly, or with failures, it would be /api/v1/ack/batch.
    const answer = await call("POST", `/api/v1/lease/${leaseId}/ack`);
    if (!answer.success) throw new Error(answer.error);
  }
}

await call("DELETE", "/api/v1/resources/queues/example-customers");
for (let sequence = 0; sequence < EVENTS; sequence++) {
  const items = Array.from({ length: CUSTOMERS }, (_, customer) => ({
    queue: "example-customers",
    partition: `customer-${customer}`,
    payload: { sequence },
    transactionId: `${customer}-${sequence}`, // So this push can be repeated after any failure.
  }));
  await call("POST", "/api/v1/push", { items });
}
await Promise.all(["anna", "bert", "carl", "dora"].map(consumer));
console.log(`${handled} events of ${next.size} customers, ${outOfOrder} out of order`);

export {};
