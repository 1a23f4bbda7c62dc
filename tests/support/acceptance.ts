/**
 * What the acceptance tests share: consumers as the published clients run them.
 *
 * @module
 */
import { type Api, ackOf, leasedAckOf, type Popped, type PopQuery } from "./api.ts";

/** A consumer that handles each batch and acknowledges it with one status for all, as the batch consumers of all clients do. */
export async function consumeBatches(
  api: Api,
  queue: string,
  params: PopQuery,
  handle: (messages: Popped[]) => void | Promise<void>,
): Promise<number> {
  let calls = 0;
  for (;;) {
    const messages = await api.pop(queue, params);
    if (messages.length === 0) return calls;
    calls += 1;
    let status = "completed";
    let error: string | undefined;
    try {
      await handle(messages);
    } catch (failure) {
      status = "failed";
      error = (failure as Error).message;
    }
    const results = await api.ackBatch(
      messages.map((message) => leasedAckOf(message, status, error)),
      params.consumerGroup,
    );
    const refused = results.find((result) => !result.success);
    if (refused) throw new Error(`ack: ${refused.error}`);
  }
}

/** Takes one message after another out of a queue and completes it. @returns Their payloads. */
export async function consumeAll(api: Api, queue: string, params: PopQuery = {}): Promise<unknown[]> {
  const seen: unknown[] = [];
  await consumeBatches(api, queue, { batch: 100, ...params }, (messages) => {
    seen.push(...messages.map((message) => message.data));
  });
  return seen;
}

/** An acknowledgement in a transaction, as clients send it: without a lease. */
export function ackOperation(message: Popped, status = "completed"): object {
  return { type: "ack", ...ackOf(message, status) };
}
