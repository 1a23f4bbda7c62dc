/**
 * A consumer group that reads flights: pop, look, acknowledge, repeat.
 *
 * @module
 */

import type { Flight } from "./flight-data.ts";
import type { QueueClient } from "./queue-client.ts";
import type { Witness } from "./witness.ts";

/** A payload: the flight and its place in the replay. */
export type NumberedFlight = Flight & { number: number };

const CONSUMERS_PER_GROUP = 2;
const POP = { batch: "1000", partitions: "50", wait: "true", timeout: "1000" };

/** What one group consumes. */
export interface Consumption {
  client: QueueClient;
  queue: string;
  group: string;
  witness: Witness;
  onFlight?: (flight: Flight) => void;
  progress: (count: number) => void;
}

/**
 * Consumes, several consumers at once, until as many messages came as are expected; then looks once more, since nothing
 * may be left.
 *
 * @param consumption - See {@link Consumption}.
 * @throws {Error} when the server refuses a request.
 */
export async function consumeAll({ client, queue, group, witness, onFlight, progress }: Consumption): Promise<void> {
  const consumer = async () => {
    while (witness.count < witness.expected) {
      const messages = await client.pop<NumberedFlight>(queue, { ...POP, consumerGroup: group });
      for (const { partition, data } of messages) {
        witness.see(partition, data.number);
        onFlight?.(data);
      }
      if (messages.length > 0) await client.acknowledge(messages, group);
      progress(witness.count);
    }
  };
  await Promise.all(Array.from({ length: CONSUMERS_PER_GROUP }, consumer));
  const rest = await client.pop<NumberedFlight>(queue, { batch: "1000", consumerGroup: group });
  for (const { partition, data } of rest) witness.see(partition, data.number);
}
