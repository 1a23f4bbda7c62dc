/**
 * NATS JetStream: a stream in files, one subject a key. Batch: publishes whose acknowledgements are awaited 1,000 at a
 * time (https://docs.nats.io/using-nats/developer/develop_jetstream/publish), `consume` with a full buffer and
 * `AckPolicy.All`, which acknowledges all messages up to one (https://docs.nats.io/nats-concepts/jetstream/consumers), and
 * those acknowledgements answered by the server. Single: awaited publishes, `next` and an answered acknowledgement each.
 *
 * @module
 */

import { AckPolicy, type JsMsg, jetstream, jetstreamManager, RetentionPolicy, StorageType } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import type { Messages, Payload } from "../messages.ts";
import type { ClientSpec, PeerClient } from "../peer.ts";
import { type Sink, takeInTurns } from "../sink.ts";

const BUFFER = 5000;
const ACK_EVERY = 1000;
const IDLE_MS = 20;
const EXPIRES_MS = 2000;
const ACK_TIMEOUT_MS = 30_000;

/**
 * Opens a NATS client.
 *
 * @param spec - `endpoints.natsPort` is needed.
 * @returns The client.
 */
export async function openNats(spec: ClientSpec): Promise<PeerClient> {
  const single = spec.mode === "single";
  const connection = await connect({ servers: `127.0.0.1:${spec.endpoints.natsPort}` });
  const manager = await jetstreamManager(connection);
  const js = jetstream(connection, { timeout: ACK_TIMEOUT_MS });

  const acknowledge = async (message: JsMsg, count: number, sink: Sink) => {
    if (!(await message.ackAck({ timeout: ACK_TIMEOUT_MS }))) throw new Error("an acknowledgement was not answered");
    if (!single) sink.acknowledge(count);
  };

  const takeAll = async (queue: string, sink: Sink) => {
    const consumer = await js.consumers.get(queue, "taker");
    const messages = await consumer.consume({ max_messages: BUFFER });
    void sink.finished.then(() => messages.close());
    const acks: Promise<void>[] = [];
    let pending = 0;
    let latest: JsMsg | null = null;
    const flush = () => {
      if (pending === 0) return;
      acks.push(acknowledge(latest!, pending, sink));
      pending = 0;
    };
    // A rest smaller than a batch is acknowledged when nothing more has come for a moment.
    const idle = setInterval(flush, IDLE_MS);
    for await (const message of messages) {
      sink.take(message.json<Payload>());
      latest = message;
      if (++pending === ACK_EVERY) flush();
    }
    clearInterval(idle);
    await Promise.all(acks);
  };

  const takeSingly = async (queue: string, sink: Sink) => {
    const consumer = await js.consumers.get(queue, "taker");
    const step = async () => {
      const message = await consumer.next({ expires: EXPIRES_MS });
      if (message === null) return 0;
      sink.take(message.json<Payload>());
      await acknowledge(message, 1, sink);
      return 1;
    };
    await takeInTurns(50, sink, step, 0);
  };

  return {
    producers: single ? 50 : 4,
    perPush: single ? 1 : 1000,
    prepare: async (queue) => {
      await manager.streams.add({
        name: queue,
        subjects: [`${queue}.*`],
        storage: StorageType.File,
        retention: RetentionPolicy.Limits,
      });
      await manager.consumers.add(queue, {
        durable_name: "taker",
        ack_policy: single ? AckPolicy.Explicit : AckPolicy.All,
        max_ack_pending: BUFFER * 4,
      });
    },
    push: async (queue: string, messages: Messages, indexes: number[]) => {
      await Promise.all(
        indexes.map((index) => js.publish(`${queue}.${messages.key(index)}`, JSON.stringify(messages.payloads[index]))),
      );
    },
    take: (queue, sink) => (single ? takeSingly(queue, sink) : takeAll(queue, sink)),
    // The client cannot ask; whoever started the server knows.
    durability: async () => "",
    version: async () => connection.info?.version ?? "unknown",
    close: () => connection.close(),
  };
}
