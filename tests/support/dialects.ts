/**
 * Both dialects behind one face, for tests of what the engine does under either.
 *
 * @module
 */
import { type Api, leasedAckOf, type Popped, type PopQuery } from "./api.ts";
import { OctoberApi } from "./october.ts";

/** A message handed out under either dialect. */
export interface Delivered {
  data: unknown;
  createdAt: string;
  transactionId: string;
  /** Says what became of it, and gives its lease back. */
  ack(status: "completed" | "failed", error?: string): Promise<void>;
}

/** What clients of every generation can do. */
export interface Dialect {
  name: "0.15" | "October 2025";
  configure(queue: string, options: object, names?: object): Promise<void>;
  /** Pushes to a partition in one request; what was refused is in `refused`, as texts. */
  push(queue: string, partition: string, payloads: unknown[]): Promise<{ stored: number; refused: string[] }>;
  pop(queue: string, params?: PopQuery): Promise<Delivered[]>;
  popFiltered(params: PopQuery): Promise<Delivered[]>;
}

/** The dialect of 0.15. */
export function currentDialect(api: Api): Dialect {
  const delivered = (messages: Popped[]) =>
    messages.map((message) => ({
      ...message,
      ack: async (status: string, error?: string) => {
        const result = await api.ack(leasedAckOf(message, status, error));
        if (!result.success) throw new Error(`ack: ${result.error}`);
      },
    }));
  return {
    name: "0.15",
    configure: (queue, options, names) => api.configure(queue, options, names),
    async push(queue, partition, payloads) {
      const results = await api.push(...payloads.map((payload) => ({ queue, partition, payload })));
      const refused = results.flatMap((result) => (result.status === "failed" ? [result.error!] : []));
      return { stored: results.length - refused.length, refused };
    },
    pop: async (queue, params) => delivered(await api.pop(queue, params)),
    popFiltered: async (params) => delivered(await api.popFiltered(params)),
  };
}

/** The dialect of October 2025, of the same server. */
export function octoberDialect(api: Api): Dialect {
  const october = new OctoberApi(api.http);
  const delivered = (messages: Awaited<ReturnType<OctoberApi["pop"]>>) =>
    messages.map((message) => ({
      ...message,
      ack: async (status: string, error?: string) => {
        const { consumerGroup, transactionId } = message;
        await october.ack(transactionId, status, {
          ...(error !== undefined && { error }),
          ...(consumerGroup !== null && { consumerGroup }),
        });
      },
    }));
  return {
    name: "October 2025",
    async configure(queue, options, names) {
      await october.configure(queue, options, names);
    },
    async push(queue, partition, payloads) {
      const items = payloads.map((payload) => ({ queue, partition, payload }));
      const answer = await api.http.post("/2025-10/api/v1/push", { items });
      if (answer.status !== 201) return { stored: 0, refused: payloads.map(() => answer.json.error) };
      const failed = answer.json.messages.filter((one: { status: string }) => one.status === "failed");
      return { stored: payloads.length - failed.length, refused: failed.map((one: { error: string }) => one.error) };
    },
    pop: async (queue, params) => delivered(await october.popQueue(queue, params)),
    popFiltered: async (params) => delivered(await october.pop("", params)),
  };
}
