/**
 * Moves what a consumer group has not consumed from one server to another, in order, until nothing is left; from Queen 0.15
 * as well. What is pushed is acknowledged only afterwards, and its transaction ids stay: a bridge that is killed and started
 * again loses nothing and stores nothing twice.
 *
 *     OLD_URL=http://old:6632 QUEEN_URL=http://new:6632 QUEUE=orders bun docs/examples/bridge.ts
 *
 * GROUP names the consumer group (without it: the consumers that name none), NEW_QUEUE another name at the new server.
 */
const { OLD_URL = "http://localhost:6633", QUEEN_URL = "http://localhost:6632", QUEUE = "orders" } = process.env;
const { GROUP, NEW_QUEUE = QUEUE } = process.env;

async function call(method: string, url: string, body?: object) {
  const answer = await fetch(url, { method, body: body && JSON.stringify(body) });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${url}: ${answer.status} ${text}`);
  return text === "" ? null : JSON.parse(text);
}

type Message = {
  transactionId: string;
  partitionId: string;
  partition: string;
  leaseId: string;
  traceId: string | null;
  data: unknown;
};
const group = GROUP === undefined ? "" : `&consumerGroup=${encodeURIComponent(GROUP)}`;
const pop = `${OLD_URL}/api/v1/pop/queue/${encodeURIComponent(QUEUE)}?batch=1000&partitions=100&wait=true&timeout=2000${group}`;
let moved = 0;
let repeated = 0;

for (;;) {
  const messages: Message[] = (await call("GET", pop))?.messages ?? [];
  if (messages.length === 0) break;
  const items = messages.map(({ transactionId, partition, traceId, data }) => ({
    queue: NEW_QUEUE,
    partition,
    transactionId,
    payload: data,
    ...(traceId === null ? {} : { traceId }),
  }));
  const pushed: { status: string }[] = await call("POST", `${QUEEN_URL}/api/v1/push`, { items });
  const odd = pushed.find(({ status }) => status !== "queued" && status !== "duplicate");
  if (pushed.length !== items.length || odd !== undefined) throw new Error(`not stored: ${JSON.stringify(odd)}`);
  const acknowledgments = messages.map(({ transactionId, partitionId, leaseId }) => {
    return { transactionId, partitionId, leaseId, status: "completed" };
  });
  await call("POST", `${OLD_URL}/api/v1/ack/batch`, { acknowledgments, consumerGroup: GROUP ?? null });
  moved += messages.length;
  repeated += pushed.filter(({ status }) => status === "duplicate").length;
}
console.log(`${moved} messages moved, ${repeated} of them for the second time`);

export {};
