/**
 * A pipeline: each step takes from one queue and pushes to the next. Acknowledgement and push are one transaction, so a
 * step that dies in between neither loses a message nor passes it on twice.
 */
const server = process.env.QUEEN_URL ?? "http://localhost:6632";

async function call(method: string, path: string, body?: object) {
  const answer = await fetch(server + path, { method, body: body && JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return answer.status === 204 ? { messages: [] } : answer.json();
}

type Order = { item: string; count: number; price?: number };
type Message = { transactionId: string; partitionId: string; leaseId: string; partition: string; data: Order };
const PRICES: Record<string, number> = { tea: 3, cake: 4 };

const pop = async (queue: string): Promise<Message[]> =>
  (await call("GET", `/api/v1/pop/queue/${queue}?batch=10&partitions=10`)).messages;

const ack = ({ transactionId, partitionId, leaseId }: Message) => ({
  type: "ack",
  transactionId,
  partitionId,
  leaseId, // With it the acknowledgement, and so the transaction, fails when the lease ran out.
  status: "completed",
});

/** Both or nothing. The answer is 200 either way: `success` says which. */
const transaction = (operations: object[]): Promise<{ success: boolean; error?: string }> =>
  call("POST", "/api/v1/transaction", { operations });

for (const queue of ["example-orders", "example-priced"]) await call("DELETE", `/api/v1/resources/queues/${queue}`);
const orders: Order[] = [
  { item: "tea", count: 2 },
  { item: "cake", count: 1 },
];
await call("POST", "/api/v1/push", {
  items: orders.map((payload) => ({ queue: "example-orders", partition: payload.item, payload })),
});

const taken = await pop("example-orders");
const steps = taken.map((message) => {
  const payload = { ...message.data, price: message.data.count * PRICES[message.data.item]! };
  const item = { queue: "example-priced", partition: message.partition, payload };
  return [ack(message), { type: "push", items: [item] }];
});
const lost = await transaction([...steps[0]!, { ...ack(taken[1]!), leaseId: "a lease that ran out" }]);
console.log(`refused: ${lost.error}; priced so far: ${(await pop("example-priced")).length}`);

for (const operations of steps) console.log(`committed: ${(await transaction(operations)).success}`);
for (const { data } of (await pop("example-priced")).sort((a, b) => a.data.price! - b.data.price!))
  console.log(`${data.count} ${data.item} for ${data.price}`);
console.log(`orders left: ${(await pop("example-orders")).length}`);

export {};
