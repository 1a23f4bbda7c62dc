/**
 * The few requests a producer and a consumer need, over plain `fetch`.
 *
 * @module
 */

/** A message to push. */
export interface Outgoing {
  queue: string;
  partition: string;
  payload: unknown;
  /** Makes the push safe to repeat: a message with the same id is stored once per partition. */
  transactionId: string;
}

/** A message as it is delivered. */
export interface Delivered<Payload> {
  transactionId: string;
  partitionId: string;
  partition: string;
  leaseId: string;
  data: Payload;
}

/** Client of one server. */
export class QueueClient {
  readonly #url: string;

  /** @param url - Base address without a trailing slash, such as `http://localhost:6632`. */
  constructor(url: string) {
    this.#url = url;
  }

  /** Creates the queue, or resets its options to the defaults. */
  async configure(queue: string): Promise<void> {
    await this.#call("POST", "/api/v1/configure", { queue });
  }

  /** Deletes the queue and everything in it. */
  async delete(queue: string): Promise<void> {
    await this.#call("DELETE", `/api/v1/resources/queues/${queue}`);
  }

  /**
   * Pushes messages; those of one partition keep their order.
   *
   * @throws {Error} when any of them was not stored as new.
   */
  async push(messages: Outgoing[]): Promise<void> {
    const results = await this.#call<{ status: string }[]>("POST", "/api/v1/push", { items: messages });
    const odd = results?.find((result) => result.status !== "queued");
    if (results?.length !== messages.length || odd !== undefined)
      throw new Error(`A push was answered ${JSON.stringify(odd ?? results)}`);
  }

  /**
   * Takes messages under a lease.
   *
   * @param query - Query parameters of a pop, such as `consumerGroup`, `batch` and `wait`.
   * @returns Messages, in order within each partition; empty when there are none now.
   */
  async pop<Payload>(queue: string, query: Record<string, string>): Promise<Delivered<Payload>[]> {
    const path = `/api/v1/pop/queue/${queue}?${new URLSearchParams(query)}`;
    const answer = await this.#call<{ messages: Delivered<Payload>[] }>("GET", path);
    return answer?.messages ?? [];
  }

  /**
   * Acknowledges messages as completed, so that the group does not get them again.
   *
   * @throws {Error} when an acknowledgement was refused, because its lease ran out for example.
   */
  async acknowledge<Payload>(messages: Delivered<Payload>[], consumerGroup: string): Promise<void> {
    const acknowledgments = messages.map(({ transactionId, partitionId, leaseId }) => ({
      transactionId,
      partitionId,
      leaseId,
      status: "completed",
    }));
    const body = { acknowledgments, consumerGroup };
    const results = await this.#call<{ success: boolean; error: string | null }[]>("POST", "/api/v1/ack/batch", body);
    const odd = results?.find((result) => !result.success);
    if (odd !== undefined) throw new Error(`An acknowledgement was refused: ${odd.error}`);
  }

  /** Moves a group back, or forward, to the first message after an instant. */
  async seek(queue: string, consumerGroup: string, timestamp: string): Promise<void> {
    await this.#call("POST", `/api/v1/consumer-groups/${consumerGroup}/queues/${queue}/seek`, { timestamp });
  }

  /** Null when the answer has no body. */
  async #call<Answer>(method: string, path: string, body?: unknown): Promise<Answer | null> {
    const headers = { "content-type": "application/json" };
    const response = await fetch(this.#url + path, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path} was answered ${response.status}: ${text}`);
    return text === "" ? null : (JSON.parse(text) as Answer);
  }
}
