/**
 * Messages in every state for the dashboard to show.
 *
 * @module
 */
import { type Api, leasedAckOf } from "../support/api.ts";
import { uniqueName } from "../support/names.ts";

/** What was made. */
export interface Seeded {
  orders: string;
  failing: string;
  /** Has no messages yet. */
  live: string;
  group: string;
  /** A message with traces and a payload of all kinds. */
  traced: { partitionId: string; transactionId: string };
}

/** Makes a queue with pending, leased and consumed messages of a group, and another with dead letters of two errors. */
export async function seed(api: Api): Promise<Seeded> {
  const [orders, failing, group] = [uniqueName("orders"), uniqueName("failing"), uniqueName("fulfilment")];
  const live = uniqueName("clicks");
  await api.configure(orders, { leaseTime: 120, retryLimit: 2 }, { namespace: "shop", task: "checkout" });
  await api.configure(failing, { retryLimit: 0 });
  for (let partition = 0; partition < 3; partition += 1) {
    await api.push(
      ...Array.from({ length: 12 }, (_, n) => ({
        queue: orders,
        partition: `customer-${partition}`,
        payload: { order: n, customer: { name: "Ada" }, lines: [{ sku: "A-1", n }], paid: true, note: null },
      })),
    );
  }
  const done = await api.pop(orders, { batch: 6, partitions: 1, consumerGroup: group });
  await api.ackBatch(
    done.map((message) => ({ ...leasedAckOf(message), status: "completed" })),
    group,
  );
  await api.pop(orders, { batch: 4, partitions: 1, consumerGroup: group });
  const traced = { partitionId: done[0]!.partitionId, transactionId: done[0]!.transactionId };
  for (const eventType of ["received", "picked"]) {
    await api.http.post("/api/v1/traces", {
      ...traced,
      eventType,
      data: { by: "robot" },
      traceNames: ["walk"],
      consumerGroup: group,
    });
  }
  await api.push(...Array.from({ length: 8 }, (_, n) => ({ queue: failing, partition: "p", payload: { n } })));
  const popped = await api.pop(failing, { batch: 8, consumerGroup: group });
  await api.ackBatch(
    popped.map((message, at) => ({
      ...leasedAckOf(message),
      status: "failed",
      error: at < 3 ? "SMTP 550: mailbox unavailable" : "connect ECONNREFUSED",
    })),
    group,
  );
  return { orders, failing, live, group, traced };
}
