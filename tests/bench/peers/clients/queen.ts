/**
 * This server over its HTTP API in JSON, through `fetch`, with every payload serialised and parsed as any client would:
 * none of the prepared bytes that the other benches of this folder use, because no peer has those either.
 *
 * @module
 */

import type { Messages, Payload } from "../messages.ts";
import type { ClientSpec, PeerClient } from "../peer.ts";
import { type Sink, takeInTurns } from "../sink.ts";
import { postgresDurability } from "./postgres-peer.ts";

const WAIT_MS = 2000;

interface PopAnswer {
  leaseId: string;
  messages: { transactionId: string; partitionId: string; data: Payload }[];
}

/**
 * Opens a client of this server.
 *
 * @param spec - `endpoints.queenUrl` and `endpoints.postgres` are needed.
 * @returns The client.
 */
export async function openQueen(spec: ClientSpec): Promise<PeerClient> {
  const url = spec.endpoints.queenUrl!;
  const single = spec.mode === "single";
  const batch = single ? 1 : 1000;
  const call = async (method: string, path: string, body?: unknown, signal?: AbortSignal) => {
    const response = await fetch(`${url}${path}`, {
      method,
      body: body === undefined ? undefined : JSON.stringify(body),
      headers: body === undefined ? undefined : { "content-type": "application/json" },
      signal,
    });
    if (!response.ok) throw new Error(`${method} ${path} was answered ${response.status}: ${await response.text()}`);
    return response.status === 204 ? null : await response.json();
  };

  const takeOnce = async (queue: string, sink: Sink, over: AbortSignal) => {
    const query = `batch=${batch}&partitions=${single ? 1 : spec.keys}&wait=true&timeout=${WAIT_MS}`;
    const answer = (await call("GET", `/api/v1/pop/queue/${queue}?${query}`, undefined, over)) as PopAnswer | null;
    if (answer === null || answer.messages.length === 0) return 0;
    for (const { data } of answer.messages) sink.take(data);
    const acknowledgments = answer.messages.map(({ transactionId, partitionId }) => ({
      transactionId,
      partitionId,
      leaseId: answer.leaseId,
      status: "completed",
    }));
    const results = (await call("POST", "/api/v1/ack/batch", { acknowledgments })) as { success: boolean }[];
    if (results.some(({ success }) => !success)) throw new Error("an acknowledgement was refused");
    return answer.messages.length;
  };

  return {
    producers: single ? 50 : 4,
    perPush: batch,
    prepare: async (queue) => {
      await call("POST", "/api/v1/configure", { queue, options: {} });
    },
    push: async (queue: string, messages: Messages, indexes: number[]) => {
      // A transaction id of the client's own, as published clients send: the server keeps every one of them unique.
      const items = indexes.map((index) => ({
        queue,
        partition: messages.key(index),
        transactionId: Bun.randomUUIDv7(),
        payload: messages.payloads[index],
      }));
      const results = (await call("POST", "/api/v1/push", { items })) as { status: string }[];
      const odd = results.find(({ status }) => status !== "queued");
      if (odd !== undefined || results.length !== items.length) throw new Error(`a push was answered ${odd?.status}`);
    },
    take: async (queue, sink) => {
      const over = new AbortController();
      // Polls that are parked when the last message was acknowledged are dropped, not waited for.
      void sink.finished.then(() => over.abort());
      const step = () =>
        takeOnce(queue, sink, over.signal).catch((error: unknown) => {
          if (sink.done) return 0;
          throw error;
        });
      await takeInTurns(single ? 50 : 4, sink, step, 0);
    },
    durability: () => postgresDurability(spec),
    version: async () => {
      const { version } = (await import("../../../../package.json")).default;
      return version;
    },
    close: async () => undefined,
  };
}
